"""The kernel distance: a squared maximum mean discrepancy, which unlike the Fréchet distance has no bias."""

from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, warn


class KernelDistance(NamedTuple):
    """The distance over random subsets.

    Attributes:
      mean: the estimate; it may be below 0 where the sets are nearly equal.
      std: standard deviation of the subsets' distances, over their number.
    """

    mean: float
    std: float


def kernel_distance(
    x: np.ndarray, y: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> KernelDistance:
    """MMD^2 with the kernel (x.y / D + 1)^3, unbiased. Bińkowski et al. 2018 (1801.01401); Gretton et al. 2012.

    On Inception's features this is the KID. Subsets are drawn as torch-fidelity draws them, so figures agree.

    Args:
      x, y: features, [N, D] and [M, D].
      subsets: number of subsets that are averaged.
      size: number of examples of each set in a subset, drawn without replacement; at least 2.
      seed: seed of the draws.

    Raises:
      ValueError: dimensions differ, a subset is larger than a set, or a feature is not finite.

    Warns:
      UserWarning: all features of a set are the same.
    """
    x, y = as_features(x, y)
    if subsets < 1:
        raise ValueError(f"`subsets` must be at least 1, got {subsets}.")
    largest = min(len(x), len(y))
    if not 2 <= size <= largest:
        raise ValueError(f"`size` must be from 2 to {largest:,}, the examples of the smaller set, got {size:,}.")
    for name, a in (("x", x), ("y", y)):
        if (a == a[:1]).all():
            warn(f"{name}: all {len(a):,} examples have the same features; the distance is that to one point")
    draws = np.random.RandomState(seed)  # the generator behind published figures
    found = [
        _discrepancy(
            x[draws.choice(len(x), size, replace=False)],
            y[draws.choice(len(y), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def _discrepancy(x, y):
    """Gretton et al. 2012, equation 3, for two sets of one size."""
    n = len(x)
    within = [kernel.sum() - np.trace(kernel) for kernel in (_kernel(x, x), _kernel(y, y))]
    return sum(within) / (n * (n - 1)) - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3
