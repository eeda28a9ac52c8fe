"""Read the labels in ``dataset.json``, the file that StyleGAN's ``dataset_tool.py`` writes beside the images.

The file contains ``{"labels": [["00000/img00000000.png", 6], ...]}``. The names are relative to the folder of the file.
A label is a whole number or a one-hot vector, and ``labels`` is null for images without labels. The numbered folders of
such a data set are no classes.
"""

import warnings
from pathlib import PurePosixPath
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core.json_files import MAX_BYTES, parse_json
from jaxgan.data.folders import LABEL_FILE
from jaxgan.data.labels import class_indices
from jaxgan.data.layouts import ImageSet

REMOVE = "Correct the file, or remove it to use the folders as classes."


class Labels(NamedTuple):
    """The labels of images.

    Attributes:
      classes: the names of the classes; empty if the images have no labels.
      indices: the label of each image, int32 [N]; None if the images have no labels.
    """

    classes: tuple[str, ...]
    indices: np.ndarray | None


def read_dataset_json(images: ImageSet) -> Labels | None:
    """Return the labels in the ``dataset.json`` of a data set; None if there is no such file.

    The file is in the innermost folder that contains all images, or else in the nearest folder around it.

    Args:
      images: the images.

    Raises:
      ValueError: if the file is damaged, or if it has no label for an image.

    Warns:
      UserWarning: if the file has no entry ``labels``, or has labels of other images.
    """
    files, names = images.files, images.names
    existing = set(files.listing().names)
    places = (place / LABEL_FILE for place in (images.around, *images.around.parents))
    path = next((place for place in places if place.as_posix() in existing), None)
    if path is None:
        return None
    where = f"{files.name}: {path}"
    with files.open(path.as_posix()) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{where} has more than {MAX_BYTES:,} bytes. {REMOVE}")
    record = parse_json(content, where, {"labels?": (list, NoneType)}, fix=REMOVE)
    if "labels" not in record:
        warnings.warn(f"{where} is not used, because it has no entry 'labels'.", stacklevel=4)
        return None
    if record["labels"] is None:
        return Labels((), None)
    labels = _labels_by_name(record["labels"], where)
    relative = [PurePosixPath(name).relative_to(path.parent).as_posix() for name in names]
    missing = [name for name in relative if name not in labels]
    if missing:
        raise ValueError(
            f"{where} has no label for {len(missing):,} of {len(names):,} images, the first of which is {missing[0]}. "
            f"{REMOVE}"
        )
    if len(labels) > len(names):
        more = len(labels) - len(names)
        warnings.warn(
            f"{where} has labels of {more:,} images that are not among the images that are read.", stacklevel=4
        )
    indices, classes = class_indices(_as_array([labels[name] for name in relative], where), f"{where}: the labels")
    return Labels(classes, indices)


def _labels_by_name(entries: list[Any], where: str) -> dict[str, Any]:
    """Return a dictionary from the names of images to their labels."""
    labels = {}
    for i, entry in enumerate(entries):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise ValueError(f'{where}: entry {i} of "labels" must be a name and a label, as in ["a.png", 6]. {REMOVE}')
        name = PurePosixPath(entry[0].replace("\\", "/")).as_posix()
        if name in labels:
            raise ValueError(f"{where} has two labels for the image {name}. {REMOVE}")
        labels[name] = entry[1]
    return labels


def _as_array(labels: list[Any], where: str) -> np.ndarray:
    """Return labels as integers [N], or as one-hot vectors [N, classes]."""
    if all(type(label) is int for label in labels):
        return np.array(labels, np.int64)
    lengths = {len(label) for label in labels if isinstance(label, list)}
    is_vectors = all(isinstance(label, list) for label in labels) and len(lengths) == 1
    if is_vectors and all(type(number) in (int, float) for label in labels for number in label):
        return np.array(labels, np.float64)
    raise ValueError(f"{where}: the labels must be whole numbers, or one-hot vectors of equal length. {REMOVE}")
