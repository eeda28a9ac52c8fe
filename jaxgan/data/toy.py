"""Sample two-dimensional distributions with a known number of modes: float32 [N, 2], approximately within [-1, 1]."""

import numpy as np


def ring(count: int, seed: int = 0, modes: int = 8, radius: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Sample Gaussians with centres on a circle, as in the ring of 8 Gaussians of Metz et al. 2017.

    Args:
      count: number of points.
      seed: seed of the samples.
      modes: number of Gaussians.
      radius: radius of the circle.
      scale: standard deviation of each Gaussian.

    Returns:
      The points, float32 [count, 2].
    """
    return _around(ring_centres(modes, radius), count, seed, scale)


def ring_centres(modes: int = 8, radius: float = 0.8) -> np.ndarray:
    """Return the centres of the modes of ``ring``, [modes, 2].

    Args:
      modes: the number of Gaussians.
      radius: the radius of the circle.
    """
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(count: int, seed: int = 0, side: int = 5, reach: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Sample Gaussians with centres on a square grid, as in the grid of 25 Gaussians of Srivastava et al. 2017.

    Args:
      count: number of points.
      seed: seed of the samples.
      side: number of Gaussians along each axis.
      reach: coordinate of the outermost centres; the grid covers [-reach, reach]^2.
      scale: standard deviation of each Gaussian.

    Returns:
      The points, float32 [count, 2].
    """
    return _around(grid_centres(side, reach), count, seed, scale)


def grid_centres(side: int = 5, reach: float = 0.8) -> np.ndarray:
    """Return the centres of the modes of ``grid``, [side * side, 2].

    Args:
      side: the number of Gaussians along each axis.
      reach: the coordinate of the outermost centres; the grid covers [-reach, reach]^2.
    """
    places = np.linspace(-reach, reach, side)
    return np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)


def _around(centres, count, seed, scale):
    rng = np.random.default_rng(seed)
    chosen = centres[rng.integers(len(centres), size=count)]
    return (chosen + scale * rng.normal(size=(count, 2))).astype(np.float32)


def swiss_roll(count: int, seed: int = 0, scale: float = 0.01) -> np.ndarray:
    """Sample points on a spiral of one and a half turns, as in Gulrajani et al. 2017, figure 1.

    Args:
      count: number of points.
      seed: seed of the samples.
      scale: standard deviation of the Gaussian noise that is added to each point.

    Returns:
      The points, float32 [count, 2].
    """
    rng = np.random.default_rng(seed)
    angles = 1.5 * np.pi * (1 + 2 * rng.uniform(size=count))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * angles[:, None] / (4.5 * np.pi) * 0.9
    return (points + scale * rng.normal(size=(count, 2))).astype(np.float32)
