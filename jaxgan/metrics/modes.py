"""Count how many modes of a known distribution are covered by samples, to measure mode collapse."""

from typing import NamedTuple

import numpy as np


class Modes(NamedTuple):
    """The coverage of modes.

    Attributes:
      covered: number of modes with at least one accepted sample.
      accepted: fraction of samples that belong to a mode.
      divergence: KL divergence between the distribution of the accepted samples over the modes and the uniform
        distribution, in nats; infinite if no sample is accepted.
    """

    covered: int
    accepted: float
    divergence: float


def count_modes(modes: np.ndarray, count: int) -> Modes:
    """Return the coverage of modes by samples.

    For example, Metz et al. 2017 count the modes of stacked digits, which have 1,000 modes. Srivastava et al. 2017 use
    26,000 samples for this.

    Args:
      modes: the mode of each sample, [N], from 0 to ``count - 1``; -1 for a sample that belongs to no mode.
      count: number of modes.

    Raises:
      ValueError: if ``modes`` has another shape, or if a number is out of range.
    """
    modes = np.asarray(modes)
    if modes.ndim != 1 or not len(modes):
        raise ValueError(f"`modes` must have one number for each sample, [N] with N > 0, got shape {modes.shape}.")
    if not -1 <= modes.min() <= modes.max() < count:
        raise ValueError(
            f"`modes` must be from -1 (no mode) to {count - 1}, got numbers from {modes.min()} to {modes.max()}."
        )
    hits = np.bincount(modes[modes >= 0], minlength=count)
    if not hits.sum():
        return Modes(0, 0.0, float("inf"))
    shares = hits[hits > 0] / hits.sum()
    return Modes(int((hits > 0).sum()), float((modes >= 0).mean()), float((shares * np.log(shares * count)).sum()))


def nearest_modes(points: np.ndarray, centres: np.ndarray, reach: float) -> np.ndarray:
    """Return the index of the nearest centre of each point, [N]; -1 if the distance exceeds ``reach``.

    Args:
      points: [N, D].
      centres: [M, D].
      reach: largest distance at which a point belongs to a mode. Srivastava et al. 2017 use three standard deviations,
        which contain 98.9 % of a Gaussian in the plane.
    """
    distances = np.linalg.norm(np.asarray(points, np.float64)[:, None] - centres[None], axis=-1)
    return np.where(distances.min(1) <= reach, distances.argmin(1), -1)
