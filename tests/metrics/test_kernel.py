"""Tests of the kernel distance, with its definition as loops, and with torch-fidelity."""

import itertools

import numpy as np
import pytest

from jaxgan.metrics import KernelDistance, kernel_distance

RNG = np.random.default_rng(1)


def test_the_distance_agrees_with_its_definition():
    """The definition is equation 3 of Gretton et al. 2012, computed pair by pair."""
    x, y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 3)) + 1

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    within = [sum(kernel(a, b) for a, b in itertools.permutations(z, 2)) / (7 * 6) for z in (x, y)]
    across = sum(kernel(a, b) for a in x for b in y) / 49
    found = kernel_distance(x, y, subsets=1, size=7)  # a single subset that contains all examples
    assert found.mean == pytest.approx(sum(within) - 2 * across, rel=1e-12)
    assert found.std == 0


def test_the_distance_agrees_with_torch_fidelity():
    """The expected value was computed by kid_features_to_metric of version 0.4.0, which draws the same subsets."""
    draws = np.random.RandomState(3)
    x, y = draws.normal(size=(600, 24)), draws.normal(size=(500, 24)) * 0.9 + 0.15
    found = kernel_distance(x, y, subsets=20, size=300)
    assert found == KernelDistance(mean=pytest.approx(0.0834731, abs=1e-6), std=pytest.approx(0.0148437, abs=1e-6))
    other = kernel_distance(x, y, subsets=20, size=300, seed=1)
    assert other.mean != found.mean
    assert abs(other.mean - found.mean) < 3 * found.std


def test_the_distance_is_unbiased():
    """For two sets from the same distribution, the mean is 0, and about half of the distances are negative."""
    found = [kernel_distance(*RNG.normal(size=(2, 50, 8)), subsets=1, size=50).mean for _ in range(400)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    assert 0.3 < np.mean(np.array(found) < 0) < 0.7


def test_invalid_arguments_raise_and_equal_features_warn():
    x = RNG.normal(size=(30, 4))
    with pytest.raises(ValueError, match="from 2 to 30, the number of examples of the smaller set, got 1,000"):
        kernel_distance(x, x)
    with pytest.raises(ValueError, match="`subsets` must be at least 1, got 0"):
        kernel_distance(x, x, subsets=0, size=5)
    with pytest.raises(ValueError, match=r"`size` must be from 2 to 30, .* got 1\."):
        kernel_distance(x, x, size=1)
    with pytest.raises(ValueError, match="`y` must be finite, but 30 of its 30 examples"):
        kernel_distance(x, x * np.inf, size=5)
    with pytest.raises(ValueError, match=r"\(30, 4\), \(30, 3\)"):
        kernel_distance(x, x[:, :3], size=5)
    with pytest.warns(UserWarning, match="All 30 examples of the second set have equal features"):
        kernel_distance(x, np.ones_like(x), size=5)


def test_the_unbiased_distance_of_a_set_to_itself_is_not_positive():
    x = np.random.default_rng(0).normal(size=(60, 8))
    assert kernel_distance(x, x, size=60, subsets=1).mean < 0
