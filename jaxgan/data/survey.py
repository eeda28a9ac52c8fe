"""Count the images of a data set and measure their size without decoding all of them, to choose suitable settings."""

import dataclasses
from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import is_npy, map_npy, read_npz_headers
from jaxgan.data import datasets
from jaxgan.data.array_checks import check_axes
from jaxgan.data.folders import is_image_store
from jaxgan.data.image_headers import read_headers
from jaxgan.data.layouts import find_split
from jaxgan.data.loading import TOYS, load
from jaxgan.data.source import Source

MAX_HEADERS = 300  # maximum number of image files that are opened
MAX_EXAMPLES = 16  # maximum number of examples of a TFDS data set that are decoded to measure their sizes
LARGE_ENOUGH = 0.25  # ``typical_side`` is this quantile of the shorter sides of the images


@dataclasses.dataclass(frozen=True)
class Survey:
    """The number of images in a data set, and their size.

    Attributes:
      name: the name or the path of the data set.
      count: number of images.
      smallest_side: length of the shortest side of any inspected image, in pixels.
      typical_side: lower quartile of the shorter sides of the inspected images, in pixels. About three quarters of the
        images are at least as large.
      channels: 1 if all inspected images are grey; otherwise 3 for image files, and the number of channels for other
        data.
    """

    name: str
    count: int
    smallest_side: int
    typical_side: int
    channels: int


def survey(data: str) -> Survey:
    """Return the number and the size of the images that ``data`` names.

    For a folder or a zip, this reads the headers of at most 300 files, evenly spaced over the sorted names. For an
    ``.npz`` or ``.npy`` file, it reads the header of the images. For a data set of TensorFlow Datasets (TFDS), it reads
    at most 16 examples; TFDS downloads and prepares the data set first if necessary.

    Args:
      data: a name or a path, see ``jaxgan.data.load``.

    Raises:
      ValueError: if the data do not exist or have no images.
    """
    path = Path(data)
    if is_image_store(path):
        images = find_split(path)
        some = [images.names[i] for i in _spread(len(images.names), MAX_HEADERS)]
        headers = read_headers(images.files, some)
        return _summarize(data, len(images.names), headers.sizes, headers.channels)
    if path.suffix.lower() in (".npz", ".npy") and path.is_file():
        count, *shape = _shape_of_images(path)
        return _of_shape(data, count, tuple(shape))
    if not _is_dataset(data):
        source: Source = load(data)
        return _of_shape(data, len(source), source.shape)
    source = datasets.load(data)
    shapes = [source.read(np.array([i]))["image"].shape[1:] for i in _spread(len(source), MAX_EXAMPLES)]
    return _summarize(data, len(source), [shape[:2] for shape in shapes], shapes[0][2])


def _is_dataset(data: str) -> bool:
    """Return whether a name can only be the name of a TFDS data set.

    ``survey`` passes all other names to ``load``, which raises an error with an explanation if it cannot load them.
    """
    path = Path(data)
    is_path = path.exists() or path.is_absolute() or (path.parent != Path() and path.parent.is_dir())
    return not (is_path or path.suffix or data in TOYS or data.partition(":")[0] in ("photos", "tiles", "stacked"))


def _spread(length: int, most: int) -> list[int]:
    """Return at most ``most`` indices from 0 to ``length - 1``, evenly spaced."""
    return [int(i) for i in np.linspace(0, length - 1, min(length, most))]


def _summarize(name: str, count: int, sizes: list[tuple[int, int]], channels: int) -> Survey:
    sides = np.sort([min(size) for size in sizes])
    typical = sides[int(LARGE_ENOUGH * (len(sides) - 1))]
    return Survey(name, count, int(sides[0]), int(typical), channels)


def _of_shape(name: str, count: int, shape: tuple[int, ...]) -> Survey:
    """Return the survey of images that all have the same shape.

    Raises:
      ValueError: if the examples are not images.
    """
    if len(shape) != 3:
        raise ValueError(
            f"`data` {name!r} must contain images [height, width, channels], got examples of shape {shape}."
        )
    return _summarize(name, count, [shape[:2]], shape[2])


def _shape_of_images(path: Path) -> tuple[int, ...]:
    """Return the shape of the images in an array file, [N, height, width, C], from the header alone."""
    try:
        shape = map_npy(path).shape if is_npy(path) else read_npz_headers(path)["images"].shape
    except (KeyError, ValueError):
        shape = ()
    if len(shape) != 4:
        source = load(str(path))  # raises an error with an explanation, or adds an axis of channels
        return (len(source), *source.shape)
    check_axes(shape, f"{path}: images")
    return shape
