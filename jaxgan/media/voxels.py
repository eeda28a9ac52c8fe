"""Voxels as pictures: solids seen from the side and a little from above, shaded, by NumPy alone."""

import numpy as np

ELEVATION = 25.0  # degrees that the eye is above the horizon
TURN, FRAMES_PER_TURN = 30.0, 48
REACH = 0.75  # half of a picture's width, in sides of the cube; the corners of a full cube are cut off


def render_solids(
    voxels: np.ndarray,
    size: int | None = None,
    turn: float | np.ndarray = TURN,
    up_axis: int = 2,
    threshold: float = 0.0,
) -> np.ndarray:
    """Pictures of solids in parallel projection, all from one side or each from its own.

    Every ray passes the faces between voxels in their exact order; the first solid voxel is seen. Its brightness
    depends on the angle of its face to the light, and on its distance.

    Args:
      voxels: [N, n, n, n] or [N, n, n, n, 1]; solid where above ``threshold``.
      size: height and width of the pictures in pixels; by default 64, or twice the cube's side if that is more.
      turn: degrees that solids are turned by about the vertical axis, one number for all or [N].
      up_axis: the axis that points up, 0, 1 or 2.
      threshold: the middle of the range, 0 where -1 is empty and 1 is solid.

    Returns:
      Grey images [N, size, size, 1], float32 in [-1, 1], the background white.

    Raises:
      ValueError: ``voxels`` has another shape.
    """
    voxels = np.asarray(voxels)
    cubes = voxels[..., 0] if voxels.ndim == 5 and voxels.shape[-1] == 1 else voxels
    if cubes.ndim != 4 or len(set(cubes.shape[1:])) > 1:
        raise ValueError(f"`voxels` must be cubes, [N, n, n, n] or [N, n, n, n, 1], got shape {voxels.shape}.")
    count, n = cubes.shape[:2]
    size = size or max(64, 2 * n)
    # The vertical axis becomes the last; the order of the others keeps left and right.
    cubes = (cubes > threshold).transpose(0, 1 + (up_axis + 1) % 3, 1 + (up_axis + 2) % 3, 1 + up_axis)
    turns = np.broadcast_to(np.asarray(turn, np.float64) % 360, (count,))
    images = np.empty((count, size, size, 1), np.float32)
    for angle in np.unique(turns):
        cells, tones = _rays(n, size, float(angle))
        for i in np.flatnonzero(turns == angle):
            # One more voxel, always empty, stands for the outside of the cube.
            solid = np.append(cubes[i].ravel(), False)[cells]
            first = solid.argmax(-1)[..., None]
            hit = np.take_along_axis(solid, first, -1)
            images[i] = np.where(hit, np.take_along_axis(tones, first, -1), 1.0)
    return images


def render_turning(voxels: np.ndarray, size: int = 128, up_axis: int = 2) -> np.ndarray:
    """Frames of an animation of turning solids, one for each cube: [T, n, n, n, 1] to [T, size, size, 1]."""
    frames = np.arange(len(voxels)) % FRAMES_PER_TURN
    return render_solids(voxels, size, TURN + 360.0 / FRAMES_PER_TURN * frames, up_axis)


def _rays(n: int, size: int, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that each pixel's ray passes, as flat indices, n^3 outside of the cube, and the tones of their faces.

    Both are [size, size, 3 (n + 1) - 1], in the order of the ray.
    """
    azimuth, elevation = np.radians([turn, ELEVATION])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    ahead = np.array([-np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)])
    above = np.cross(right, ahead)
    light = -ahead + 0.6 * above - 0.5 * right
    light /= np.linalg.norm(light)
    # A ray along a face has no order of crossings, so it is turned by less than can be seen.
    ahead = np.where(np.abs(ahead) < 1e-6, 1e-6, ahead)
    place = ((np.arange(size) + 0.5) / size * 2 - 1) * REACH * n
    origin = n / 2 + place[None, :, None] * right - place[:, None, None] * above
    planes = np.arange(n + 1)
    crossings = (planes[:, None] - origin[..., None, :]) / ahead  # [size, size, n + 1, axis]
    crossings = crossings.reshape(size, size, -1)
    order = crossings.argsort(-1)
    crossings = np.take_along_axis(crossings, order, -1)
    middle = (crossings[..., :-1] + crossings[..., 1:]) / 2
    voxel = np.floor(origin[..., None, :] + middle[..., None] * ahead).astype(np.int32)
    inside = ((voxel >= 0) & (voxel < n)).all(-1)
    cells = np.where(inside, (voxel[..., 0] * n + voxel[..., 1]) * n + voxel[..., 2], n**3)
    towards = np.maximum(0.0, -np.sign(ahead) * light)  # each axis's face that the eye sees
    lit = 0.25 + 0.75 * towards[order[..., :-1] % 3]
    tones = lit * (1 - 0.3 * (middle / (1.5 * n) + 0.5)) * 1.8 - 1
    return cells, tones.astype(np.float32).clip(-1, 1)
