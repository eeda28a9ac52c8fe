"""Draw voxels as shaded images of solids, seen from the side and slightly from above, with NumPy."""

import numpy as np

ELEVATION = 25.0  # angle of the viewing direction above the horizon, in degrees
TURN = 30.0  # default angle by which solids are rotated about the vertical axis, in degrees
FRAMES_PER_TURN = 48  # number of frames of an animation for a full rotation
REACH = 0.75  # half of the visible width, divided by the side of the cube; corners of a full cube can lie outside


def render_solids(
    voxels: np.ndarray,
    size: int | None = None,
    turn: float | np.ndarray = TURN,
    up_axis: int = 2,
    threshold: float = 0.0,
) -> np.ndarray:
    """Return images of solids in parallel projection.

    Each pixel shows the first solid voxel on the ray through the pixel. This voxel is determined exactly, because the
    intersections of the ray with all planes between voxels are computed and sorted. The brightness of a pixel depends
    on the angle between the face of the voxel and the light, and on the distance.

    Args:
      voxels: [N, n, n, n] or [N, n, n, n, 1]; a voxel is solid if its value is above ``threshold``.
      size: height and width of the images in pixels. By default, twice the side of the cube, but at least 64.
      turn: angle by which the solids are rotated about the vertical axis, in degrees; one number for all solids, or an
        array [N].
      up_axis: the axis that points up: 0, 1 or 2.
      threshold: voxels above this value are solid. The default is suitable for voxels from -1 to 1.

    Returns:
      Grey images, float32 [N, size, size, 1] in [-1, 1], with a white background.

    Raises:
      ValueError: if ``voxels`` has another shape.
    """
    voxels = np.asarray(voxels)
    cubes = voxels[..., 0] if voxels.ndim == 5 and voxels.shape[-1] == 1 else voxels
    if cubes.ndim != 4 or len(set(cubes.shape[1:])) > 1:
        raise ValueError(f"`voxels` must be cubes [N, n, n, n] or [N, n, n, n, 1], got shape {voxels.shape}.")
    count, n = cubes.shape[:2]
    size = size or max(64, 2 * n)
    # The vertical axis becomes the last axis. The axes are permuted cyclically, which does not mirror the solids.
    cubes = (cubes > threshold).transpose(0, 1 + (up_axis + 1) % 3, 1 + (up_axis + 2) % 3, 1 + up_axis)
    turns = np.broadcast_to(np.asarray(turn, np.float64) % 360, (count,))
    images = np.empty((count, size, size, 1), np.float32)
    for angle in np.unique(turns):
        cells, tones = _rays(n, size, float(angle))
        for i in np.flatnonzero(turns == angle):
            # The appended element is an empty voxel that represents all places outside of the cube.
            solid = np.append(cubes[i].ravel(), False)[cells]
            first = solid.argmax(-1)[..., None]
            hit = np.take_along_axis(solid, first, -1)
            images[i] = np.where(hit, np.take_along_axis(tones, first, -1), 1.0)
    return images


def render_turning(voxels: np.ndarray, size: int = 128, up_axis: int = 2) -> np.ndarray:
    """Return the frames of an animation of rotating solids, one frame for each cube.

    Each frame is rotated by a further ``360 / FRAMES_PER_TURN`` degrees.

    Args:
      voxels: the cube of each frame, [T, n, n, n, 1].
      size: height and width of a frame in pixels.
      up_axis: the axis that points up: 0, 1 or 2.

    Returns:
      Grey images, float32 [T, size, size, 1] in [-1, 1].
    """
    frames = np.arange(len(voxels)) % FRAMES_PER_TURN
    return render_solids(voxels, size, TURN + 360.0 / FRAMES_PER_TURN * frames, up_axis)


def _rays(n: int, size: int, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels on the ray of each pixel, and the grey level of the face at which the ray enters each voxel.

    Args:
      n: side of the cube in voxels.
      size: height and width of the image in pixels.
      turn: angle by which the cube is rotated about the vertical axis, in degrees.

    Returns:
      The flat indices of the voxels, with n^3 for places outside of the cube, and the grey levels in [-1, 1]. Both
      arrays have the shape [size, size, 3 (n + 1) - 1]. The last axis follows the ray, from the nearest voxel to the
      farthest.
    """
    azimuth, elevation = np.radians([turn, ELEVATION])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    ahead = np.array([-np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)])
    above = np.cross(right, ahead)
    light = -ahead + 0.6 * above - 0.5 * right
    light /= np.linalg.norm(light)
    # A ray that is parallel to a face of the cube never crosses the planes along this face, and the computation below
    # would divide by 0. Such a ray is rotated by an angle that is too small to be visible.
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
    # The cosine of the angle between the light and the normal of the visible face, for the faces across each axis.
    towards = np.maximum(0.0, -np.sign(ahead) * light)
    lit = 0.25 + 0.75 * towards[order[..., :-1] % 3]
    tones = lit * (1 - 0.3 * (middle / (1.5 * n) + 0.5)) * 1.8 - 1
    return cells, tones.astype(np.float32).clip(-1, 1)
