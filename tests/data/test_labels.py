"""Tests of labels of any kind: they become indices of classes with names, or are refused."""

import numpy as np
import pytest

from jaxgan import data
from jaxgan.data.labels import MAX_CLASSES, check_indices, class_indices

IMAGES = np.zeros((4, 8, 8, 3), np.uint8)

# By name: the labels, the expected indices, and the names of the classes.
SILENT = {
    "int32": (np.array([2, 0, 1, 2], np.int32), [2, 0, 1, 2], ("0", "1", "2")),
    "uint8": (np.array([1, 0, 1, 0], np.uint8), [1, 0, 1, 0], ("0", "1")),
    "a column": (np.array([[1], [0], [1], [0]]), [1, 0, 1, 0], ("0", "1")),
    "whole floats": (np.array([0.0, 2.0, 1.0, 0.0]), [0, 2, 1, 0], ("0", "1", "2")),
    "booleans": (np.array([True, False, True, True]), [1, 0, 1, 1], ("False", "True")),
    "names": (np.array(["dog", "cat", "dog", "owl"]), [1, 0, 1, 2], ("cat", "dog", "owl")),
    "names in bytes": (np.array([b"dog", b"caf\xc3\xa9", b"\xff", b"dog"]), [2, 1, 0, 2], ("\\xff", "café", "dog")),
    "numbers as text": (np.array(["10", "9", "1", "10"]), [2, 1, 0, 2], ("1", "9", "10")),
    "names as objects": (np.array(["b", "a", "b", "b"], object), [1, 0, 1, 1], ("a", "b")),
    "one-hot floats": (np.eye(3)[[2, 0, 1, 1]], [2, 0, 1, 1], ("0", "1", "2")),
    "one-hot booleans": (np.eye(2, dtype=bool)[[1, 0, 1, 1]], [1, 0, 1, 1], ("0", "1")),
    "one class": (np.zeros(4, int), [0, 0, 0, 0], ("0",)),
}  # fmt: skip
WARNED = {
    "from 1": (np.array([1, 3, 2, 1]), [0, 2, 1, 0], ("1", "2", "3")),
    "gaps": (np.array([0, 7, 7, 2]), [0, 2, 2, 1], ("0", "2", "7")),
    "negative": (np.array([-1, 1, 1, -1]), [0, 1, 1, 0], ("-1", "1")),
    "large": (np.array([10**12, 5, 5, 5]), [1, 0, 0, 0], ("5", "1000000000000")),
    "unused one-hot": (np.eye(9)[[8, 0, 0, 8]], [1, 0, 0, 1], ("0", "8")),
}
REFUSED = {
    "fractions": (np.array([0.0, 0.5, 1.0, 1.0]), r"must be whole numbers, .*, got the number 0\.5"),
    "NaN": (np.array([0.0, np.nan, 1.0, 1.0]), "got the number nan"),
    "infinity": (np.array([0.0, np.inf, 1.0, 1.0]), "got the number inf"),
    "huge floats": (np.array([0.0, 1e300, 1.0, 1.0]), r"must be below 2\*\*53, got 1e\+300"),
    "vectors": (np.full((4, 3), 0.5), r"one-hot vectors \[N, classes\], got float64 with shape \[4, 3\]"),
    "two hot": (np.ones((4, 3), int), r"got int64 with shape \[4, 3\]"),
    "complex": (np.zeros(4, complex), "got complex128"),
    "objects": (np.array([{}, 1, "a", None], object), r"got object with shape \[4\]"),
    "a number": (np.array(3), r"with shape \[\]"),
}


@pytest.mark.parametrize(("labels", "indices", "names"), SILENT.values(), ids=SILENT.keys())
def test_labels_become_indices_of_classes(labels, indices, names, tmp_path):
    found, classes = class_indices(labels, "x: labels")
    assert (found.tolist(), found.dtype, classes) == (indices, np.int32, names)
    source = data.Arrays(IMAGES, labels)
    assert (source.labels.tolist(), source.classes) == (indices, names)
    if labels.dtype != object:
        np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
        source = data.load(str(tmp_path / "a.npz"))
        assert (source.read(np.arange(4))["label"].tolist(), source.classes) == (indices, names)


@pytest.mark.parametrize(("labels", "indices", "names"), WARNED.values(), ids=WARNED.keys())
def test_numbers_with_gaps_become_names_with_a_warning(labels, indices, names):
    with pytest.warns(
        UserWarning, match=rf"not the numbers from 0 to {len(names) - 1}, but {names[0]}, .*{names[-1]}\."
    ):
        source = data.Arrays(IMAGES, labels)
    assert (source.labels.tolist(), source.classes) == (indices, names)


@pytest.mark.parametrize(("labels", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_labels_that_are_not_classes_are_refused(labels, message):
    with pytest.raises(ValueError, match=f"x: labels .*{message}"):
        class_indices(labels, "x: labels")


def test_too_many_different_labels_are_refused():
    with pytest.raises(ValueError, match="at most 100,000 different values, got 100,001"):
        class_indices(np.arange(MAX_CLASSES + 1), "x")


@pytest.mark.parametrize("count", [3, 5])
def test_a_wrong_number_of_labels_is_refused(count, tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.zeros(count, int))
    for load in (lambda: data.load(str(tmp_path / "a.npz")), lambda: data.Arrays(IMAGES, np.zeros(count, int))):
        with pytest.raises(ValueError, match=f"one label for each image, got {count} labels and 4 images"):
            load()


def test_labels_with_given_classes_are_indices_or_names():
    classes = ("cat", "dog", "owl")
    assert check_indices(np.array([2, 0]), classes, "x").tolist() == [2, 0]
    assert check_indices(np.array(["owl", "cat"]), classes, "x").tolist() == [2, 0]
    for wrong in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(ValueError, match=r"x must be from 0 to 2, the indices of the classes, got .* to"):
            check_indices(wrong, classes, "x")
    with pytest.raises(ValueError, match=r"x must be names of classes \(cat, dog, owl\), got 'cow'"):
        check_indices(np.array(["cow", "cat"]), classes, "x")
