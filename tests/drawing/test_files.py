"""Tests of files of samples: the suffix selects arrays, a grid or an animation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.drawing import check_suffix, write_samples


def test_an_unsupported_suffix_raises():
    check_suffix(Path("a.PNG"), (".png", ".npz"))
    with pytest.raises(ValueError, match=r"`out` must be a \.png, \.gif or \.npz file, got a\.bmp\."):
        check_suffix(Path("a.bmp"), (".png", ".gif", ".npz"))
    with pytest.raises(ValueError, match=r"`out` must be a \.png or \.npz file of `styles`, got a\."):
        check_suffix(Path("a"), (".png", ".npz"), "of `styles`")


def shades(count):
    """Return grey images of 4 x 4 pixels; image i has the brightness 10 i, of 255."""
    brightness = np.arange(count, dtype=np.float32) * 10 / 127.5 - 1
    return np.broadcast_to(brightness[:, None, None, None], (count, 4, 4, 1))


def test_a_grid_is_enlarged_and_has_the_given_columns(tmp_path):
    write_samples(tmp_path / "below" / "a.png", shades(6), "jaxgan test", columns=3)
    with Image.open(tmp_path / "below" / "a.png") as image:
        factor = 256 // 9
        assert image.size == (14 * factor, 9 * factor)
        small = np.asarray(image)[::factor, ::factor]
        assert "jaxgan test" in image.text["Description"]
    assert [small[0, 5 * i] for i in range(3)] == [0, 10, 20] and small[5, 0] == 30


def test_an_animation_has_a_grid_in_each_frame(tmp_path):
    write_samples(tmp_path / "a.webp", shades(6), "jaxgan test", frames=3, columns=2)
    with Image.open(tmp_path / "a.webp") as image:
        assert image.n_frames == 3 and image.size == (9 * 64, 4 * 64)
        image.seek(1)
        assert np.asarray(image)[0, [0, -1], 0].tolist() == [20, 30]


def test_arrays_are_written_unchanged_with_their_labels(tmp_path):
    write_samples(tmp_path / "a.npz", shades(3), "jaxgan test", np.array([2, 0, 1]))
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], shades(3))
        assert arrays["labels"].tolist() == [2, 0, 1]


def test_an_error_of_writing_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"`out` .*a\.png cannot be written"):
        write_samples(tmp_path / "file" / "a.png", shades(1), "jaxgan test")
