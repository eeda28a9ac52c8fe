"""Provide images at their own sizes, complete and not resized, for metrics that resize each image themselves."""

from collections.abc import Callable, Iterator

import numpy as np

from jaxgan.data.decoding import read_pixels
from jaxgan.data.image_headers import read_headers
from jaxgan.data.layouts import ImageSet
from jaxgan.data.representation import ShownSource


class ImageSequence:
    """Images [height, width, C] of any sizes. An image is decoded when it is read, and not cached.

    Args:
      decode_one: function from an index to an image, [height, width, C].
      indices: the indices of the images.
    """

    def __init__(self, decode_one: Callable[[int], np.ndarray], indices: np.ndarray):
        self._decode_one, self._indices = decode_one, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._decode_one(int(i)) for i in self._indices)

    def __getitem__(self, part: slice) -> "ImageSequence":
        return ImageSequence(self._decode_one, self._indices[part])


class UncroppedImages(ShownSource):
    """Images at their own sizes. In a batch, ``image`` is an ``ImageSequence`` in place of an array.

    Therefore only one image is in memory at a time. Labels are not read.

    Args:
      name: the name of the source, for messages.
      decode_one: function from an index to an image, [height, width, C].
      count: the number of images.
      shape: the shape of the images; the largest height and width if sizes differ.

    Attributes:
      sizes_differ: True, which distinguishes this class from sources of arrays.
    """

    classes, sizes_differ = (), True

    def __init__(self, name: str, decode_one: Callable[[int], np.ndarray], count: int, shape: tuple[int, ...]):
        self.name, self._decode_one, self._count, self.shape = name, decode_one, count, shape

    def __len__(self) -> int:
        return self._count

    def _details(self) -> str:
        return " or smaller"

    def read(self, indices: np.ndarray) -> dict:
        """Return the images with these indices as an ``ImageSequence``.

        Args:
          indices: the indices of the images, [B] integers.
        """
        return {"image": ImageSequence(self._decode_one, indices)}


def uncropped_files(images: ImageSet, channels: int | None = None) -> UncroppedImages | None:
    """Return the image files of a folder or a zip at their own sizes; None if all are squares of the same size.

    Args:
      images: the image files.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha). None uses 1 if all files are grey, and 3 otherwise.

    Warns:
      UserWarning: if decoding converts or loses something that the images contain.

    Raises:
      ValueError: if the header of a file cannot be read. The message names the file.
    """
    files, names = images.files, images.names
    headers = read_headers(files, names)
    height, width = (max(lengths) for lengths in zip(*headers.sizes))
    if set(headers.sizes) == {(height, height)}:
        return None
    if channels is None:
        channels = headers.channels
    headers.warn(channels, None)

    def read_one(i: int) -> np.ndarray:
        return read_pixels(files, names[i], channels)

    return UncroppedImages(files.name, read_one, len(names), (height, width, channels))
