"""Load the 1,797 handwritten digits, 8 x 8 pixels, that are bundled with the package.

They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI, CC BY 4.0), which
``sklearn.datasets.load_digits`` returns too; see ``digits_license.txt`` in the folder of this file. ``digits.npz``
contains these arrays:

  images       uint8 [1797, 8, 8], the amount of ink from 0 to 16, in the order of the original file
  labels       uint8 [1797], the digits from 0 to 9
  tfds_order   uint16 [1797], the indices of the images in the order in which TensorFlow Datasets (TFDS) stores them

Earlier versions of jaxgan prepared the digits with TFDS. ``load`` uses the same order and the same names of splits, so
that the resumed runs of earlier versions continue with the same batches.
"""

import re
from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.data.source import Arrays

MAX_INK = 16  # largest value of a pixel
CLASSES = tuple("0123456789")
_FILE = Path(__file__).with_name("digits.npz")
_SPLIT = re.compile(r"train(?:\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits in the order of scikit-learn.

    Returns:
      The amount of ink in each pixel, uint8 [1797, 8, 8], from 0 (none) to 16, and the labels, int32 [1797].
    """
    ink, labels, _ = _read()
    return ink, labels


def _read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    arrays = read_npz(_FILE)
    return arrays["images"], arrays["labels"].astype(np.int32), arrays["tfds_order"]


def load(split: str = "train") -> Arrays:
    """Return the digits as a source of images, with their labels, in the order of TFDS.

    The images are float32 [N, 8, 8, 1] in [-1, 1], computed as ink / 8 - 1.

    Args:
      split: ``train``, or a part of it in the notation of TFDS, such as ``train[:90%]`` or ``train[100:200]``.

    Raises:
      ValueError: if the split does not exist or is empty.
    """
    ink, labels, order = _read()
    name, found = f"digits/1.0.0 {split}", _SPLIT.fullmatch(split)
    if found is None:
        raise ValueError(
            f"The split {split!r} of digits does not exist. The only split is train. A part of it is also allowed, "
            "such as train[:90%]."
        )
    unit = len(order) / 100 if "%" in split else 1  # as in TFDS, a percent sign at one boundary applies to both
    start, stop = (text and round(int(text.removesuffix("%")) * unit) for text in found.group("start", "stop"))
    part = order[start:stop]
    if not len(part):
        raise ValueError(f"The split {split!r} of digits is empty. The data set has {len(order):,} examples.")
    images = ink[part][..., None].astype(np.float32) / (MAX_INK / 2) - 1
    return Arrays(images, labels[part], name, CLASSES)
