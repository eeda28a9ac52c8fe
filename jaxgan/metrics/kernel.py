"""The kernel distance, a squared maximum mean discrepancy. The estimate of this distance is unbiased."""

from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, require_finite, warn


class KernelDistance(NamedTuple):
    """The kernel distance over random subsets.

    Attributes:
      mean: the estimate of the distance. It is unbiased, so it may be negative if the sets are nearly equal.
      std: standard deviation of the distances of the subsets (divisor: number of subsets).
    """

    mean: float
    std: float


def kernel_distance(
    x: np.ndarray, y: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> KernelDistance:
    """Return the kernel distance between two sets of features. Bińkowski et al. 2018 (1801.01401); Gretton et al. 2012.

    The distance is an unbiased estimate of the squared maximum mean discrepancy, MMD^2, with the kernel
    (x.y / D + 1)^3. With features of Inception, the distance is the KID. Subsets are drawn as in torch-fidelity, so
    that results agree.

    An unbiased estimate of 0 is negative about as often as it is positive. The distance of a set to itself is negative,
    because the estimate omits the similarity of each example to itself within a set, but not between the two sets.

    Args:
      x, y: features, [N, D] and [M, D].
      subsets: number of subsets over which the distance is averaged.
      size: number of examples that are drawn from each set for a subset, without replacement; at least 2.
      seed: seed of the subsets.

    Raises:
      ValueError: if dimensions differ, if a subset is larger than a set, or if a feature is not finite.

    Warns:
      UserWarning: if all examples of a set are equal.
    """
    x, y = as_features(x, y)
    if subsets < 1:
        raise ValueError(f"`subsets` must be at least 1, got {subsets}.")
    largest = min(len(x), len(y))
    if not 2 <= size <= largest:
        raise ValueError(
            f"`size` must be from 2 to {largest:,}, the number of examples of the smaller set, got {size:,}."
        )
    for order, a in (("first", x), ("second", y)):
        if (a == a[:1]).all():
            warn(f"All {len(a):,} examples of the {order} set have equal features, so the set counts as one point.")
    draws = np.random.RandomState(seed)  # published results use this generator
    with np.errstate(over="ignore", invalid="ignore"):
        found = [
            _discrepancy(
                x[draws.choice(len(x), size, replace=False)],
                y[draws.choice(len(y), size, replace=False)],
            )
            for _ in range(subsets)
        ]
        require_finite(*found)
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def _discrepancy(x, y):
    """Return the unbiased estimate of Gretton et al. 2012, equation 3, for two sets of the same size."""
    n = len(x)
    within = [kernel.sum() - np.trace(kernel) for kernel in (_kernel(x, x), _kernel(y, y))]
    return sum(within) / (n * (n - 1)) - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # numpy's power takes several times as long
