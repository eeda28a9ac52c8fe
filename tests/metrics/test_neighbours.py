"""Tests of the metrics of nearest neighbours, with known results on a line, with prdc, and with torch-fidelity."""

import numpy as np
import pytest

from jaxgan.metrics import (
    DensityCoverage,
    PrecisionRecall,
    authenticity,
    density_coverage,
    memorisation,
    nearest_distances,
    neighbours,
    precision_recall,
)

RNG = np.random.default_rng(2)


def line(*points):
    return np.array(points, float)[:, None]


@pytest.fixture
def gaussians():
    draws = np.random.RandomState(3)
    return draws.normal(size=(600, 24)), draws.normal(size=(500, 24)) * 0.9 + 0.15


def test_precision_recall_density_and_coverage_on_a_line():
    """For real examples at 0, 1 and 3 and k = 1, the balls are [-1, 1], [0, 2] and [1, 5]."""
    real, fake = line(0, 1, 3), line(-0.5, 1.5, 7, 8)  # balls of fakes: [-2.5, 1.5], [-0.5, 3.5], [6, 8], [7, 9]
    assert precision_recall(real, fake, k=1) == PrecisionRecall(precision=2 / 4, recall=3 / 3)
    # The fake -0.5 is in one ball of a real example, and 1.5 is in two.
    assert density_coverage(real, fake, k=1) == DensityCoverage(density=3 / 4, coverage=3 / 3)
    assert density_coverage(real, line(4.5, 4.6), k=1).coverage == 1 / 3
    # For k = 2, the balls of real examples are [-3, 3], [-1, 3] and [0, 6].
    assert density_coverage(real, fake, k=2).density == pytest.approx((2 + 3) / (2 * 4))


def test_metrics_agree_with_torch_fidelity_and_prdc(gaussians):
    """The expected values are from prc_features_to_metric of torch-fidelity 0.4.0 and compute_prdc of prdc 0.2."""
    real, fake = gaussians
    assert precision_recall(real, fake) == pytest.approx((0.846, 0.5066667), abs=1e-6)
    assert precision_recall(real, fake, k=5) == pytest.approx((0.894, 0.6316667), abs=1e-6)
    assert density_coverage(real, fake) == pytest.approx((1.6444, 0.98), abs=1e-6)


def test_results_do_not_depend_on_the_number_of_rows_at_a_time(gaussians, monkeypatch):
    real, fake = gaussians
    whole = precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)
    monkeypatch.setattr(neighbours, "ROWS", 7)
    assert (precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)) == whole


def test_copies_are_distinguished_from_new_samples():
    train, held_out, fake = RNG.normal(size=(3, 400, 6))
    copies = train + 1e-3 * RNG.normal(size=train.shape)
    assert 0.4 < memorisation(train, held_out, fake) < 0.6
    assert memorisation(train, held_out, copies) == 1
    assert memorisation(train, held_out, held_out) == 0
    assert memorisation(train, train, train) == 0.5  # all distances are equal
    assert authenticity(train, copies) == 0
    assert authenticity(train, fake) > 0.4
    assert authenticity(train, np.concatenate([copies, fake])) == pytest.approx(authenticity(train, fake) / 2)


def test_authenticity_on_a_line():
    """For training examples at 0, 1 and 5, the distances to the nearest other ones are 1, 1 and 4."""
    # The distance from 2.5 to 1 is 1.5, and the distance from 10 to 5 is 5.
    assert authenticity(line(0, 1, 5), line(-0.9, 2.5, 8, 10)) == 2 / 4
    assert authenticity(line(0, 0, 5, 5), line(0, 5)) == 0  # copies of examples that occur twice are copies


def test_nearest_distances_are_euclidean():
    x, y = RNG.normal(size=(40, 5)) + 1e3, RNG.normal(size=(30, 5)) + 1e3
    expected = np.sqrt(np.square(x[:, None] - y[None]).sum(-1)).min(1)
    np.testing.assert_allclose(nearest_distances(x, y), expected, rtol=1e-6)
    assert (nearest_distances(x, np.concatenate([y, x])) == 0).all()  # the distance of a copy has no rounding error


def test_invalid_features_raise_and_copies_warn():
    x = RNG.normal(size=(5, 3))
    with pytest.raises(ValueError, match="`real` must have at least 4 examples, got 3"):
        precision_recall(x[:3], x)
    with pytest.raises(ValueError, match="`real` must have at least 6 examples, got 5"):
        density_coverage(x, x)
    with pytest.raises(ValueError, match="`k` must be at least 1, got 0"):
        precision_recall(x, x, k=0)
    with pytest.raises(ValueError, match="`fake` must be finite, but 1 of its 5 examples"):
        precision_recall(x, np.where(np.arange(5)[:, None] == 1, np.nan, x))
    with pytest.raises(ValueError, match=r"`x` must be an array of real numbers, \[N, D\], got complex128"):
        nearest_distances(x + 1j, x)
    message = "The nearest neighbours of 5 of 5 examples of `fake` are only copies"
    with pytest.warns(UserWarning, match=message) as caught:
        precision_recall(x, np.ones((5, 3)))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("offset", [0, 1e4, 1e7])
def test_a_common_offset_does_not_change_the_result(offset):
    """The precision is the precision of the features in float64."""
    real, fake = RNG.normal(size=(2, 200, 5))
    at_zero = precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)
    real, fake = real + offset, fake + offset
    assert (precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)) == at_zero
    far = np.concatenate([real, real + 1e7])  # two clusters at a large distance from their common centre
    assert precision_recall(far, fake, k=3).precision == at_zero[0].precision


def test_fewer_held_out_than_training_examples_warn():
    train, held_out = np.sort(RNG.normal(size=(500, 1)), 0), np.sort(RNG.normal(size=(100, 1)), 0)
    with pytest.warns(UserWarning, match="Only 100 of the 500 examples of `train` are used, the same number as in"):
        assert 0.35 < memorisation(train, held_out, RNG.normal(size=(1000, 1))) < 0.65
