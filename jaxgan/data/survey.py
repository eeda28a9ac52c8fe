"""How many pictures there are and how large they are, without decoding them: what settings can be chosen by."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np

from jaxgan.data import datasets, images
from jaxgan.data.loading import TOYS, load
from jaxgan.data.source import Source

MAX_HEADERS = 300  # files that are opened
MAX_EXAMPLES = 16  # examples of a TFDS dataset that are decoded, whose sizes may differ
LARGE_ENOUGH = 0.25  # quantile of the sides: three quarters of the pictures are at least as large


@dataclasses.dataclass(frozen=True)
class Survey:
    """The number of pictures of a data set, and their size.

    Attributes:
      name: of the data, for people.
      count: number of pictures.
      smallest_side: the shortest side of any picture that was looked at, in pixels.
      typical_side: three quarters of the pictures have no side that is shorter, in pixels.
      channels: 1 if all are grey, else those of the pictures; 3 for files.
    """

    name: str
    count: int
    smallest_side: int
    typical_side: int
    channels: int


def survey(data: str) -> Survey:
    """Survey the pictures that ``data`` names.

    Of a folder or a zip, the headers of at most 300 files are read, spread evenly over the names; of an ``.npz`` or
    ``.npy``, the header of its images. A TFDS dataset is prepared if it is not there, and 16 of its examples are read.

    Args:
      data: as for ``jaxgan.data.load``.

    Raises:
      ValueError: there is no such data, or it has no images.
    """
    path = Path(data)
    if images.is_image_store(path):
        files, names = images.find_images(path)
        sizes, grey = images.read_headers(files, [names[i] for i in _spread(len(names), MAX_HEADERS)])
        return _summarize(data, len(names), sizes, 1 if grey else 3)
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
    """Whether ``load`` looks for a TFDS dataset of this name; ``load`` says what is wrong with other names."""
    path = Path(data)
    is_path = path.exists() or path.is_absolute() or (path.parent != Path() and path.parent.is_dir())
    return not (is_path or path.suffix or data in TOYS or data.partition(":")[0] in ("photos", "tiles", "stacked"))


def _spread(length: int, most: int) -> list[int]:
    """At most so many indices, evenly from the first to the last."""
    return [int(i) for i in np.linspace(0, length - 1, min(length, most))]


def _summarize(name: str, count: int, sizes: list[tuple[int, int]], channels: int) -> Survey:
    sides = np.sort([min(size) for size in sizes])
    typical = sides[int(LARGE_ENOUGH * (len(sides) - 1))]
    return Survey(name, count, int(sides[0]), int(typical), channels)


def _of_shape(name: str, count: int, shape: tuple[int, ...]) -> Survey:
    """The survey of examples of one shape.

    Raises:
      ValueError: they are no images.
    """
    if len(shape) != 3:
        raise ValueError(f"`data` {name!r} has examples of shape {shape}, but images are [height, width, channels].")
    return _summarize(name, count, [shape[:2]], shape[2])


def _shape_of_images(path: Path) -> tuple[int, ...]:
    """The shape of an array file's images, [N, height, width, C], from the header alone."""
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False).shape
        with zipfile.ZipFile(path) as archive, archive.open("images.npy") as file:
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            return read[np.lib.format.read_magic(file)](file)[0]
    except (KeyError, ValueError, OSError, zipfile.BadZipFile):
        source = load(str(path))  # raises, and says what is wrong
        return (len(source), *source.shape)
