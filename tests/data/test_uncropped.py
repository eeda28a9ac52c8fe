"""Tests of images at their own sizes, which are decoded one by one."""

import numpy as np
import pytest
from helpers.files import encoded, folder

from jaxgan.data.layouts import as_image_set
from jaxgan.data.uncropped import UncroppedImages, uncropped_files

RNG = np.random.default_rng(0)
SIZES = [(4, 6), (8, 3), (5, 5)]  # height and width


def write(path, sizes, channels=3):
    """Write images into a folder, and return them."""
    images = [RNG.integers(0, 256, (*size, channels), np.uint8) for size in sizes]
    folder(path, {f"{i}.png": encoded(image, "png") for i, image in enumerate(images)})
    return images


def test_images_of_different_sizes_are_read_completely(tmp_path):
    images = write(tmp_path, SIZES)
    source = uncropped_files(as_image_set(tmp_path))
    assert len(source) == 3 and source.shape == (8, 6, 3) and "[8, 6, 3] or smaller" in repr(source)
    batch = source.read(np.array([2, 0, 1]))["image"]
    assert len(batch) == 3 and len(batch[1:]) == 2
    for found, i in (*zip(batch, (2, 0, 1)), *zip(batch[1:], (0, 1))):
        np.testing.assert_array_equal(found, images[i])


@pytest.mark.parametrize(("sizes", "is_uncropped"), [([(5, 5)] * 2, False), ([(5, 4)] * 2, True), (SIZES, True)])
def test_squares_of_one_size_need_no_such_source(sizes, is_uncropped, tmp_path):
    write(tmp_path, sizes)
    assert (uncropped_files(as_image_set(tmp_path)) is not None) == is_uncropped


def test_the_number_of_channels_can_be_chosen(tmp_path):
    write(tmp_path, SIZES, channels=4)
    with pytest.warns(UserWarning, match=r"3 images, of which 3 with an alpha channel \(blended with white\)"):
        assert uncropped_files(as_image_set(tmp_path)).shape == (8, 6, 3)
    assert uncropped_files(as_image_set(tmp_path), channels=4).shape == (8, 6, 4)


def test_images_are_decoded_when_they_are_iterated():
    decoded = []
    source = UncroppedImages("made", lambda i: decoded.append(i) or np.zeros((i + 1, 2, 1)), 9, (9, 2, 1))
    batch = source.read(np.arange(9))["image"]
    assert decoded == []
    assert next(iter(batch)).shape == (1, 2, 1) and decoded == [0]
