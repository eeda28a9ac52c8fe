"""The kernel distance against its definition written out, and against torch-fidelity's figure."""

import itertools

import numpy as np
import pytest

from jaxgan.metrics import KernelDistance, kernel_distance

RNG = np.random.default_rng(1)


def test_the_definition_written_out():
    """Gretton et al. 2012, equation 3, pair by pair."""
    x, y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 3)) + 1

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    within = [sum(kernel(a, b) for a, b in itertools.permutations(z, 2)) / (7 * 6) for z in (x, y)]
    across = sum(kernel(a, b) for a in x for b in y) / 49
    found = kernel_distance(x, y, subsets=1, size=7)  # one subset of all: whatever its order
    assert found.mean == pytest.approx(sum(within) - 2 * across, rel=1e-12)
    assert found.std == 0


def test_torch_fidelitys_figure():
    """Of the same features, with torch-fidelity 0.4.0's kid_features_to_metric: its draws are these."""
    draws = np.random.RandomState(3)
    x, y = draws.normal(size=(600, 24)), draws.normal(size=(500, 24)) * 0.9 + 0.15
    found = kernel_distance(x, y, subsets=20, size=300)
    assert found == KernelDistance(mean=pytest.approx(0.0834731, abs=1e-6), std=pytest.approx(0.0148437, abs=1e-6))
    other = kernel_distance(x, y, subsets=20, size=300, seed=1)
    assert other.mean != found.mean
    assert abs(other.mean - found.mean) < 3 * found.std


def test_it_has_no_bias():
    """Of two samples of one distribution its mean is 0, and single figures are below as often as above."""
    found = [kernel_distance(*RNG.normal(size=(2, 50, 8)), subsets=1, size=50).mean for _ in range(400)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    assert 0.3 < np.mean(np.array(found) < 0) < 0.7


def test_errors():
    x = RNG.normal(size=(30, 4))
    with pytest.raises(ValueError, match="`size` must be from 2 to 30, the examples of the smaller set, got 1,000"):
        kernel_distance(x, x)
    with pytest.raises(ValueError, match="`subsets` must be at least 1, got 0"):
        kernel_distance(x, x, subsets=0, size=5)
    with pytest.raises(ValueError, match=r"`size` must be from 2 to 30, .* got 1\."):
        kernel_distance(x, x, size=1)
    with pytest.raises(ValueError, match="`y` must be finite, but 30 of its 30 examples"):
        kernel_distance(x, x * np.inf, size=5)
    with pytest.raises(ValueError, match=r"\(30, 4\), \(30, 3\)"):
        kernel_distance(x, x[:, :3], size=5)
    with pytest.warns(UserWarning, match="y: all 30 examples have the same features"):
        kernel_distance(x, np.ones_like(x), size=5)
