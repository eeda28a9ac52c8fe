"""Photographs that come along: whole ones as tiles, whose part for tests no tile for training touches."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from jaxgan import data
from jaxgan.core.extras import MissingPackageError
from jaxgan.data import Arrays, photos, unpaired


def test_scikit_learns_are_its_own():
    for name in ("china", "flower"):
        np.testing.assert_array_equal(photos.load_photo(name), load_sample_image(f"{name}.jpg"))


@pytest.mark.parametrize("name", [*photos.COLOUR, *photos.GREY])
def test_each_photograph_is_there(name):
    pixels = photos.load_photo(name)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == (1 if name in photos.GREY else 3)
    assert min(pixels.shape[:2]) >= 300
    assert pixels.std() > 20
    assert photos.load_photo(name, 3).shape == (*pixels.shape[:2], 3)


def test_tiles_for_tests_share_no_pixel_with_those_for_training(monkeypatch):
    """Of a picture whose pixels are their own numbers."""
    numbered = np.arange(200 * 300, dtype=np.uint32)[:, None].view(np.uint8).reshape(200, 300, 4)
    monkeypatch.setattr(photos, "load_photo", lambda photo, channels: numbered)
    for size in (16, 30, 64):
        parts = {split: photos.load("photos:china", resolution=size, split=split) for split in ("train", "test")}
        train, test = (np.unique(np.ascontiguousarray(x.images).view(np.uint32)) for x in parts.values())
        assert not set(train.tolist()) & set(test.tolist())
        y, x = np.divmod(test, 300)
        assert (y.min(), x.min()) == (120, 180)
        step = size // 4
        rest = numbered[:, :, :2]  # what is left between the two is less than a step and a tile
        assert len(train) + len(test) > len(rest.reshape(-1, 2)) - (size + step) * 500
        assert parts["train"].shape == (size, size, 4)


@pytest.mark.parametrize("split", ["train", "test"])
def test_photos_by_name(split):
    source = data.load("photos:china", split=split)
    assert isinstance(source, Arrays)
    assert (source.shape, source.classes, source.name) == ((64, 64, 3), (), f"photos:china {split}")
    whole = load_sample_image("china.jpg")
    tile = source.images[-1]
    found = [
        (y, x) for y in range(0, 427 - 63) for x in range(0, 640 - 63)
        if (whole[y, x] == tile[0, 0]).all() and (whole[y : y + 64, x : x + 64] == tile).all()
    ]  # fmt: skip
    assert found
    assert data.load("photos:china", resolution=32, channels=1, split=split).shape == (32, 32, 1)


@pytest.mark.integration
def test_all_of_them():
    source = data.load("photos")
    assert source.shape == (64, 64, 3)
    assert len(source) == sum(len(photos.load(f"photos:{name}")) for name in photos.COLOUR) > 3000
    grass, gravel = (data.load(f"photos:{name}") for name in ("grass", "gravel"))
    assert grass.shape == (64, 64, 1)
    both = unpaired.load("photos:gravel", "photos:grass", resolution=32)
    assert both.name == "photos:grass train to photos:gravel train"
    assert [x.shape for x in both.domains.values()] == [(32, 32, 1)] * 2
    assert len(gravel) == 672
    np.testing.assert_array_equal(data.load("stacked:photos:grass").shape, (64, 64, 3))


def test_what_is_not_there(monkeypatch, tmp_path):
    for name, asked, told in (
        ("photos:tree", {}, "no such photograph; there are china, flower, astronaut, .*, gravel"),
        ("photos:", {}, "no such photograph"),
        ("photos:china", {"split": "validation"}, "no split 'validation'; it has train and test"),
        (
            "photos:china",
            {"resolution": 512},
            "no tile of 512 x 512 in its part for train; take a smaller `resolution`",
        ),
        ("photos:china", {"resolution": 0}, "`resolution` must be at least 1, got 0"),
        ("photo", {"data_dir": str(tmp_path)}, "did you mean photos"),
    ):
        with pytest.raises(ValueError, match=told):
            data.load(name, **asked)
    monkeypatch.setattr(photos.importlib.util, "find_spec", lambda name: None)
    for name, told in (
        ("photos", r"`data` photos needs scikit-image and scikit-learn: pip install 'jaxgan\[photos\]'"),
        ("photos:rocket", r"`data` photos:rocket needs scikit-image: pip install 'jaxgan\[photos\]'"),
    ):
        with pytest.raises(MissingPackageError, match=told):
            data.load(name)
    with pytest.raises(MissingPackageError, match="photograph 'china' needs scikit-learn"):
        photos.load_photo("china")


def test_an_older_package(monkeypatch, tmp_path):
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(photos.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(
        ValueError, match=r"photograph 'rocket': the installed scikit-image has no data/rocket\.jpg; install its"
    ):
        data.load("photos:rocket")
    (tmp_path / "data").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "data" / "rocket.jpg")
    assert data.load("photos:rocket", resolution=32).shape == (32, 32, 3)
