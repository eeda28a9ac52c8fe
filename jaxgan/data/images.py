"""Provide the image files of a folder or a zip as a source.

Files can have any of the formats in ``jaxgan.data.image_formats.readable_formats``, any size, and any colour mode that
Pillow supports, such as grey or RGB. The labels are read from a ``dataset.json``, if there is one; see
``jaxgan.data.dataset_json``. If any image is directly in the folder, the images have no labels. Otherwise, the label of
an image is the index of its sub-folder in alphabetical order, in which 2 comes before 10.
"""

from pathlib import Path

import numpy as np

from jaxgan.data.dataset_json import read_dataset_json
from jaxgan.data.decoding import read_pixels
from jaxgan.data.image_headers import common_size, read_headers
from jaxgan.data.layouts import ImageSet, as_image_set, classes_of_folders
from jaxgan.data.readers import read_all
from jaxgan.data.representation import ShownSource


class ImageFiles(ShownSource):
    """A ``Source`` of image files, which are decoded on reading to uint8 [B, resolution, resolution, channels].

    Args:
      images: a folder or a zip, or the images of one split of it.
      resolution: height and width in pixels. Images are cropped to a centred square and resized with antialiasing
        (Lanczos). None keeps the size of the files, which must be square and the same for all.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha). None uses 1 if all files are grey, and 3 otherwise.
      labelled: whether to find the labels of the images.
      jpeg_draft: whether the decoder of JPEG may reduce large images before they are resized, which is faster and
        changes the pixels slightly; see ``decoding.decode_draft``.

    Warns:
      UserWarning: if files are left out, or if decoding converts or loses something that the images contain, such as
        transparency.

    Raises:
      ValueError: if there is no image, if sizes differ and ``resolution`` is None, or if a file cannot be decoded. The
        message names the file.
    """

    decodes = True

    def __init__(
        self,
        images: str | Path | ImageSet,
        resolution: int | None = None,
        channels: int | None = None,
        *,
        labelled: bool = True,
        jpeg_draft: bool = False,
    ):
        images = as_image_set(images)
        self.name, self._files, self._names = images.name, images.files, images.names
        self.classes, self._labels = (), None
        if labelled:
            self.classes, self._labels = read_dataset_json(images) or classes_of_folders(self.name, images.places)
        headers = read_headers(self._files, self._names)
        if resolution is None:
            resolution = common_size(self.name, self._names, headers.sizes, square=True)[0]
        self._resolution, self._channels = resolution, headers.channels if channels is None else channels
        self._jpeg_draft = jpeg_draft
        headers.warn(self._channels, resolution)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image, (resolution, resolution, channels)."""
        return (self._resolution, self._resolution, self._channels)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        batch = {"image": np.stack(read_all(self._read_one, indices))}
        if self._labels is not None:
            batch["label"] = self._labels[indices]
        return batch

    def _read_one(self, i: int) -> np.ndarray:
        name, draft = self._names[i], self._jpeg_draft
        return read_pixels(self._files, name, self._channels, self._resolution, jpeg_draft=draft)
