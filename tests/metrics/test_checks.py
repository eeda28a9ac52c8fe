"""Tests of the checks of features, and of the line that a warning points to."""

import linecache
import warnings

import numpy as np
import pytest

from jaxgan.metrics.checks import as_features, as_series, as_texts, is_known, require_finite, warn


def test_features_become_float64():
    x, y = as_features(np.arange(6, dtype=np.int32).reshape(3, 2), [[1.5, 2.5], [3, 4]])
    assert x.dtype == y.dtype == np.float64
    assert x.tolist() == [[0, 1], [2, 3], [4, 5]] and y.tolist() == [[1.5, 2.5], [3, 4]]


@pytest.mark.parametrize(
    ("sets", "options", "message"),
    [
        ((np.ones((3, 2), bool),), {}, r"`x` must be an array of real numbers, \[N, D\], got bool"),
        ((np.ones((3, 2)), np.ones((3, 2), complex)), {}, "`y` must be an array of real numbers"),
        ((np.ones(3),), {}, r"got shapes \(3,\)"),
        ((np.ones((3, 0)),), {}, r"got shapes \(3, 0\)"),
        ((np.ones((3, 2)), np.ones((3, 4))), {}, r"the same D in each set, got shapes \(3, 2\), \(3, 4\)"),
        ((np.ones((3, 2)), np.ones((1, 2))), {}, "`y` must have at least 2 examples, got 1"),
        ((np.ones((3, 2)),), {"least": 4, "names": ("logits",)}, "`logits` must have at least 4 examples, got 3"),
        ((np.array([[1, 2], [3, np.inf]]),), {}, "`x` must be finite, but 1 of its 2 examples"),
    ],
)
def test_invalid_features_raise(sets, options, message):
    with pytest.raises(ValueError, match=message):
        as_features(*sets, **options)


def test_a_warning_points_to_the_line_that_called_the_metric():
    def metric():
        warn("directly")
        below()

    def below():
        warn("from below", above=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metric()  # both warnings point to this line
    assert [str(w.message) for w in caught] == ["directly", "from below"]
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, caught[0].lineno)}
    assert "both warnings point to" in linecache.getline(__file__, caught[0].lineno)


@pytest.mark.parametrize("result", [np.inf, -np.inf, np.nan])
def test_results_that_are_not_finite_raise(result):
    require_finite(1e308, -1.0)
    with pytest.raises(ValueError, match=r"exceeds the range of float64\. Divide the features of all sets"):
        require_finite(1.0, result)


def test_texts_become_a_list():
    assert as_texts((text for text in ("a", "")), "fake") == ["a", ""]
    with pytest.raises(ValueError, match="`fake` must have at least 3 strings, got 2"):
        as_texts(["a", "b"], "fake", least=3)


def test_series_become_float32():
    real, fake = as_series(np.ones((2, 3, 1), int), np.zeros((4, 3, 1)), least=2)
    assert real.dtype == fake.dtype == np.float32 and len(real) == 2 and len(fake) == 4
    with pytest.raises(
        ValueError, match=r"`fake` must be finite, but 1 .* NaN or infinite values\. The first is number 3"
    ):
        as_series(real, np.where(np.arange(4)[:, None, None] == 3, np.inf, fake), least=1)
    with pytest.raises(ValueError, match="Series must have at least 4 time steps, got 3"):
        as_series(real, fake, least=1, least_steps=4)


def test_known_categories_are_marked():
    assert is_known(np.array(["a", None, False], object)).tolist() == [True, False, True]
