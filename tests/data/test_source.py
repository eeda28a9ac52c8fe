"""Tests of sources: invalid arrays, and reading a source in batches or completely."""

import numpy as np
import pytest

from jaxgan.data.source import Arrays, Source, Subset, Unpaired, read_in_batches, read_into_memory

IMAGES = np.arange(10 * 2 * 3, dtype=np.float32).reshape(10, 2, 3, 1) / 30 - 1
LABELS = np.arange(10, dtype=np.int32) % 2


class Rows:
    """A source that is not an array. Every example contains its own index."""

    name, classes, shape = "rows", ("even", "odd"), (1,)

    def __len__(self):
        return 2100

    def read(self, indices):
        return {"image": np.asarray(indices, np.float32)[:, None], "label": np.asarray(indices, np.int32) % 2}


@pytest.mark.parametrize("source", [Arrays(IMAGES, LABELS, "arrays", ("even", "odd")), Rows()])
def test_batches_contain_every_example_in_order(source: Source):
    batches = list(read_in_batches(source, 4))
    assert [len(batch["image"]) for batch in batches[:-1]] == [4] * ((len(source) - 1) // 4)
    whole = source.read(np.arange(len(source)))
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([batch[name] for batch in batches]), values)
    assert list(read_in_batches(Subset(source, np.zeros(0, int)), 4)) == []


def test_read_into_memory_returns_the_same_examples():
    arrays = read_into_memory(Rows())
    np.testing.assert_array_equal(arrays.images[:, 0], np.arange(2100))
    np.testing.assert_array_equal(arrays.labels, np.arange(2100) % 2)
    assert (arrays.name, arrays.classes) == ("rows", ("even", "odd"))
    assert read_into_memory(arrays) is arrays
    pairs = read_into_memory(Unpaired(images=Arrays(IMAGES), inputs=Arrays(IMAGES[:4])))
    np.testing.assert_array_equal(pairs.inputs, IMAGES[[0, 1, 2, 3, 0, 1, 2, 3, 0, 1]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros(3, np.float32)}, r"The images of mine must be .* with N > 0, got shape \(3,\)"),
        ({"images": np.zeros((0, 2, 2, 1), np.float32)}, r"N > 0, got shape \(0, 2, 2, 1\)"),
        ({"images": np.zeros((3, 2), complex)}, "The images of mine must be uint8 .*, got complex128"),
        ({"images": IMAGES, "inputs": IMAGES.astype(np.int32)}, "The inputs of mine must be uint8 .*, got int32"),
        ({"images": IMAGES, "inputs": IMAGES[1:]}, "mine must have one input for each image, got 9 inputs and 10"),
        ({"images": IMAGES, "labels": LABELS[1:]}, "one label for each image, got 9 labels and 10 images"),
    ],
)
def test_invalid_arrays_raise(arrays, message):
    with pytest.raises(ValueError, match=message):
        Arrays(**arrays, name="mine")


def test_classes_are_the_numbers_of_labels_unless_they_are_named():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    assert Arrays(images, np.array([2, 0, 1])).classes == ("0", "1", "2")
    assert Arrays(images, np.array([1, 0, 0]), classes=("cat", "dog")).classes == ("cat", "dog")
    unused = Arrays(images, np.array([2, 0, 0]), classes=("cat", "dog", "owl"))  # classes without examples are allowed
    assert unused.labels.tolist() == [2, 0, 0] and len(unused.classes) == 3
