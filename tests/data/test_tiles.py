"""Tests of tiles that are cut from images of any sizes."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import load
from jaxgan.data.tiles import load_tiles, window_starts

RNG = np.random.default_rng(5)


def saved(folder, **sizes):
    images = {name: RNG.integers(0, 256, (*size, 3), np.uint8) for name, size in sizes.items()}
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")
    return images


@pytest.mark.filterwarnings("ignore:.*left out 1 of 3 images")
def test_tiles_cover_every_image_with_its_pixels(tmp_path):
    images = saved(tmp_path, a=(20, 30), b=(9, 8), c=(7, 50))
    source = load(f"tiles:{tmp_path}", resolution=8)
    assert (len(source), source.shape) == (4 * 7 + 2, (8, 8, 3))  # image c is smaller than a tile
    tiles = source.read(np.arange(len(source)))["image"]
    np.testing.assert_array_equal(tiles[0], images["a"][:8, :8])
    np.testing.assert_array_equal(tiles[27], images["a"][-8:, -8:])
    np.testing.assert_array_equal(tiles[28:], np.stack([images["b"][:8], images["b"][1:]]))
    assert load(f"tiles:{tmp_path}", resolution=8, channels=1).shape == (8, 8, 1)
    np.testing.assert_array_equal(load_tiles(tmp_path, 8).images, tiles)


@pytest.mark.parametrize(("length", "size"), [(8, 8), (9, 8), (100, 8), (31, 30), (64, 5), (3, 1)])
def test_windows_cover_the_complete_length(length, size):
    apart = max(1, size // 2)
    begin = window_starts(length, size, apart)
    assert begin[0] == 0 and begin[-1] == length - size
    assert max(np.diff(begin), default=0) <= apart


def test_invalid_images_raise(tmp_path):
    saved(tmp_path, a=(20, 30))
    with pytest.raises(
        ValueError, match=r"contains a tile of 64 x 64 pixels; the largest is 30 x 20\. Set `resolution`"
    ):
        load(f"tiles:{tmp_path}")
    with pytest.raises(ValueError, match=r"`data` 'tiles:.*none' must name an existing folder or \.zip file"):
        load(f"tiles:{tmp_path / 'none'}")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"b\.png cannot be decoded: .*replace or remove it\."):
        load(f"tiles:{tmp_path}", resolution=8)
