"""Tests of the photographs: complete ones are found, and training tiles do not overlap test tiles."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from jaxgan import data
from jaxgan.core.extras import MissingPackageError
from jaxgan.data import Arrays, photos, unpaired


def test_photographs_of_scikit_learn_are_identical():
    for name in ("china", "flower"):
        np.testing.assert_array_equal(photos.load_photo(name), load_sample_image(f"{name}.jpg"))


@pytest.mark.parametrize("name", [*photos.COLOUR, *photos.GREY])
def test_each_photograph_can_be_loaded(name):
    pixels = photos.load_photo(name)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == (1 if name in photos.GREY else 3)
    assert min(pixels.shape[:2]) >= 300
    assert pixels.std() > 20
    assert photos.load_photo(name, 3).shape == (*pixels.shape[:2], 3)


def test_training_tiles_do_not_overlap_test_tiles(monkeypatch):
    """Every pixel of the photograph has its index as its value, so that pixels can be identified in tiles."""
    numbered = np.arange(200 * 300, dtype=np.uint32)[:, None].view(np.uint8).reshape(200, 300, 4)
    monkeypatch.setattr(photos, "load_photo", lambda photo, channels: numbered)
    for size in (16, 30, 64):
        parts = {split: photos.load("photos:china", resolution=size, split=split) for split in ("train", "test")}
        train, test = (np.unique(np.ascontiguousarray(x.images).view(np.uint32)) for x in parts.values())
        assert not set(train.tolist()) & set(test.tolist())
        y, x = np.divmod(test, 300)
        assert (y.min(), x.min()) == (120, 180)
        step = size // 4
        rest = numbered[:, :, :2]  # the strip between the two parts is narrower than a step and a tile
        assert len(train) + len(test) > len(rest.reshape(-1, 2)) - (size + step) * 500
        assert parts["train"].shape == (size, size, 4)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_photograph_is_loaded_by_its_name(split):
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
def test_all_photographs_are_loaded():
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


def test_missing_photographs_and_packages_raise(monkeypatch, tmp_path):
    for name, options, message in (
        ("photos:tree", {}, r"is not one of the photographs\. Use .* names: china, flower, astronaut, .*, gravel"),
        ("photos:", {}, "is not one of the photographs"),
        ("photos:china", {"split": "validation"}, "`split` must be train or test .*, got 'validation'"),
        (
            "photos:china",
            {"resolution": 512},
            "`resolution` 512 is too large for `data` 'photos:china': the train part",
        ),
        ("photos:china", {"resolution": 0}, "`resolution` must be at least 1, got 0"),
        ("photo", {"data_dir": str(tmp_path)}, "Did you mean photos"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(name, **options)
    monkeypatch.setattr(photos.importlib.util, "find_spec", lambda name: None)
    for name, message in (
        ("photos", r"`data` 'photos' requires scikit-image and scikit-learn.* pip install 'jaxgan\[photos\]'"),
        ("photos:rocket", r"`data` 'photos:rocket' requires scikit-image.* pip install 'jaxgan\[photos\]'"),
    ):
        with pytest.raises(MissingPackageError, match=message):
            data.load(name)
    with pytest.raises(MissingPackageError, match="The photograph 'china' requires scikit-learn"):
        photos.load_photo("china")


def test_an_older_package_without_the_photograph_raises(monkeypatch, tmp_path):
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(photos.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(
        ValueError,
        match=r"photograph 'rocket' is missing: the installed scikit-image does not contain data/rocket\.jpg",
    ):
        data.load("photos:rocket")
    (tmp_path / "data").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "data" / "rocket.jpg")
    assert data.load("photos:rocket", resolution=32).shape == (32, 32, 3)
