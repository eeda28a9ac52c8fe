"""Tests of the conversion to uint8, and of both resizing methods against TensorFlow 1's definition and clean-fid."""

import numpy as np
import pytest

from jaxgan.evaluation.preprocessing import as_bytes, resize_clean, resize_tf1

RNG = np.random.default_rng(4)


def test_resize_tf1_has_no_half_pixel_offset_and_no_antialiasing():
    line = np.array([10.0, 20.0]).reshape(1, 1, 2, 1)
    found = resize_tf1(np.repeat(line, 2, 1), 4)[0, 0, :, 0]
    np.testing.assert_allclose(found, [10, 15, 20, 20])  # no half pixel offset: the first pixel is unchanged
    line = np.arange(4.0).reshape(1, 1, 4, 1)
    np.testing.assert_allclose(resize_tf1(np.repeat(line, 4, 1), 2)[0, 0, :, 0], [0, 2])  # no antialiasing


@pytest.mark.parametrize(("height", "width", "size"), [(5, 9, 17), (31, 12, 8), (6, 6, 6), (1, 1, 3)])
def test_resize_tf1_equals_a_loop_over_pixels(height, width, size):
    images = RNG.integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    found = np.asarray(resize_tf1(images, size))
    assert found.dtype == np.float32
    for i in range(size):
        for j in range(size):
            y, x = i * height / size, j * width / size
            top, left = int(y), int(x)
            below, beside = min(top + 1, height - 1), min(left + 1, width - 1)
            y, x = y - top, x - left
            above = (1 - x) * images[:, top, left].astype(float) + x * images[:, top, beside]
            under = (1 - x) * images[:, below, left].astype(float) + x * images[:, below, beside]
            np.testing.assert_allclose(found[:, i, j], (1 - y) * above + y * under, atol=1e-4)


def test_resize_clean_equals_clean_fid():
    """The expected numbers are results of build_resizer("clean") of clean-fid 0.1.35, for the three channels."""
    image = np.random.RandomState(5).randint(0, 256, (40, 33, 3)).astype(np.uint8)
    found = resize_clean(image[None], 299)[0]
    assert found.shape == (299, 299, 3) and found.dtype == np.float32
    assert found.min() == 0 and found.max() == 255  # values that bicubic interpolation moves out of range are clipped
    np.testing.assert_allclose(found[100, 7], [47.2093124, 101.0484085, 48.8496933], atol=1e-4)
    np.testing.assert_allclose(found.mean((0, 1), dtype=float), [126.5041777, 127.7735318, 124.7386567], rtol=1e-8)
    np.testing.assert_array_equal(resize_clean(image[None, :33], 33)[0], image[:33])


def test_resize_clean_averages_pixels_that_resize_tf1_ignores():
    stripes = np.tile(np.array([0, 0, 0, 255], np.uint8), 16)[None, None, :, None].repeat(64, 1)
    assert np.asarray(resize_tf1(stripes, 16)).max() == 0
    assert abs(resize_clean(stripes, 16).mean() - 255 / 4) < 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8), np.uint8), r"a non-empty array \[N, height, width, C\], got the shape \(2, 8, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), r"got the shape \(0, 8, 8, 3\)"),
        (np.zeros((2, 8, 8, 3), np.int64), "Images must be uint8 from 0 to 255, or floats from -1 to 1, got int64"),
        (np.full((2, 8, 8, 3), 255.0), "Float images must be from -1 to 1, got 255 to 255. If they are from 0 to 255,"),
        (np.full((2, 8, 8, 3), np.nan, np.float32), "got nan to nan"),
    ],
)
def test_invalid_images_raise(images, message):
    with pytest.raises(ValueError, match=message):
        as_bytes(images)


def test_as_bytes_rounds_floats():
    found = as_bytes(np.array([-1, -0.996, 0, 1], np.float32).reshape(1, 2, 2, 1))
    assert found.reshape(-1).tolist() == [0, 1, 128, 255]


def test_as_bytes_tolerates_floats_slightly_out_of_range():
    images = np.array([-1.0009, 0.0, 1.0009], np.float32).reshape(1, 1, 3, 1)
    assert as_bytes(images).ravel().tolist() == [0, 128, 255]
    with pytest.raises(ValueError, match=r"Float images must be from -1 to 1, got -1\.00101 to 1\."):
        as_bytes(np.array([-1.00101, 1.0]).reshape(1, 1, 2, 1))
