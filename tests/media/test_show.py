"""A grid as a picture for notebooks and files."""

import base64
import io

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxgan
from jaxgan import media

IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8, 3)).astype(np.float32)


def test_a_grid_shows_itself_and_is_written(tmp_path):
    picture = jaxgan.grid(jnp.asarray(IMAGES), tmp_path / "new" / "samples.png", columns=3)
    sheet = media.make_grid(IMAGES, columns=3)
    np.testing.assert_array_equal(np.asarray(picture), sheet.repeat(15, 0).repeat(15, 1))  # 17 rows, to 255
    assert picture._repr_png_().startswith(b"\x89PNG")  # what a notebook asks for
    with Image.open(tmp_path / "new" / "samples.png") as written:
        np.testing.assert_array_equal(np.asarray(written), np.asarray(picture))
        assert written.info["Description"].startswith(f"Synthetic: made by jaxgan {jaxgan.__version__}, a generative")


def test_bytes_grey_images_and_points_are_drawn():
    images = media.to_bytes(IMAGES)
    np.testing.assert_array_equal(np.asarray(jaxgan.grid(images)), np.asarray(jaxgan.grid(IMAGES)))
    assert jaxgan.grid(images[..., :1]).mode == "L"
    assert jaxgan.grid(np.zeros((4, 2))).size == (256, 256)


def test_a_file_beside_real_examples_says_so(tmp_path):
    jaxgan.grid(IMAGES, tmp_path / "a.png", beside_real=True)
    with Image.open(tmp_path / "a.png") as written:
        assert written.info["Description"].startswith("Synthetic in part or whole")


def test_mistakes_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"`images` must be \[N, height, width, C\].*\(8, 8, 3\). Grey images have one ch"
    ):
        jaxgan.grid(IMAGES[0])
    with pytest.raises(ValueError, match=r"got shape \(8, 8\)\.$"):
        jaxgan.grid(IMAGES[0, ..., 0])
    with pytest.raises(ValueError, match="`images` must have 1, 3 or 4 channels to be drawn, got 2"):
        jaxgan.grid(IMAGES[..., :2])
    with pytest.raises(ValueError, match="`columns` must be at least 1, got 0"):
        jaxgan.grid(IMAGES, columns=0)
    with pytest.raises(ValueError, match=r"`path` must end in \.png, \.jpg or \.jpeg, got .*a\.gif"):
        jaxgan.grid(IMAGES, tmp_path / "a.gif")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"`path` .*a\.png cannot be written"):
        jaxgan.grid(IMAGES, tmp_path / "file" / "a.png")


def test_floats_of_another_range_are_told():
    bytes_as_floats = (IMAGES + 1) * 127.5
    with pytest.warns(
        UserWarning, match=r"`images` are floats from .*, and others are clipped\. Give images / 127\.5 - 1"
    ):
        jaxgan.grid(bytes_as_floats)
    with pytest.warns(
        UserWarning, match=r"`images` are floats from .*, but .* in \[-1, 1\]\. If 0 is black, give 2 \*"
    ):
        jaxgan.grid(jnp.asarray((IMAGES + 1) / 2))
    jaxgan.grid(IMAGES * 1.5)  # what a network without a tanh may return; warnings are errors


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite_are_refused(value):
    images = IMAGES.copy()
    images[1:3, 0, 0, 0] = value
    message = r"`images` must be finite, got NaN or infinity in 2 of 5 images\. If a generator made them, its training"
    with pytest.raises(ValueError, match=message):
        jaxgan.grid(images)


def test_a_picture_is_held_by_its_html():
    text = media.as_html(Image.new("L", (1280, 320)), "<samples>")
    assert text.count("&lt;samples&gt;") == 2 and "<samples>" not in text
    data = base64.b64decode(text.partition("base64,")[2].partition('"')[0])
    assert Image.open(io.BytesIO(data)).size == (640, 160)
