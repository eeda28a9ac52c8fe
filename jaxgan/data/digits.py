"""The 1,797 real handwritten digits, 8 x 8, that come along with jaxgan.

They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI, CC BY 4.0), which
``sklearn.datasets.load_digits`` returns too; see ``digits_license.txt`` beside this file. ``digits.npz`` holds

  images       uint8 [1797, 8, 8], ink from 0 to 16, in the order of the original file
  labels       uint8 [1797]
  tfds_order   uint16 [1797], the order in which TensorFlow Datasets stores examples with these numbers as keys

Earlier versions prepared the digits by TensorFlow Datasets, so ``load`` keeps its order and its names of splits: a run
of an earlier version that is resumed sees the same batches.
"""

import re
from pathlib import Path

import numpy as np

from jaxgan.data.source import Arrays

MAX_INK = 16
CLASSES = tuple("0123456789")
_FILE = Path(__file__).with_name("digits.npz")
_SPLIT = re.compile(r"train(?:\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits in scikit-learn's order: ink from 0 to 16, uint8 [1797, 8, 8], and labels, int32 [1797]."""
    ink, labels, _ = _read()
    return ink, labels


def _read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(_FILE, allow_pickle=False) as file:
        return file["images"], file["labels"].astype(np.int32), file["tfds_order"]


def load(split: str = "train") -> Arrays:
    """The digits as float32 [N, 8, 8, 1] in [-1, 1], ink / 8 - 1, with their labels, in the order of TFDS.

    Args:
      split: ``train``, or a part of it as TFDS writes it: ``train[:90%]``, ``train[100:200]``.

    Raises:
      ValueError: there is no such split, or nothing in it.
    """
    ink, labels, order = _read()
    name, found = f"digits/1.0.0 {split}", _SPLIT.fullmatch(split)
    if found is None:
        raise ValueError(f"{name}: no such split; it has train, and parts such as train[:90%]")
    unit = len(order) / 100 if "%" in split else 1  # as in TFDS, one percent sign is for both boundaries
    start, stop = (text and round(int(text.removesuffix("%")) * unit) for text in found.group("start", "stop"))
    part = order[start:stop]
    if not len(part):
        raise ValueError(f"{name}: nothing is in this split; it has {len(order):,} examples")
    images = ink[part][..., None].astype(np.float32) / (MAX_INK / 2) - 1
    return Arrays(images, labels[part], name, CLASSES)
