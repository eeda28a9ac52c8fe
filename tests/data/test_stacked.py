"""Tests of stacked images: each grey image occurs once in each channel, and the class encodes all three classes."""

import numpy as np
import pytest

from jaxgan import data
from jaxgan.data import Arrays
from jaxgan.data.stacked import stack_channels


def test_images_and_classes_are_stacked():
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    labels = np.arange(40, dtype=np.int32) % 4
    source = stack_channels(Arrays(pixels, labels, "forty", tuple("abcd")))
    assert (source.images == source.images[:, :1, :1]).all()
    colours = source.images[:, 0, 0]
    for colour in colours.T:
        assert sorted(colour) == list(range(40))
    assert (colours[:, 0] != colours[:, 1]).any()
    assert (source.labels == (colours % 4) @ [16, 4, 1]).all()
    assert len(source.classes) == 64
    assert source.classes[source.labels[0]] == " ".join("abcd"[i % 4] for i in colours[0])
    np.testing.assert_array_equal(source.images, stack_channels(Arrays(pixels, labels, "forty", tuple("abcd"))).images)
    assert (source.images != stack_channels(Arrays(pixels), seed=1).images).any()
    assert stack_channels(Arrays(pixels)).labels is None
    numbered = stack_channels(Arrays(pixels, labels))
    assert numbered.classes[numbered.labels[0]] == " ".join(str(i % 4) for i in colours[0])


def test_too_many_classes_raise():
    pixels, labels = np.zeros((4, 2, 2, 1), np.uint8), np.arange(4)
    with pytest.raises(ValueError, match="at most 100 classes, but many has 101, which would result in 1,030,301"):
        stack_channels(Arrays(pixels, labels, "many", tuple(map(str, range(101)))))


def test_stacked_images_are_loaded_by_name(tmp_path):
    np.save(tmp_path / "grey.npy", np.zeros((5, 8, 8, 1), np.uint8))
    np.save(tmp_path / "colour.npy", np.zeros((5, 8, 8, 3), np.uint8))
    assert data.load(f"stacked:{tmp_path / 'grey.npy'}", resolution=16).shape == (16, 16, 3)
    with pytest.raises(ValueError, match=r"Only grey images .* can be stacked, but .* have shape \(8, 8, 3\)"):
        data.load(f"stacked:{tmp_path / 'colour.npy'}")
    with pytest.raises(ValueError, match=r"can be stacked, but the examples of ring have shape \(2,\)"):
        data.load("stacked:ring")
