"""Compute means and covariances of sets of features that can be too large to be in memory at once."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from jaxgan.metrics.checks import as_features


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """The first two moments of a set of features, in float64.

    Attributes:
      count: number of examples.
      mean: mean of the features, [D].
      scatter: sum of (x - mean)(x - mean)^T over the examples, [D, D].
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """The covariance with the divisor ``count - 1``, [D, D].

        Raises:
          ValueError: if there are fewer than 2 examples.
        """
        if self.count < 2:
            raise ValueError(f"A covariance needs at least 2 examples, got {self.count}.")
        return self.scatter / (self.count - 1)


def moments(features: np.ndarray) -> Moments:
    """Return the moments of a set of features, [N, D].

    Raises:
      ValueError: if the set has another shape, is empty, or is not finite.
    """
    (x,) = as_features(features, least=1)
    mean = x.mean(0)
    centred = x - mean[None]
    return Moments(len(x), mean, centred.T @ centred)


def merge_moments(parts: Iterable[Moments]) -> Moments:
    """Return the moments of the union of several sets. Chan, Golub and LeVeque 1983.

    Args:
      parts: the moments of the sets. They are read one after the other, so a generator can yield any number of them.

    Raises:
      ValueError: if there are no parts, or if dimensions differ.
    """
    whole = None
    for part in parts:
        whole = part if whole is None else _merge_two(whole, part)
    if whole is None:
        raise ValueError("`parts` must contain the moments of at least one set, got none.")
    return whole


def _merge_two(a: Moments, b: Moments) -> Moments:
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"All `parts` must have the same number of dimensions, got {len(a.mean)} and {len(b.mean)}.")
    count, difference = a.count + b.count, b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(difference, difference) * (a.count * b.count / count)
    return Moments(count, a.mean + difference * (b.count / count), scatter)
