"""Tiles of one size that images of any sizes are cut into, without resizing."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.data.images import convert_channels, crop_to_square, decode, find_images, is_image_store, read_headers
from jaxgan.data.source import Arrays

SIZE = 64


def load_tiles(path: str | Path, resolution: int | None = None, channels: int | None = None) -> Arrays:
    """Windows of every image of a folder or zip, about half their side apart, the last ones at the edges.

    Args:
      path: a folder or a zip.
      resolution: height and width of a tile; None is 64.
      channels: 1, 3 or 4; None is 1 if every image is grey, else 3.

    Returns:
      uint8 [N, resolution, resolution, channels].

    Raises:
      ValueError: there are no images, or all are smaller than a tile, or one cannot be decoded.
    """
    path, size = Path(path), SIZE if resolution is None else resolution
    if not is_image_store(path):
        raise ValueError(f"`data` 'tiles:{path}': no such folder or .zip.")
    files, names = find_images(path)
    sizes, grey = read_headers(files, names)
    depth = (1 if grey else 3) if channels is None else channels
    corners = [
        [(y, x) for y in window_starts(height, size, size // 2) for x in window_starts(width, size, size // 2)]
        for height, width in sizes
    ]
    if not any(corners):
        height, width = max(sizes)
        raise ValueError(f"tiles:{path}: no image holds a tile of {size} x {size}, the largest is {width} x {height}")
    # Allocated at once, because a list of tiles would need twice their memory.
    tiles = np.empty((sum(map(len, corners)), size, size, depth), np.uint8)

    def to_array(image: Image.Image) -> np.ndarray:
        return crop_to_square(convert_channels(image, depth), None)

    done = 0
    for name, image_corners in zip(names, corners):
        if not image_corners:
            continue
        image = decode(files, name, to_array)
        for y, x in image_corners:
            tiles[done] = image[y : y + size, x : x + size]
            done += 1
    return Arrays(tiles, name=f"tiles:{path}")


def window_starts(length: int, size: int, step: int) -> list[int]:
    """Where windows of ``size`` begin along ``length``: evenly, at most ``step`` apart, at least 1; [] if none fits."""
    if length < size:
        return []
    count = 1 + math.ceil((length - size) / max(1, step))
    return np.linspace(0, length - size, count).round().astype(int).tolist()
