"""Draw points in the plane as images."""

import numpy as np

REACH = 1.2  # an image shows the square [-1.2, 1.2]^2


def render_points(points: np.ndarray, size: int = 256) -> np.ndarray:
    """Return a scatter plot of the points in the square [-1.2, 1.2]^2, black on white, uint8 [size, size, 1].

    The second coordinate points up. Points outside of the square are not drawn.

    Args:
      points: the coordinates of the points, [N, 2].
      size: height and width of the image in pixels.

    Raises:
      ValueError: if ``points`` has another shape.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"`points` must be [N, 2], got shape {points.shape}.")
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], size, [[-REACH, REACH], [-REACH, REACH]])
    return np.where(counts[::-1] > 0, 0, 255).astype(np.uint8)[..., None]
