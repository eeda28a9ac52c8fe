"""Two-dimensional distributions whose modes can be counted: float32 arrays [N, 2], within [-1, 1]."""

import numpy as np


def ring(count: int, seed: int = 0, modes: int = 8, radius: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Gaussians of standard deviation ``scale`` on a circle: the ring of 8 of Metz et al. 2017."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * rng.integers(modes, size=count) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return (centres + scale * rng.normal(size=(count, 2))).astype(np.float32)


def grid(count: int, seed: int = 0, side: int = 5, reach: float = 0.8, scale: float = 0.01) -> np.ndarray:
    """Gaussians on a square grid of side x side: the grid of 25 of Srivastava et al. 2017."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(-reach, reach, side)[rng.integers(side, size=(count, 2))]
    return (centres + scale * rng.normal(size=(count, 2))).astype(np.float32)


def swiss_roll(count: int, seed: int = 0, scale: float = 0.01) -> np.ndarray:
    """A spiral of one and a half turns, as in Gulrajani et al. 2017, figure 1."""
    rng = np.random.default_rng(seed)
    angles = 1.5 * np.pi * (1 + 2 * rng.uniform(size=count))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * angles[:, None] / (4.5 * np.pi) * 0.9
    return (points + scale * rng.normal(size=(count, 2))).astype(np.float32)
