"""Tests of the medium of series: scaling and its inverse, files that are read again, pictures, and metrics."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import media
from jaxgan.data import NamedArrays
from jaxgan.data.series import load, sines
from jaxgan.drawing.series import FAKE, REAL, render_bands, render_lines, render_scatter
from jaxgan.evaluation import scores, series_metrics
from jaxgan.media import Series
from jaxgan.media.series import principal_components

ATTRIBUTES = (
    {"name": "size", "low": 1.0, "high": 3.0, "decimals": 1},
    {"name": "colour", "categories": ["blue", "green", "red"]},
)
PLAIN = Series(("a", "b"), (0.0, -1000.0), (10.0, 1000.0))
FULL = Series(("a", "b"), (0.0, -1000.0), (10.0, 1000.0), (2, 0), ATTRIBUTES, ("x", "y"))


def batch(count=6, steps=5):
    rng = np.random.default_rng(0)
    columns = rng.uniform(0, 10, (count, steps)).round(2), rng.uniform(-1000, 1000, (count, steps)).round()
    series = np.stack(columns, -1).astype(np.float32)
    static = np.stack([rng.uniform(1, 3, count).round(1), rng.integers(0, 3, count)], 1).astype(np.float32)
    return {"series": series, "attributes": static, "label": np.arange(count) % 2}


def test_decode_is_the_inverse_of_normalize():
    for medium in (PLAIN, FULL):
        units = batch()
        normalized = jax.jit(medium.normalize)(units)
        np.testing.assert_array_equal(normalized["label"], units["label"])
        samples = np.asarray(normalized["series"])
        assert (samples.dtype, np.abs(samples).max() <= 1) == (np.float32, True)
        assert samples.shape == (6, 5, 2 + medium.static_channels)
        np.testing.assert_array_equal(samples[:, :1, 2:].repeat(5, 1), samples[..., 2:])
        decoded = medium.decode(samples)
        np.testing.assert_allclose(decoded["series"], units["series"], atol=1e-3)
    np.testing.assert_array_equal(decoded["attributes"], units["attributes"].astype(np.float64).round(1))
    np.testing.assert_array_equal(decoded["series"], np.float64(units["series"]).round(2))
    np.testing.assert_array_equal(samples[..., 3:].argmax(-1)[:, 0], units["attributes"][:, 1])
    low = PLAIN.normalize({"series": np.array([[[0, -1000], [10, 1000], [5, 0]]])})["series"]
    np.testing.assert_allclose(low, [[[-1, -1], [1, 1], [0, 0]]])


def test_a_medium_is_made_again_from_json():
    for medium in (PLAIN, FULL):
        fields = json.loads(json.dumps(dataclasses.asdict(medium)))
        assert Series(**fields) == medium
        record = json.loads(json.dumps(media.record(medium)))
        assert media.from_record(record, (5, 2)) == medium
    source = load("weather")
    medium = Series(**source.details)
    medium.check(source)
    assert medium.columns == ("precipitation", "temp_max", "temp_min", "wind")
    assert media.normalized_shape(medium, source) == (24, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("a", "b"), (0.0,), (1.0, 1.0)), r"must have a value for each of the 2 columns, got 1, 2 and 2 values"),
        ((("a",), (1.0,), (1.0,)), r"`low` must be below `high`, got 1 and 1 for the column a\."),
        (((), (), ()), r"for each of the 0 columns"),
    ],
)
def test_impossible_bounds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Series(*arguments)


def test_other_examples_and_other_features_are_refused():
    with pytest.raises(ValueError, match=r"requires windows of series, of shape \(steps, 2\)\. Load them with"):
        PLAIN.check(NamedArrays({"series": np.zeros((3, 5, 4))}))
    with pytest.raises(ValueError, match="`features` must be classifier for series, or not set, got inception"):
        PLAIN.features(None, "inception")
    with pytest.raises(ValueError, match="`weights` are for Inception's features of images"):
        PLAIN.features(None, weights="a.pth")
    few = PLAIN.advice(None, NamedArrays({"series": np.zeros((30, 5, 2))}, "heart"))
    assert few == [
        "heart has 30 windows for training, which a discriminator can memorise. Use longer series, a smaller `window` or "
        "`stride` 1, and stop early."
    ]
    assert PLAIN.advice(None, NamedArrays({"series": np.zeros((300, 5, 2))})) == []


def test_csv_files_have_the_units_classes_and_attributes(tmp_path):
    units = batch()
    samples = np.asarray(FULL.normalize(units)["series"])
    FULL.save(tmp_path / "new" / "a.csv", samples, "jaxgan", units["label"])
    rows = list(csv.DictReader((tmp_path / "new" / "a.csv").open()))
    assert list(rows[0]) == ["series", "time", "label", "size", "colour", "a", "b"]
    assert len(rows) == 30
    first = rows[5]  # the first row of series 1
    static = units["attributes"][1]
    expected = ("1", "0", "y", f"{static[0]:.1f}", ATTRIBUTES[1]["categories"][int(static[1])])
    assert tuple(first.values())[:5] == expected
    assert (first["a"], first["b"]) == (f"{units['series'][1, 0, 0]:.2f}", f"{units['series'][1, 0, 1]:.0f}")
    roles = {"series_column": "series", "label_column": "label", "attribute_columns": ("size", "colour")}
    read = load(str(tmp_path / "new" / "a.csv"), test_fraction=0, **roles)
    np.testing.assert_array_equal(read.arrays["series"], units["series"])
    np.testing.assert_array_equal(read.arrays["label"], units["label"])
    assert read.classes == FULL.classes


def test_npz_files_are_data_again(tmp_path):
    units = batch()
    numbers = dataclasses.replace(FULL, attributes=ATTRIBUTES[:1])
    samples = np.asarray(numbers.normalize(units)["series"])
    numbers.save(tmp_path / "a.npz", samples, "jaxgan", units["label"])
    read = load(str(tmp_path / "a.npz"), test_fraction=0)
    np.testing.assert_array_equal(read.arrays["series"], units["series"])
    np.testing.assert_allclose(read.arrays["attributes"], units["attributes"][:, :1])
    np.testing.assert_array_equal(read.arrays["label"], units["label"])
    assert read.details["columns"] == ["a", "b"]
    assert read.details["attributes"][0]["name"] == "size"


def test_pictures_and_animations_are_written(tmp_path):
    samples = np.asarray(FULL.normalize(batch())["series"])
    FULL.save(tmp_path / "a.png", samples, "jaxgan", columns=3)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] % (3 * 96 + 2) == 0
    FULL.save(tmp_path / "a.gif", samples, "jaxgan", frames=6)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 6
    with pytest.raises(ValueError):
        FULL.save(tmp_path / "a.txt", samples, "jaxgan")


def test_a_line_is_where_its_values_are_and_a_band_has_most_series():
    ramp = np.linspace(-1, 1, 7)
    drawn = render_lines(np.stack([ramp, -ramp])[..., None])
    assert (drawn.shape, drawn.dtype) == ((2, 28, 96, 3), np.uint8)
    darkest = drawn[:, :-1].sum(-1).argmin(1)  # the row of the line in each pixel column
    assert (np.diff(darkest[0]) <= 0).all() and (np.diff(darkest[1]) >= 0).all()
    assert darkest[0, 0] > 22 and darkest[0, -1] < 4
    flat = np.linspace(-0.5, 0.5, 11)[:, None, None].repeat(5, 1)
    column = render_lines(flat, height=41)[5, :-1, 50].astype(int).sum(-1)
    assert (column[:8] == 3 * 255).all() and (column[-8:] == 3 * 255).all()
    assert (column[14:26] < 3 * 255).all() and abs(column.argmin() - 19) <= 1
    assert render_lines(np.zeros((1, 4, 20))).shape == (1, 8 * 28 + 6, 96, 3)  # the first columns only
    for wrong in (np.zeros((3, 4)), np.zeros((3, 1, 2)), np.zeros((0, 4, 2))):
        with pytest.raises(ValueError, match=r"`series` must be series \[N, T, C\] with T > 1, got the shape"):
            render_lines(wrong)


def test_pictures_compare_samples_with_data():
    real, fake = batch(40), batch(30)
    shown = PLAIN.compare(real, fake)
    assert set(shown) == {"bands", "pca", "tsne"}
    assert all(x.dtype == np.uint8 and x.ndim == 3 and x.shape[2] == 3 for x in shown.values())
    moved = PLAIN.compare(real, {"series": fake["series"] + 4})
    assert all((moved[name] != shown[name]).any() for name in shown)
    for name, colour in (("pca", REAL), ("pca", FAKE)):
        assert (np.abs(shown[name].astype(int) - colour).sum(-1) < 250).sum() > 30
    with pytest.raises(ValueError, match="`real`, `fake` and `names` must have the same columns and times"):
        render_bands(real["series"], fake["series"], ["a"])
    assert render_scatter(np.zeros((1, 2)), np.ones((1, 2)), "a").shape[2] == 3


def test_principal_components_are_those_of_the_data():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(500, 4)) * [5, 1, 0.1, 3]
    found, moved = principal_components(real, real + np.array([0, 0, 9, 0]))
    np.testing.assert_allclose(np.abs(np.corrcoef(found[:, 0], real[:, 0])[0, 1]), 1, atol=0.01)
    np.testing.assert_allclose(np.abs(np.corrcoef(found[:, 1], real[:, 3])[0, 1]), 1, atol=0.01)
    np.testing.assert_allclose(moved, found, atol=0.5)


def test_coarse_features_are_spread_over_time():
    x = np.arange(2 * 100 * 3, dtype=float).reshape(2, 100, 3)
    found = PLAIN.coarse(x)
    assert found.shape == (2, 63)
    assert found[0, :3].tolist() == [0, 1, 2] and found[0, -3:].tolist() == [297, 298, 299]
    assert PLAIN.coarse(np.zeros((2, 4, 100))).shape == (2, 64)


def test_metrics_tell_noise_from_series():
    x = 100 * sines(300, 8, 3).astype(np.float64)
    noise = np.random.default_rng(0).uniform(0, 100, x.shape)
    names = ("autocorrelation", "cross_correlation")
    real, good, bad = (NamedArrays({"series": y}) for y in (x[:150], x[150:], noise))
    medium = Series(("a", "b", "c"), (0,) * 3, (100,) * 3)
    assert medium.metrics is series_metrics.METRICS
    assert set(medium.default_metrics) <= set(medium.metrics)
    found = [scores.compare(y, real, names, None, key="series", known=medium.metrics) for y in (good, bad)]
    assert found[0]["autocorrelation"] < 0.2 < found[1]["autocorrelation"]
    one = NamedArrays({"series": x[..., :1]})
    assert "cross_correlation" not in scores.compare(one, one, names, None, key="series", known=medium.metrics)


@pytest.mark.integration
def test_trained_metrics_are_measured(monkeypatch):
    from jaxgan.metrics import series

    monkeypatch.setattr(series_metrics, "REPEATS", 1)
    monkeypatch.setattr(series_metrics, "MAX_SERIES", 100)
    steps = {"discriminative_score": 60, "predictive_score": 60}
    for name, count in steps.items():
        original = getattr(series, name)
        monkeypatch.setattr(
            series,
            name,
            lambda real, fake, original=original, count=count, **kw: original(real, fake, **kw, steps=count),
        )
    x = 100 * sines(300, 6, 2).astype(np.float64)
    real, bad = NamedArrays({"series": x}), NamedArrays({"series": np.zeros_like(x)})
    known = PLAIN.metrics
    found = scores.compare(bad, real, ("discriminative", "predictive"), None, key="series", known=known)
    assert found["discriminative"] > 0.3
    assert 0 < found["predictive"] < 1
    assert found["protocol"]["discriminative"] == {"repeats": 1, "seed": 0}
