"""Encoding of the columns of tables as vectors, and decoding."""

import dataclasses
import json

import numpy as np
import pytest

from jaxgan.data import table_encoding
from jaxgan.data.columns import Column, ColumnType
from jaxgan.data.table_encoding import ColumnEncoding

pytest.importorskip("sklearn")
RNG = np.random.default_rng(0)


def fit(kind, values, **fields):
    return table_encoding.fit(Column(ColumnType("x", kind, **fields), np.asarray(values, np.float64)))


def round_trip(encoding, values):
    encoded = encoding.encode(np.asarray(values, np.float64), np.random.default_rng(1))
    assert encoded.shape == (len(values), encoding.size) and encoded.dtype == np.float32
    return encoding.decode(encoded)


def test_integers_with_a_mode_of_equal_numbers_are_decoded_exactly():
    values = np.where(RNG.random(2000) < 0.9, 0, RNG.integers(1000, 9000, 2000)).astype(float)
    encoding = fit("integer", values)
    assert 1 < len(encoding.means) <= table_encoding.MODES
    assert encoding.means[0] == 0 and encoding.stds[0] < 1e-3  # the zeros
    found = round_trip(encoding, values)
    assert np.mean(found == values) > 0.999


def test_numbers_keep_their_decimals_bounds_and_missing_values():
    values = np.round(np.concatenate([RNG.normal(0, 1, 500), RNG.normal(50, 2, 500)]), 2)
    values[::10] = np.nan
    encoding = fit("number", values, decimals=2)
    assert encoding.missing == 100 and encoding.choices == len(encoding.means) + 1
    found = round_trip(encoding, values)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_allclose(found, values, atol=1e-9)
    wild = RNG.normal(0, 3, (400, encoding.size))
    drawn = encoding.decode(wild)
    known = drawn[~np.isnan(drawn)]
    assert encoding.low <= known.min() and known.max() <= encoding.high
    np.testing.assert_array_equal(known, np.round(known, 2))


def test_modes_are_drawn_by_their_probability():
    encoding = ColumnEncoding(ColumnType("x", "number", None), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5), -9.0, 9.0)
    encoded = encoding.encode(np.full(20_000, 0.9), np.random.default_rng(0))
    expected = 1 / (1 + np.exp(0.1**2 / 2 - 0.9**2 / 2))
    assert encoded[:, 2].mean() == pytest.approx(expected, abs=0.01)
    np.testing.assert_allclose(encoding.decode(encoded), 0.9, rtol=1e-6)
    assert set(encoded[:, 0].round(4)) == {np.float32(0.225), np.float32(-0.025)}  # (x - mean) / (4 std)


def test_dates_are_decoded_as_days():
    days = RNG.integers(0, 3000, 300) * 86_400.0
    encoding = fit("date", days, format="%Y-%m-%d")
    assert encoding.step == 86_400
    np.testing.assert_array_equal(round_trip(encoding, days), days)
    drawn = encoding.decode(RNG.normal(0, 1, (100, encoding.size)))
    assert not (drawn % 86_400).any()


def test_categories_and_booleans_with_missing_values():
    values = np.array([0, 1, 2, np.nan, 1])
    encoding = fit("category", values, categories=("a", "b", "c"))
    assert encoding.choice_counts == (1, 2, 1, 1) and encoding.heads == (4,)
    np.testing.assert_array_equal(round_trip(encoding, values), values)
    np.testing.assert_array_equal(encoding.decode(np.array([[0.2, 0.5, 0.1, 0.2], [0, 0, 0.4, 0.6]])), [1, np.nan])
    assert fit("boolean", [0, 1, 1], categories=("no", "yes")).heads == (2,)


def test_a_constant_column_is_decoded_as_its_constant():
    encoding = fit("number", [2.5] * 10, decimals=1)
    assert len(encoding.means) == 1
    np.testing.assert_array_equal(encoding.decode(RNG.normal(size=(5, encoding.size))), [2.5] * 5)


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_columns_of_any_scale_are_encoded(scale):
    values = scale * np.concatenate([RNG.normal(0, 1, 300), RNG.normal(100, 1, 300)])
    np.testing.assert_allclose(round_trip(fit("number", values, decimals=None), values), values, atol=scale * 1e-4)


def test_rows_are_the_columns_one_after_the_other_and_survive_json():
    columns = [
        fit("integer", RNG.integers(0, 50, 200)),
        fit("category", RNG.integers(0, 3, 200), categories=("a", "b", "c")),
    ]
    values = np.stack([RNG.integers(0, 50, 200), RNG.integers(0, 3, 200)], axis=1).astype(float)
    rows = table_encoding.encode(columns, values, seed=3)
    np.testing.assert_array_equal(rows, table_encoding.encode(columns, values, seed=3))
    np.testing.assert_array_equal(table_encoding.decode(columns, rows), values)
    restored = [ColumnEncoding(**json.loads(json.dumps(dataclasses.asdict(column)))) for column in columns]
    assert restored == columns


def test_a_new_missing_value_is_refused():
    encoding = fit("category", [0, 1, 1], categories=("a", "b"))
    with pytest.raises(ValueError, match="Column 'x' has no value in the example with index 1, but no values were"):
        encoding.encode(np.array([0, np.nan]), RNG)


def test_columns_without_values_or_with_too_many_categories_are_refused():
    with pytest.raises(ValueError, match="Column 'x' has no values"):
        fit("number", [np.nan, np.nan])
    names = tuple(map(str, range(1200)))
    with pytest.raises(ValueError, match="Column 'x' has 1,200 different categories, but at most 1,000 can be"):
        fit("category", np.arange(1200), categories=names)


def test_decode_checks_the_width_of_rows():
    with pytest.raises(ValueError, match=r"`rows` must be \[N, 2\] for these columns, got the shape \[3, 5\]"):
        table_encoding.decode([fit("category", [0, 1], categories=("a", "b"))], np.zeros((3, 5)))
