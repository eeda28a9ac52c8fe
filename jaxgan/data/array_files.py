"""Read images and labels from ``.npz`` and ``.npy`` files."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import is_npy, map_npy, read_npz, read_npz_headers
from jaxgan.data.array_checks import check_examples
from jaxgan.data.labels import class_indices
from jaxgan.data.source import Arrays

# Names under which other programs, such as Keras and numpy.savez without names, save images and labels.
NAMES_OF_IMAGES = ("image", "x_train", "train_images", "x", "data", "samples", "imgs", "img", "arr_0")
NAMES_OF_LABELS = ("label", "y_train", "train_labels", "y", "targets", "target", "classes", "class", "arr_1")


def load_arrays(path: Path, *, paired: bool = False) -> Arrays:
    """Read the arrays of an ``.npz`` or ``.npy`` file.

    Args:
      path: an ``.npz`` file with an array ``images`` and optionally ``labels``; or an ``.npy`` file with the images.
      paired: whether to read an array ``inputs`` too, which contains the input of each image.

    Raises:
      ValueError: if the file is damaged or contains Python objects, if an array is missing, or if values are out of
        range.

    Warns:
      UserWarning: if the file contains arrays with other names, which are not read.
    """
    wanted = ("images", "inputs") if paired else ("images",)
    try:
        found, names = _read_arrays(path, (*wanted, "labels"))
    except ValueError as error:
        arguments = ", ".join(f"{name}={name}" for name in (*wanted, "labels"))
        raise ValueError(f"{error} Save arrays of numbers with numpy.savez(file, {arguments}).") from None
    for name in wanted:
        if name not in found:
            contents = f"It contains: {', '.join(names)}." if names else "It contains no arrays."
            raise ValueError(f"{path} has no array {name!r}. {contents}{_suggest_names(names, wanted)}")
    warn_of_unused_arrays(path, names, (*wanted, "labels"))
    images, *inputs = (check_examples(found[name], f"{path}: {name}", name) for name in wanted)
    labels, classes = None, ()
    if "labels" in found:
        labels, classes = class_indices(found["labels"], f"{path}: labels")
    return Arrays(images, labels, str(path), classes, *inputs, checked=True)


def warn_of_unused_arrays(path: Path, names: Sequence[str], used: Sequence[str]) -> None:
    """Warn of arrays that are in a file, but are not read.

    Args:
      path: the file.
      names: the names of all arrays in the file.
      used: the names of the arrays that are read, if they exist.
    """
    unused = [name for name in names if name not in used]
    if not unused:
        return
    labels = "" if "labels" in names else _first_of(unused, NAMES_OF_LABELS)
    hint = f" If {labels} contains the labels, save it with the name labels." if labels else ""
    warnings.warn(
        f"{path} contains arrays that are not used: {', '.join(unused)}. Only the arrays {', '.join(used)} are read."
        f"{hint}",
        stacklevel=3,
    )


def _suggest_names(names: Sequence[str], wanted: Sequence[str]) -> str:
    """Return a sentence, which begins with a space, about how to save the arrays that are wanted."""
    if {"mu", "sigma"} <= set(names):  # written by pytorch-fid and by the code of the FID's authors
        return " It contains the statistics of an FID, not images. Pass the images that they were computed from."
    images = "images" if "images" in names else _first_of(names, NAMES_OF_IMAGES)
    labels = "labels" if "labels" in names else _first_of(names, NAMES_OF_LABELS)
    if not images or "inputs" in wanted:
        arguments = ", ".join(f"{name}={name}" for name in wanted)
        return f" Save the arrays with numpy.savez(file, {arguments})."
    more = f", labels={labels}" if labels else ""
    meaning = f"{images} contains the images" + (f" and {labels} the labels" if labels else "")
    return f" If {meaning}, save them with numpy.savez(file, images={images}{more})."


def _first_of(names: Sequence[str], known: Sequence[str]) -> str:
    """Return the first of some known names that is among ``names`` in upper or lower case, or ""."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in known if name in lower), "")


def _read_arrays(path: Path, wanted: tuple[str, ...]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays from an ``.npz`` or ``.npy`` file.

    Args:
      path: the file.
      wanted: the names of the arrays to read.

    Returns:
      A dictionary from names to arrays, without the arrays that the file lacks, and the names of all arrays in the
      file. The array in an ``.npy`` file has the name ``images``.
    """
    if is_npy(path):
        return {"images": map_npy(path)}, ["images"]
    return read_npz(path, wanted), list(read_npz_headers(path))
