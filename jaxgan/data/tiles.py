"""Cut images of any sizes into tiles of equal size, without resizing them."""

import math
import warnings
from pathlib import Path

import numpy as np

from jaxgan.data.decoding import read_pixels
from jaxgan.data.folders import is_image_store
from jaxgan.data.image_headers import read_headers
from jaxgan.data.layouts import find_split
from jaxgan.data.source import Arrays

SIZE = 64  # default height and width of a tile in pixels


def load_tiles(
    path: str | Path,
    resolution: int | None = None,
    channels: int | None = None,
    argument: str = "data",
    split: str = "train",
) -> Arrays:
    """Return tiles of every image of a folder or a zip.

    The tiles of an image are evenly spaced and cover the image completely. The distance between the corners of adjacent
    tiles is at most half of a tile's side, so tiles overlap. Images that are smaller than a tile are left out. Tiles
    have no labels.

    Args:
      path: a folder or a zip.
      resolution: height and width of a tile in pixels; None uses 64.
      channels: 1, 3 or 4; None uses 1 if every image is grey, and 3 otherwise.
      argument: the name of the caller's argument, for messages.
      split: train, validation or test, see ``find_split``.

    Returns:
      The tiles, uint8 [N, resolution, resolution, channels].

    Warns:
      UserWarning: if images or other files are left out, or if decoding converts or loses something that the images
        contain, such as transparency.

    Raises:
      ValueError: if there are no images, if all images are smaller than a tile, or if an image cannot be decoded.
    """
    path, size = Path(path), SIZE if resolution is None else resolution
    if not is_image_store(path):
        raise ValueError(f"`{argument}` 'tiles:{path}' must name an existing folder or .zip file after 'tiles:'.")
    images = find_split(path, split)
    files, names = images.files, images.names
    headers = read_headers(files, names)
    sizes, depth = headers.sizes, headers.channels if channels is None else channels
    corners = [
        [(y, x) for y in window_starts(height, size, size // 2) for x in window_starts(width, size, size // 2)]
        for height, width in sizes
    ]
    if not any(corners):
        height, width = max(sizes)
        raise ValueError(
            f"tiles:{path} has no image that contains a tile of {size} x {size} pixels; the largest is {width} x "
            f"{height}. Set `resolution` to a smaller number."
        )
    headers.warn(depth)
    skipped = sum(not image_corners for image_corners in corners)
    if skipped:
        warnings.warn(
            f"tiles:{path}: left out {skipped:,} of {len(names):,} images, because they are smaller than a tile of "
            f"{size} x {size} pixels.",
            stacklevel=2,
        )
    # The result is allocated at once, because a list of tiles would need twice the memory.
    tiles = np.empty((sum(map(len, corners)), size, size, depth), np.uint8)

    done = 0
    for name, image_corners in zip(names, corners):
        if not image_corners:
            continue
        image = read_pixels(files, name, depth)
        for y, x in image_corners:
            tiles[done] = image[y : y + size, x : x + size]
            done += 1
    return Arrays(tiles, name=f"tiles:{path}")


def window_starts(length: int, size: int, step: int) -> list[int]:
    """Return the starts of windows of length ``size`` that cover the range from 0 to ``length``.

    The windows are evenly spaced, and the distance between the starts is at most ``max(1, step)``. The list is empty if
    ``length`` is below ``size``.

    Args:
      length: the length of the range.
      size: the length of each window.
      step: the largest distance between the starts of two neighbouring windows.
    """
    if length < size:
        return []
    count = 1 + math.ceil((length - size) / max(1, step))
    return np.linspace(0, length - size, count).round().astype(int).tolist()
