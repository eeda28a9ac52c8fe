"""Means and covariances of features that need not be in memory at once."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from jaxgan.metrics.checks import as_features


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """What the Fréchet distance needs of a set of features, float64.

    Attributes:
      count: examples.
      mean: [D].
      scatter: the sum of (x - mean)(x - mean)^T, [D, D].
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Over ``count - 1``, [D, D]."""
        if self.count < 2:
            raise ValueError(f"{self.count} example: a covariance needs 2")
        return self.scatter / (self.count - 1)


def moments(features: np.ndarray) -> Moments:
    """Of one set, [N, D].

    Raises:
      ValueError: it is of another shape, empty, or not finite.
    """
    (x,) = as_features(features, least=1)
    mean = x.mean(0)
    centred = x - mean[None]
    return Moments(len(x), mean, centred.T @ centred)


def merge(parts: Iterable[Moments]) -> Moments:
    """Of the union of sets; one by one, so a generator of any length does. Chan, Golub and LeVeque 1983.

    Raises:
      ValueError: there are no parts.
    """
    whole = None
    for part in parts:
        whole = part if whole is None else _both(whole, part)
    if whole is None:
        raise ValueError("no moments to merge: there were no features")
    return whole


def _both(a: Moments, b: Moments) -> Moments:
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"moments of {len(a.mean)} and of {len(b.mean)} dimensions cannot be merged")
    count, apart = a.count + b.count, b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(apart, apart) * (a.count * b.count / count)
    return Moments(count, a.mean + apart * (b.count / count), scatter)
