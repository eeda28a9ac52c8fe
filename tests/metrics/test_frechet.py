"""Tests of the Fréchet distance, with distances that are known in closed form, and with SciPy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg

from jaxgan import metrics
from jaxgan.metrics import frechet_distance, merge_moments, moments
from jaxgan.metrics.moments import Moments

RNG = np.random.default_rng(0)


def standardised(count, dimensions):
    """Return features with a mean of exactly 0 and a covariance that is exactly the identity."""
    x = RNG.normal(size=(count, dimensions))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))).T


def correlated(count, dimensions):
    return RNG.normal(size=(count, dimensions)) @ RNG.normal(size=(dimensions, dimensions)) + RNG.normal(
        size=dimensions
    )


@pytest.mark.parametrize("dimensions", [2, 16, 64])
def test_distance_between_different_means(dimensions):
    x = standardised(200, dimensions)
    assert frechet_distance(x, x + 0.5) == pytest.approx(dimensions * 0.25, rel=1e-9)
    assert frechet_distance(x, x + np.eye(dimensions)[0]) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("dimensions", [2, 16])
def test_distance_between_different_scales(dimensions):
    """The distance between N(0, I) and N(0, s^2 I) is D (s - 1)^2."""
    x, y = standardised(200, dimensions), standardised(50, dimensions)
    assert frechet_distance(x, y) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, 3 * y) == pytest.approx(dimensions * 4, rel=1e-9)


@pytest.mark.parametrize("dimensions", [1, 7, 64])
def test_distance_between_shifted_gaussians(dimensions):
    """The distance between N(0, I) and N(1, I) is D. This is a test of pytorch-fid, tests/test_fid_score.py."""
    x = standardised(500, dimensions)
    assert frechet_distance(x, x + 1) == pytest.approx(dimensions, rel=1e-9)


def test_a_covariance_is_the_scatter_divided_by_count_minus_one():
    found = Moments(5, np.zeros(2), np.array([[8.0, 2.0], [2.0, 4.0]]))
    np.testing.assert_array_equal(found.covariance, [[2.0, 0.5], [0.5, 1.0]])


def test_merged_moments_equal_the_moments_of_all_examples():
    x, y = correlated(300, 12) + 1000, correlated(200, 12)
    parts = (moments(part) for part in np.split(x, [1, 50, 51, 200]))
    whole, merged = moments(x), merge_moments(parts)
    assert merged.count == whole.count == 300
    np.testing.assert_allclose(merged.mean, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(merged.covariance, np.cov(x, rowvar=False), rtol=1e-9, atol=1e-9)
    assert frechet_distance(merged, y) == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_distance(y, merged) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_distance_agrees_with_torch_fidelity():
    """The expected value was computed by fid_features_to_statistics and fid_statistics_to_metric of version 0.4.0."""
    draws = np.random.RandomState(3)
    x, y = draws.normal(size=(600, 24)), draws.normal(size=(500, 24)) * 0.9 + 0.15
    assert frechet_distance(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(1.4335934220, rel=1e-7)


def test_distance_in_one_dimension():
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])  # the variances, with divisor N - 1, are 2 and 4
    assert frechet_distance(x, y) == pytest.approx(2**2 + (2 - np.sqrt(2)) ** 2, rel=1e-12)


@pytest.mark.parametrize(("counts", "dimensions"), [((100, 150), 3), ((400, 300), 40), ((41, 1000), 40)])
def test_distance_agrees_with_the_formula_and_scipys_square_root(counts, dimensions):
    x, y = (correlated(count, dimensions) for count in counts)
    s_x, s_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(s_x @ s_y)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s_x + s_y - 2 * root.real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-8)


@pytest.mark.filterwarnings("ignore:.*is singular")
@pytest.mark.parametrize(("count", "dimensions"), [(100, 10), (10, 100), (2, 5), (2, 1)])
def test_distance_of_a_set_to_itself_is_zero(count, dimensions):
    x = correlated(count, dimensions)
    scale = np.var(x, axis=0).sum()
    assert abs(frechet_distance(x, x)) < 1e-6 * scale
    assert abs(frechet_distance(x, x[::-1])) < 1e-6 * scale


@pytest.mark.filterwarnings("ignore:.*is singular", "ignore:.*equal features")
@pytest.mark.parametrize("counts", [(5, 7), (5, 200), (2, 2)])
def test_singular_covariances_are_supported(counts):
    x, y = (correlated(count, 50) for count in counts)
    distance = frechet_distance(x, y)
    means = np.square(x.mean(0) - y.mean(0)).sum()
    assert np.isfinite(distance)
    assert distance > means  # the covariances differ
    assert frechet_distance(y, x) == pytest.approx(distance, rel=1e-6)
    constant = np.ones((3, 50))
    assert frechet_distance(x, constant) == pytest.approx(np.square(x.mean(0) - 1).sum() + np.var(x, 0, ddof=1).sum())


@pytest.mark.filterwarnings("ignore:.*is singular")
def test_singular_covariances_have_the_known_distance():
    """Both sets vary along a single axis, so the distance is the distance in one dimension."""
    x, y = np.zeros((2, 50)), np.zeros((3, 50))
    x[:, 3], y[:, 3] = [0, 2], [1, 3, 5]
    assert frechet_distance(x, y) == pytest.approx(2**2 + (2 - np.sqrt(2)) ** 2, rel=1e-6)
    y = np.roll(y, 1, axis=1)  # y now varies along another axis than x
    assert frechet_distance(x, y) == pytest.approx(1 + 9 + 2 + 4, rel=1e-6)


def test_float32_features_are_summed_in_float64():
    """With a mean of 1,000 and a deviation of 1, covariances in float32 would lose four of seven digits."""
    x, y = (correlated(500, 8).astype(np.float32) + np.float32(1000) for _ in range(2))
    expected = frechet_distance(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)
    assert isinstance(frechet_distance(x, y), float)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((5, 3), (5, 4)), r"Features must be \[N, D\] with the same D in each set, got shapes \(5, 3\), \(5, 4\)"),
        (((5,), (5,)), r"Features must be \[N, D\]"),
        (((5, 2, 2), (5, 2, 2)), r"Features must be \[N, D\]"),
        (((1, 3), (5, 3)), "`x` must have at least 2 examples, got 1"),
        (((5, 3), (0, 3)), "`y` must have at least 2 examples, got 0"),
    ],
)
def test_invalid_features_raise(shapes, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(*map(np.ones, shapes))


def test_unreliable_features_warn_and_invalid_moments_raise():
    x, few = correlated(100, 20), correlated(20, 20)
    message = "The covariance of the second set is singular, because the set has only 20 examples for 20 dimensions"
    with pytest.warns(UserWarning, match=message) as caught:
        frechet_distance(x, few)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="All 30 examples of the first set have equal features"):
        frechet_distance(np.full((30, 20), 0.1), x)
    x[7, 3] = np.nan
    with pytest.raises(ValueError, match="`x` must be finite, but 1 of its 100 examples have NaN or infinite features"):
        frechet_distance(x, correlated(100, 20))
    with pytest.raises(ValueError, match="All `parts` must have the same number of dimensions, got 1 and 3"):
        merge_moments([moments(correlated(5, 1)), moments(correlated(5, 3))])
    with pytest.raises(ValueError, match="A covariance needs at least 2 examples, got 1"):
        _ = moments(correlated(1, 3)).covariance
    with pytest.raises(ValueError, match="`parts` must contain the moments of at least one set, got none"):
        merge_moments([])
    with pytest.raises(ValueError, match="`x` and `y` must have the same number of dimensions, got 4 and 5"):
        frechet_distance(moments(correlated(9, 4)), moments(correlated(9, 5)))
    with pytest.raises(ValueError, match="`x` and `y` must have at least 2 examples each, got 1 and 9"):
        frechet_distance(moments(correlated(1, 4)), moments(correlated(9, 4)))


def test_kid_and_mifid_are_aliases():
    assert metrics.kid is metrics.kernel_distance
    assert metrics.mifid is metrics.memorisation_informed_distance


def test_gaussian_distance_in_one_dimension():
    """Dowson and Landau 1982: it is (m - n)^2 + (s - t)^2, also if one distribution is a point."""
    for m, s, n, t in ((0.0, 1.0, 3.0, 2.0), (1.0, 0.5, 1.0, 0.5), (2.0, 0.0, 0.0, 1.5)):
        found = metrics.gaussian_distance(np.array([m]), np.array([[s * s]]), np.array([n]), np.array([[t * t]]))
        assert found == pytest.approx((m - n) ** 2 + (s - t) ** 2, abs=1e-12)


SETS = {
    "features": correlated(200, 16),
    "fewer examples than dimensions": correlated(5, 64),
    "two examples": correlated(2, 3),
    "equal examples": np.full((20, 8), 3.7),
    "a line": np.outer(RNG.normal(size=50), RNG.normal(size=8)),
    "a nearly singular set": np.concatenate([correlated(100, 4), 1e-9 * correlated(100, 4)], 1),
    "repeated examples": np.repeat(correlated(10, 8), 4, 0),
    "integers": RNG.integers(0, 255, (40, 8)),
    "a large mean": correlated(300, 64) + 1e6,
    "large features": correlated(50, 8) * 1e8 + 1e12,
    "small features": correlated(50, 8) * 1e-12,
    "zeros": np.zeros((20, 8)),
}


@pytest.mark.filterwarnings("ignore:The covariance of the|All .* examples of the")
@pytest.mark.parametrize("name", SETS)
def test_the_distance_of_a_set_to_itself_is_zero(name):
    x = SETS[name]
    assert frechet_distance(x, x) == 0
    assert metrics.memorisation_informed_distance(x, x) == 0
    assert frechet_distance(x, x[::-1]) >= 0


@pytest.mark.filterwarnings("ignore:The covariance of the")
def test_the_distance_between_singular_sets_agrees_with_a_closed_form():
    """In one dimension of a larger space, it is (m_x - m_y)^2 + (s_x - s_y)^2, here with equal means."""
    line = np.outer(np.linspace(-1, 1, 30), np.eye(50)[3])
    scale = np.std(line[:, 3], ddof=1)
    assert frechet_distance(line, 3 * line) == pytest.approx((2 * scale) ** 2, rel=1e-12)


def test_features_that_exceed_float64_are_refused():
    x = 1e150 * correlated(50, 8)
    for metric in (frechet_distance, lambda x, y: metrics.kernel_distance(x, y, size=50, subsets=1)):
        with pytest.raises(ValueError, match="The features are so large that the result exceeds the range of float64"):
            metric(x, x)


def test_gaussians_of_different_dimensions_are_refused():
    with pytest.raises(
        ValueError, match=r"Means must be \[D\] and covariances \[D, D\].*got the shapes \(2,\), \(2, 2\)"
    ):
        metrics.gaussian_distance(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))
