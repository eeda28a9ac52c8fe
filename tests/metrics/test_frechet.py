"""The Fréchet distance against what can be worked out by hand, and against SciPy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg

from jaxgan.metrics import frechet_distance

RNG = np.random.default_rng(0)


def standardised(count, dimensions):
    """Features whose mean is 0 and whose covariance is the identity: exactly, not as expected of a draw."""
    x = RNG.normal(size=(count, dimensions))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T


def correlated(count, dimensions):
    return RNG.normal(size=(count, dimensions)) @ RNG.normal(size=(dimensions, dimensions)) + RNG.normal(
        size=dimensions
    )


@pytest.mark.parametrize("dimensions", [2, 16, 64])
def test_means_apart(dimensions):
    x = standardised(200, dimensions)
    assert frechet_distance(x, x + 0.5) == pytest.approx(dimensions * 0.25, rel=1e-9)
    assert frechet_distance(x, x + np.eye(dimensions)[0]) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("dimensions", [2, 16])
def test_scales_apart(dimensions):
    """Between N(0, I) and N(0, s^2 I): D (s - 1)^2."""
    x, y = standardised(200, dimensions), standardised(50, dimensions)
    assert frechet_distance(x, y) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, 3 * y) == pytest.approx(dimensions * 4, rel=1e-9)


def test_one_dimension():
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])  # variances over N - 1: 2 and 4
    assert frechet_distance(x, y) == pytest.approx(2**2 + (2 - np.sqrt(2)) ** 2, rel=1e-12)


@pytest.mark.parametrize(("counts", "dimensions"), [((100, 150), 3), ((400, 300), 40), ((41, 1000), 40)])
def test_the_papers_formula_with_scipys_root(counts, dimensions):
    x, y = (correlated(count, dimensions) for count in counts)
    s_x, s_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(s_x @ s_y)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s_x + s_y - 2 * root.real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("count", "dimensions"), [(100, 10), (10, 100), (2, 5), (2, 1)])
def test_zero_on_itself(count, dimensions):
    x = correlated(count, dimensions)
    scale = np.var(x, axis=0).sum()
    assert abs(frechet_distance(x, x)) < 1e-6 * scale
    assert abs(frechet_distance(x, x[::-1])) < 1e-6 * scale


@pytest.mark.parametrize("counts", [(5, 7), (5, 200), (2, 2)])
def test_singular_covariances(counts):
    x, y = (correlated(count, 50) for count in counts)
    distance = frechet_distance(x, y)
    means = np.square(x.mean(0) - y.mean(0)).sum()
    assert np.isfinite(distance)
    assert distance > means  # the covariances differ
    assert frechet_distance(y, x) == pytest.approx(distance, rel=1e-6)
    constant = np.ones((3, 50))
    assert frechet_distance(x, constant) == pytest.approx(np.square(x.mean(0) - 1).sum() + np.var(x, 0, ddof=1).sum())


def test_singular_covariances_by_hand():
    """Both vary along one axis alone, so that their other 49 are those of one dimension's case: nothing."""
    x, y = np.zeros((2, 50)), np.zeros((3, 50))
    x[:, 3], y[:, 3] = [0, 2], [1, 3, 5]
    assert frechet_distance(x, y) == pytest.approx(2**2 + (2 - np.sqrt(2)) ** 2, rel=1e-6)
    y = np.roll(y, 1, axis=1)  # along another axis: nothing in common
    assert frechet_distance(x, y) == pytest.approx(1 + 9 + 2 + 4, rel=1e-6)


def test_float32_features_are_summed_in_float64():
    """A mean of 1,000 and a deviation of 1: in float32, the covariances would have lost four digits of seven."""
    x, y = (correlated(500, 8).astype(np.float32) + np.float32(1000) for _ in range(2))
    expected = frechet_distance(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)
    assert isinstance(frechet_distance(x, y), float)


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        (((5, 3), (5, 4)), r"features of shapes \(5, 3\) and \(5, 4\): want \[N, D\] and \[M, D\]"),
        (((5,), (5,)), r"want \[N, D\]"),
        (((5, 2, 2), (5, 2, 2)), r"want \[N, D\]"),
        (((1, 3), (5, 3)), "1 and 5 examples: a covariance needs 2 of each"),
        (((5, 3), (0, 3)), "5 and 0 examples"),
    ],
)
def test_errors(shapes, told):
    with pytest.raises(ValueError, match=told):
        frechet_distance(*map(np.ones, shapes))
