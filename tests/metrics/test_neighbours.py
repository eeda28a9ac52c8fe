"""Metrics of nearest neighbours: by hand, on a line; against prdc and torch-fidelity; and of what is copied."""

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


def test_by_hand():
    """Reals at 0, 1, 3: with k = 1 their balls are [-1, 1], [0, 2] and [1, 5]."""
    real, fake = line(0, 1, 3), line(-0.5, 1.5, 7, 8)  # fakes' balls: [-2.5, 1.5], [-0.5, 3.5], [6, 8], [7, 9]
    assert precision_recall(real, fake, k=1) == PrecisionRecall(precision=2 / 4, recall=3 / 3)
    # -0.5 is in one ball, 1.5 in two.
    assert density_coverage(real, fake, k=1) == DensityCoverage(density=3 / 4, coverage=3 / 3)
    assert density_coverage(real, line(4.5, 4.6), k=1).coverage == 1 / 3
    assert density_coverage(real, fake, k=2).density == pytest.approx(
        (2 + 3) / (2 * 4)
    )  # balls [-3, 3], [-1, 3], [0, 6]


def test_figures_of_others(gaussians):
    """Of the same features: torch-fidelity 0.4.0's prc_features_to_metric, k = 3; compute_prdc of prdc 0.2, k = 5."""
    real, fake = gaussians
    assert precision_recall(real, fake) == pytest.approx((0.846, 0.5066667), abs=1e-6)
    assert precision_recall(real, fake, k=5) == pytest.approx((0.894, 0.6316667), abs=1e-6)
    assert density_coverage(real, fake) == pytest.approx((1.6444, 0.98), abs=1e-6)


def test_few_rows_at_a_time_are_all_at_once(gaussians, monkeypatch):
    real, fake = gaussians
    whole = precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)
    monkeypatch.setattr(neighbours, "ROWS", 7)
    assert (precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)) == whole


def test_what_repeats_is_told_from_what_generalises():
    train, held_out, fake = RNG.normal(size=(3, 400, 6))
    copies = train + 1e-3 * RNG.normal(size=train.shape)
    assert 0.4 < memorisation(train, held_out, fake) < 0.6
    assert memorisation(train, held_out, copies) == 1
    assert memorisation(train, held_out, held_out) == 0
    assert memorisation(train, train, train) == 0.5  # all as near to the one as to the other
    assert authenticity(train, copies) == 0
    assert authenticity(train, fake) > 0.4
    assert authenticity(train, np.concatenate([copies, fake])) == pytest.approx(authenticity(train, fake) / 2)


def test_authenticity_by_hand():
    """Training examples at 0, 1, 5: the nearest others are 1, 1 and 4 away."""
    assert authenticity(line(0, 1, 5), line(-0.9, 2.5, 8, 10)) == 2 / 4  # 2.5 is 1.5 from 1, and 10 is 5 from 5
    assert authenticity(line(0, 0, 5, 5), line(0, 5)) == 0  # copies of what occurs twice are copies


def test_distances():
    x, y = RNG.normal(size=(40, 5)) + 1e3, RNG.normal(size=(30, 5)) + 1e3
    expected = np.sqrt(np.square(x[:, None] - y[None]).sum(-1)).min(1)
    np.testing.assert_allclose(nearest_distances(x, y), expected, rtol=1e-6)
    assert (nearest_distances(x, np.concatenate([y, x])) == 0).all()  # a copy's is nothing, not rounding


def test_errors():
    x = RNG.normal(size=(5, 3))
    with pytest.raises(ValueError, match="`real` must have at least 4 examples, got 3"):
        precision_recall(x[:3], x)
    with pytest.raises(ValueError, match="`real` must have at least 6 examples, got 5"):
        density_coverage(x, x)
    with pytest.raises(ValueError, match="`k` must be at least 1, got 0"):
        precision_recall(x, x, k=0)
    with pytest.raises(ValueError, match="`fake` must be finite, but 1 of its 5 examples"):
        precision_recall(x, np.where(np.arange(5)[:, None] == 1, np.nan, x))
    with pytest.raises(ValueError, match=r"`x` must be real numbers, \[N, D\], got complex128"):
        nearest_distances(x + 1j, x)
    with pytest.warns(UserWarning, match="fake: 5 of 5 examples have only copies for neighbours") as told:
        precision_recall(x, np.ones((5, 3)))
    assert told[0].filename == __file__


@pytest.mark.parametrize("offset", [0, 1e4, 1e7])
def test_what_all_have_in_common_does_not_matter(offset):
    """Precisely as far as float64 holds the features themselves."""
    real, fake = RNG.normal(size=(2, 200, 5))
    at_zero = precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)
    real, fake = real + offset, fake + offset
    assert (precision_recall(real, fake), density_coverage(real, fake), authenticity(real, fake)) == at_zero
    far = np.concatenate([real, real + 1e7])  # two clusters, far from their common centre
    assert precision_recall(far, fake, k=3).precision == at_zero[0].precision


def test_more_training_examples_than_held_out():
    train, held_out = np.sort(RNG.normal(size=(500, 1)), 0), np.sort(RNG.normal(size=(100, 1)), 0)
    with pytest.warns(UserWarning, match="train: only 100 of 500 examples are used, as many as are held out"):
        assert 0.35 < memorisation(train, held_out, RNG.normal(size=(1000, 1))) < 0.65
