"""Images of any sizes as examples of one: the tiles that they are cut into, none of which is resized."""

from pathlib import Path

import numpy as np

from jaxgan.data.images import converted, decoded, image_files, surveyed
from jaxgan.data.source import Arrays

SIZE = 64


def tiles(path: str | Path, size: int | None = None, channels: int | None = None) -> Arrays:
    """Windows of every image of a folder or zip, half their side apart, and the last at its edge.

    Args:
      path: a folder or a zip.
      size: of a tile; None is 64.
      channels: 1, 3 or 4; None takes 1 if every image is grey, else 3.

    Returns:
      uint8 [N, size, size, channels].

    Raises:
      ValueError: there are no images, or all are smaller than a tile, or one cannot be decoded.
    """
    path = Path(path)
    if not (path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())):
        raise ValueError(f"data 'tiles:{path}': no such folder or .zip")
    files, names = image_files(path)
    size = SIZE if size is None else size
    sizes, grey = surveyed(files, names)
    depth = (1 if grey else 3) if channels is None else channels
    apart = max(1, size // 2)
    places = [
        [(y, x) for y in starts(height, size, apart) for x in starts(width, size, apart)] for height, width in sizes
    ]
    if not any(places):
        height, width = max(sizes)
        raise ValueError(f"tiles:{path}: no image holds a tile of {size} x {size}, the largest is {width} x {height}")
    # Made at once, of the sizes alone: tiles take four times what the images do, and a list of them twice that.
    found = np.empty((sum(map(len, places)), size, size, depth), np.uint8)
    at = 0
    for name, own in zip(names, places):
        if own:
            image = decoded(files, name, lambda image: np.asarray(converted(image, depth)))
            image = image.reshape(*image.shape[:2], depth)
            for y, x in own:
                found[at] = image[y : y + size, x : x + size]
                at += 1
    return Arrays(found, name=f"tiles:{path}")


def starts(length: int, size: int, apart: int) -> list[int]:
    """Where windows of ``size`` begin along ``length``: evenly, at most ``apart``; none if it is shorter."""
    if length < size:
        return []
    count = 1 + -(-(length - size) // apart)
    return np.linspace(0, length - size, count).round().astype(int).tolist()
