"""Points in the plane as pictures."""

import numpy as np

REACH = 1.2  # a picture shows [-1.2, 1.2]^2


def render_points(points: np.ndarray, size: int = 256) -> np.ndarray:
    """A scatter plot of points, [N, 2], over [-1.2, 1.2]^2: black on white, uint8 [size, size, 1]; y points up.

    Points that lie outside are left out.

    Raises:
      ValueError: ``points`` has another shape.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"`points` must be [N, 2], got shape {points.shape}.")
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], size, [[-REACH, REACH], [-REACH, REACH]])
    return np.where(counts[::-1] > 0, 0, 255).astype(np.uint8)[..., None]
