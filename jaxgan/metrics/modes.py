"""How many modes of a known distribution samples reach, which measures mode collapse."""

from typing import NamedTuple

import numpy as np


class Modes(NamedTuple):
    """Counts of modes.

    Attributes:
      covered: number of modes with at least one accepted sample.
      accepted: share of samples that belong to a mode.
      divergence: KL divergence in nats of the accepted samples' distribution over modes from the uniform one.
    """

    covered: int
    accepted: float
    divergence: float


def count_modes(modes: np.ndarray, count: int) -> Modes:
    """The modes that samples reach.

    Metz et al. 2017 count the 1,000 modes of stacked digits; Srivastava et al. 2017 draw 26,000 samples for it.

    Args:
      modes: the mode of each sample, [N], from 0 to ``count - 1``; -1 for a sample of no mode.
      count: number of modes.

    Raises:
      ValueError: ``modes`` has another shape, or a number out of range.
    """
    modes = np.asarray(modes)
    if modes.ndim != 1 or not len(modes):
        raise ValueError(f"`modes` must have one number for each sample, [N], got shape {modes.shape}.")
    if not -1 <= modes.min() <= modes.max() < count:
        raise ValueError(f"`modes` must be from -1, for none, to {count - 1}, got {modes.min()} to {modes.max()}.")
    hits = np.bincount(modes[modes >= 0], minlength=count)
    if not hits.sum():
        return Modes(0, 0.0, float("inf"))
    shares = hits[hits > 0] / hits.sum()
    return Modes(int((hits > 0).sum()), float((modes >= 0).mean()), float((shares * np.log(shares * count)).sum()))


def nearest_modes(points: np.ndarray, centres: np.ndarray, reach: float) -> np.ndarray:
    """The index of the nearest centre of each point, [N]; -1 where none is within ``reach``.

    Args:
      points: [N, D].
      centres: [M, D].
      reach: Srivastava et al. 2017 take three standard deviations, which hold 98.9 % of a Gaussian in the plane.
    """
    distances = np.linalg.norm(np.asarray(points, np.float64)[:, None] - centres[None], axis=-1)
    return np.where(distances.min(1) <= reach, distances.argmin(1), -1)
