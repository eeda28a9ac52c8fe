"""Two-dimensional distributions with modes that can be counted: float32 arrays [N, 2], within [-1, 1]."""

import numpy as np


def ring(count: int, seed: int = 0, modes: int = 8, radius: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Gaussians of standard deviation ``scale`` on a circle: the ring of 8 of Metz et al. 2017."""
    return _around(ring_centres(modes, radius), count, seed, scale)


def ring_centres(modes: int = 8, radius: float = 0.8) -> np.ndarray:
    """The modes of ``ring``, [modes, 2]."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(count: int, seed: int = 0, side: int = 5, reach: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Gaussians on a square grid of side x side: the grid of 25 of Srivastava et al. 2017."""
    return _around(grid_centres(side, reach), count, seed, scale)


def grid_centres(side: int = 5, reach: float = 0.8) -> np.ndarray:
    """The modes of ``grid``, [side * side, 2]."""
    places = np.linspace(-reach, reach, side)
    return np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)


def _around(centres, count, seed, scale):
    rng = np.random.default_rng(seed)
    chosen = centres[rng.integers(len(centres), size=count)]
    return (chosen + scale * rng.normal(size=(count, 2))).astype(np.float32)


def swiss_roll(count: int, seed: int = 0, scale: float = 0.01) -> np.ndarray:
    """A spiral of one and a half turns, as in Gulrajani et al. 2017, figure 1."""
    rng = np.random.default_rng(seed)
    angles = 1.5 * np.pi * (1 + 2 * rng.uniform(size=count))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * angles[:, None] / (4.5 * np.pi) * 0.9
    return (points + scale * rng.normal(size=(count, 2))).astype(np.float32)
