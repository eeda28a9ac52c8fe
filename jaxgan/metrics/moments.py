"""Means and covariances of features, which need not be in memory at once."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from jaxgan.metrics.checks import as_features


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """The first two moments of a set of features, float64.

    Attributes:
      count: number of examples.
      mean: [D].
      scatter: sum of (x - mean)(x - mean)^T, [D, D].
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """The covariance over ``count - 1``, [D, D].

        Raises:
          ValueError: there are fewer than 2 examples.
        """
        if self.count < 2:
            raise ValueError(f"A covariance needs 2 examples, got {self.count}.")
        return self.scatter / (self.count - 1)


def moments(features: np.ndarray) -> Moments:
    """The moments of one set of features, [N, D].

    Raises:
      ValueError: the set has another shape, is empty, or is not finite.
    """
    (x,) = as_features(features, least=1)
    mean = x.mean(0)
    centred = x - mean[None]
    return Moments(len(x), mean, centred.T @ centred)


def merge_moments(parts: Iterable[Moments]) -> Moments:
    """The moments of the union of sets. Chan, Golub and LeVeque 1983.

    Args:
      parts: the sets' moments, which are read one by one; a generator may yield any number of them.

    Raises:
      ValueError: there are no parts, or dimensions differ.
    """
    whole = None
    for part in parts:
        whole = part if whole is None else _merge_two(whole, part)
    if whole is None:
        raise ValueError("There are no moments to merge, because there were no features.")
    return whole


def _merge_two(a: Moments, b: Moments) -> Moments:
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"Moments of {len(a.mean)} and {len(b.mean)} dimensions cannot be merged.")
    count, difference = a.count + b.count, b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(difference, difference) * (a.count * b.count / count)
    return Moments(count, a.mean + difference * (b.count / count), scatter)
