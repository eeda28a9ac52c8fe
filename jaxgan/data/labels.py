"""Convert labels of any kind to the indices of classes with names."""

import warnings
from collections.abc import Sequence

import numpy as np

from jaxgan.core.classes import natural_order

MAX_CLASSES = 100_000  # a larger number of different labels is assumed not to be classes
EXPECTED = "whole numbers, names or booleans [N], or one-hot vectors [N, classes]"


def class_indices(labels: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the class of each example as an index, and the names of the classes.

    Each class has at least one example. If labels are numbers, their text is the name of their class.

    >>> class_indices(np.array(["owl", "cat", "owl"]), "labels")
    (array([1, 0, 1], dtype=int32), ('cat', 'owl'))

    Args:
      labels: numbers without a fractional part, booleans or names, [N] or [N, 1]; or one-hot vectors, [N, classes].
      where: the origin of the labels, the subject of messages.

    Returns:
      The indices, int32 [N], and the names in the order of the indices: numbers in ascending order, and other names in
      alphabetical order, in which digits are compared as numbers.

    Raises:
      ValueError: if the labels have another shape or type, are not whole numbers, or are of too many kinds.

    Warns:
      UserWarning: if the labels are numbers, but not all numbers from 0 to the number of classes minus 1.
    """
    labels = _as_numbers_or_names(np.asarray(labels), where)
    values, indices = np.unique(labels, return_inverse=True)
    indices = indices.reshape(-1)
    if len(values) > MAX_CLASSES:
        raise ValueError(f"{where} must have at most {MAX_CLASSES:,} different values, got {len(values):,}.")
    names = [str(value) for value in values.tolist()]
    if values.dtype.kind == "U":
        order = natural_order(names)
        new_index = {name: i for i, name in enumerate(order)}
        return np.array([new_index[name] for name in names], np.int32)[indices], tuple(order)
    if values.dtype.kind in "iu" and not np.array_equal(values, np.arange(len(values))):
        shown = names if len(names) <= 4 else [*names[:2], "...", names[-1]]
        warnings.warn(
            f"{where} are not the numbers from 0 to {len(names) - 1}, but {', '.join(shown)}. These numbers are the "
            f"names of {len(names):,} classes with the indices 0 to {len(names) - 1}.",
            stacklevel=3,
        )
    return indices.astype(np.int32), tuple(names)


def check_indices(labels: np.ndarray, classes: Sequence[str], where: str) -> np.ndarray:
    """Return labels as int32 [N], if each of them is the index or the name of a class.

    Args:
      labels: indices from 0 to the number of classes minus 1, or names, [N], of the types of ``class_indices``.
      classes: the names of the classes.
      where: the origin of the labels, the subject of messages.

    Raises:
      ValueError: if a label is not a class.
    """
    labels = _as_numbers_or_names(np.asarray(labels), where)
    if labels.dtype.kind == "U":
        number_of = {name: i for i, name in enumerate(classes)}
        unknown = sorted(set(labels.tolist()) - number_of.keys())
        if unknown:
            raise ValueError(f"{where} must be names of classes ({', '.join(classes)}), got {unknown[0]!r}.")
        return np.array([number_of[label] for label in labels.tolist()], np.int32)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(classes):
        raise ValueError(
            f"{where} must be from 0 to {len(classes) - 1}, the indices of the classes, got {low} to {high}. Without "
            "`classes`, labels can be any whole numbers."
        )
    return labels.astype(np.int32)


def _as_numbers_or_names(labels: np.ndarray, where: str) -> np.ndarray:
    """Return labels [N] as integers, booleans or text."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and _is_one_hot(labels):
        return labels.argmax(1)
    kind = labels.dtype.kind
    if kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels, kind = labels.astype(str), "U"
    if labels.ndim != 1 or not labels.size or kind not in "biufUS":
        raise ValueError(f"{where} must be {EXPECTED}, got {labels.dtype} with shape {list(labels.shape)}.")
    if kind == "f":
        if not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
            wrong = labels[~(labels == np.round(labels)) | ~np.isfinite(labels)][0]
            raise ValueError(f"{where} must be {EXPECTED}, got the number {wrong:g}.")
        if np.abs(labels).max() >= 2**53:
            raise ValueError(f"{where} must be below 2**53, got {np.abs(labels).max():g}.")
        return labels.astype(np.int64)
    if kind == "S":
        return np.char.decode(labels, "utf-8", "backslashreplace")
    return labels


def _is_one_hot(labels: np.ndarray) -> bool:
    """Return whether each row of labels [N, classes] contains a single one and otherwise zeros."""
    if labels.dtype.kind not in "biuf" or not labels.size:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())
