"""Pictures on sheets, and files that say that they are synthetic."""

from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import data, media


def test_to_bytes_rounds_and_clips():
    values = np.array([-1, 1, -1.5, 2, 0, 0.6 / 127.5 - 1, 0.4 / 127.5 - 1, 254.6 / 127.5 - 1], np.float32)
    assert media.to_bytes(values).tolist() == [0, 255, 0, 255, 128, 1, 0, 255]
    assert media.to_bytes(values).dtype == np.uint8
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(media.to_bytes(every.astype(np.float32) / 127.5 - 1), every)
    assert media.to_bytes(jnp.asarray([-1, 1], jnp.bfloat16)).tolist() == [0, 255]


def flat(count, height=2, width=3, channels=1):
    """Images whose every pixel is 10 times their number."""
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * 10 / 127.5 - 1
    return np.broadcast_to(images, (count, height, width, channels))


def test_a_grid_is_row_by_row_with_gaps_of_white():
    sheet = media.make_grid(flat(5), columns=3)
    first = [0, 0, 0, 255, 10, 10, 10, 255, 20, 20, 20]
    second = [30, 30, 30, 255, 40, 40, 40, 255, 255, 255, 255]
    assert sheet.dtype == np.uint8
    assert sheet[..., 0].tolist() == [first, first, [255] * 11, second, second]
    assert (
        media.make_grid(flat(4), columns=2, gap=0)[..., 0].tolist()
        == [[0] * 3 + [10] * 3] * 2 + [[20] * 3 + [30] * 3] * 2
    )


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (4, 2, 2), (5, 2, 3), (16, 4, 4), (17, 4, 5)]
)
def test_a_grid_is_near_square(count, rows, columns):
    sheet = media.make_grid(flat(count, 8, 8, 3), gap=2)
    assert sheet.shape == (10 * rows - 2, 10 * columns - 2, 3)
    tiles = [sheet[10 * r, 10 * c, 0] for r in range(rows) for c in range(columns)]
    assert tiles == [10 * i for i in range(count)] + [255] * (rows * columns - count)


def test_stacked_rows_are_row_by_row():
    found = media.stack_rows(jnp.arange(6.0).reshape(6, 1), jnp.arange(10.0, 16.0).reshape(6, 1), columns=3)
    assert found[:, 0].tolist() == [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15]
    for wrong in (jnp.zeros((5, 1)), jnp.zeros((6, 2))):
        with pytest.raises(ValueError, match="must have one shape, and a multiple of 3 images each"):
            media.stack_rows(jnp.zeros((6, 1)) if wrong.shape[1] == 2 else wrong, wrong, columns=3)


def test_channels_are_left_out_or_repeated():
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(media.match_channels(x, 3), x[..., :3])
    np.testing.assert_array_equal(media.match_channels(x[..., :1], 3), x[..., [0, 0, 0]])
    np.testing.assert_array_equal(media.match_channels(x[..., :2], 3), x[..., [0, 0, 0]])  # no picture has two


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (4, 3), (0, 4, 4, 3)])
def test_no_grid(shape):
    with pytest.raises(ValueError, match=r"must be \[N, height, width, C\].*or points, \[N, 2\]"):
        media.make_grid(np.zeros(shape))


PICTURE = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_says_that_it_is_synthetic(channels, tmp_path):
    picture = np.concatenate([PICTURE, PICTURE[..., :1]], -1)[..., :channels]
    media.save_images(tmp_path / "a.png", picture, 'jaxgan "0" <dcgan>', scale=3)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(
            np.asarray(image).reshape(15, 18, channels), np.kron(picture, np.ones((3, 3, 1), np.uint8))
        )
        assert image.text["Software"] == 'jaxgan "0" <dcgan>'
        assert 'made by jaxgan "0" <dcgan>' in image.text["Description"]
        description = ElementTree.fromstring(image.text["XML:com.adobe.xmp"])[0][0]
        told = {name.split("}")[1]: value for name, value in description.items()}
        assert told["DigitalSourceType"] == SYNTHETIC
        assert told["CreatorTool"] == 'jaxgan "0" <dcgan>'


def test_a_picture_with_examples_of_the_data_says_so(tmp_path):
    media.save_images(tmp_path / "a.png", PICTURE, "jaxgan 0 vae", beside_real=True)
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Description"].startswith("Synthetic in part or whole: made by jaxgan 0 vae")
        assert SYNTHETIC not in image.text["XML:com.adobe.xmp"]
        assert "digitalsourcetype/compositeSynthetic" in image.text["XML:com.adobe.xmp"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_animation_too(suffix, channels, tmp_path):
    frames = np.stack([PICTURE, 255 - PICTURE, PICTURE // 2])[..., :channels]
    media.save_images(tmp_path / f"a{suffix}", frames, "jaxgan 0 dcgan", frames_per_second=20)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.n_frames == 3
        image.seek(1)
        if suffix == ".webp":
            np.testing.assert_array_equal(np.asarray(image), np.broadcast_to(frames[1], (5, 6, 3)))
            assert SYNTHETIC in image.info["xmp"].decode()
        else:
            assert b"Synthetic: made by jaxgan 0 dcgan" in image.info["comment"]
        assert image.info["duration"] == 50


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("a.bmp", (4, 4, 3), r"a\.bmp: its format is not known; use one of \.png, \.jpg, \.jpeg, \.gif, \.webp"),
        ("a.png", (4, 4, 2), "images of 2 channels have no picture; write a .npz"),
        ("a.gif", (2, 4, 4, 5), "images of 5 channels have no picture; write a .npz"),
        ("a.png", (2, 4, 4, 3), r"a\.png: 2 frames in a picture; use \.gif or \.webp"),
    ],
)
def test_what_cannot_be_saved(name, shape, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        media.save_images(tmp_path / name, np.zeros(shape, np.uint8), "jaxgan")
    assert not list(tmp_path.iterdir())


def test_saved_arrays_are_loaded_again_whatever_the_suffix(tmp_path):
    samples = np.random.default_rng(0).uniform(-1, 1, (5, 4, 4, 3))
    media.save_arrays(tmp_path / "a.npz", samples)
    media.save_arrays(tmp_path / "b.NPZ", samples, np.arange(5))
    for name, classes in (("a.npz", ()), ("b.NPZ", tuple("01234"))):
        source = data.load(str(tmp_path / name))
        assert source.classes == classes
        np.testing.assert_array_equal(source.read(np.arange(5))["image"], samples.astype(np.float32))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.NPZ"]
