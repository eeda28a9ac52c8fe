"""The description of examples: equal for equal data at any place, and sufficient to replace the data by blanks."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan import data
from jaxgan.data import Arrays, Unpaired, pairs, unpaired, voxels
from jaxgan.data.description import (
    HASHED,
    are_same_examples,
    blank_source,
    describe_arrays,
    describe_examples,
    find_difference,
    is_decoder_changed,
)


def write_images(folder, count=6, seed=0, size=(16, 8)):
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng((seed, i)).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def differ(before, after):
    return find_difference(describe_examples(before), describe_examples(after))


LOADERS = {
    "photos": lambda path: data.load(str(path), resolution=8),
    "photos on disk": lambda path: data.images.ImageFiles(path, 8),
    "tiles": lambda path: data.load(f"tiles:{path}", resolution=4),
    "stacked": lambda path: data.load(f"stacked:{path}", resolution=8, channels=1),
    "pairs": lambda path: pairs.load(str(path)),
    "two folders": lambda path: pairs.load(str(path), str(path), resolution=8),
    "unpaired": lambda path: unpaired.load(str(path), str(path), resolution=8),
}


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS.keys())
def test_a_copy_a_link_and_a_zip_have_the_description_of_the_folder(load, tmp_path, monkeypatch):
    folder = write_images(tmp_path / "a" / "photos")
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "link").symlink_to(folder)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    monkeypatch.chdir(tmp_path / "a")
    for path in ("photos", "photos/", "./photos", tmp_path / "copy", tmp_path / "link", tmp_path / "photos.zip"):
        assert differ(load(folder), load(path)) == ""
    others = load(write_images(tmp_path / "others", seed=1))
    assert "number and shape of the examples are as recorded, but the hash of" in differ(load(folder), others)
    assert "value of examples is" in differ(load(folder), load(write_images(tmp_path / "more", count=7)))


def test_the_difference_is_described():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)
    labels = np.array([0, 1, 0, 1, 0, 1], np.int32)
    source = Arrays(images, labels, classes=("cat", "dog\n"))
    for other, text in (
        (Arrays(images[:5], labels[:5], classes=("cat", "dog\n")), "the recorded value of examples is 6, got 5"),
        (Arrays(images[:, :2, :2], labels), "the recorded value of shape is 4 x 4 x 3, got 2 x 2 x 3"),
        (Arrays(images, labels), r"the recorded value of classes is 2 (cat, dog\n), got 2 (0, 1)"),
        (Arrays(images), r"the recorded value of classes is 2 (cat, dog\n), got none"),
        (Arrays(images, labels, classes=("cat", "dog\n"), inputs=images), "arrays is image uint8"),
        (Arrays(images, labels[::-1], classes=("cat", "dog\n")), "but the hash of 6 of the examples differs"),
        (Arrays(255 - images, labels, classes=("cat", "dog\n")), "but the hash of 6 of the examples differs"),
    ):
        assert text in differ(source, other)
    assert differ(source, Arrays(images.copy(), labels, "elsewhere", ("cat", "dog\n"))) == ""
    more_inputs = Unpaired(Arrays(images), Arrays(np.concatenate([images, images])[:8]))
    assert "examples is 6, got 8" in differ(Unpaired(Arrays(images), Arrays(images)), more_inputs)
    shorter = Unpaired(Arrays(images), Arrays(images[:4]))
    assert "inputs is 6, got 4" in differ(Unpaired(Arrays(images), Arrays(images)), shorter)


def test_evenly_spaced_examples_are_hashed():
    images = np.random.default_rng(0).random((1000, 2), np.float32)
    description = describe_examples(Arrays(images))
    assert description["hash"]["examples"] == HASHED == 32
    for i, is_hashed in ((0, True), (1, False), (999, True), (500, False)):
        changed = images.copy()
        changed[i] = 0
        assert bool(find_difference(description, describe_examples(Arrays(changed)))) == is_hashed
    assert "got 999" in find_difference(description, describe_examples(Arrays(np.delete(images, 500, 0))))


class Own:
    """A source of a user, with the required attributes only."""

    name, classes, shape = "own", (), (4, 4, 1)

    def __init__(self, seed=0, is_random=False):
        self._rng, self._is_random = np.random.default_rng(seed), is_random
        self._images = self._rng.random((10, 4, 4, 1), np.float32)

    def __len__(self):
        return 10

    def read(self, indices):
        noise = self._rng.random((len(indices), 1, 1, 1), np.float32) if self._is_random else 0
        return {"image": self._images[indices] + np.float32(noise)}


def test_the_source_of_a_user_is_compared_by_its_examples():
    assert differ(Own(), Own()) == ""
    assert "hash of 10 of the examples differs" in differ(Own(), Own(seed=1))
    assert "hash" not in describe_examples(Own(is_random=True))
    assert differ(Own(is_random=True), Own(is_random=True)) == ""


@pytest.mark.parametrize("name", ["ring", "digits", "photos:china"])
def test_built_in_data_have_a_constant_description(name):
    resolution = 32 if name.startswith("photos") else None
    assert differ(data.load(name, resolution=resolution), data.load(name, resolution=resolution)) == ""


SOURCES = {
    "points": lambda: data.load("ring"),
    "labels": lambda: data.load("digits"),
    "bytes": lambda: Arrays(np.zeros((3, 4, 4, 3), np.uint8)),
    "inputs": lambda: Arrays(np.zeros((3, 4, 4, 3), np.uint8), inputs=np.zeros((3, 2, 2, 1), np.uint8)),
    "voxels": lambda: voxels.load("digits"),
    "unpaired": lambda: Unpaired(Arrays(np.zeros((3, 4, 4, 3), np.uint8)), Arrays(np.zeros((5, 4, 4, 1), np.uint8))),
    "own": Own,
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES.keys())
def test_blank_examples_have_the_description_of_the_data(make):
    source = make()
    description = json.loads(json.dumps(describe_examples(source)))
    blank = blank_source(description)
    assert blank.classes == tuple(source.classes) and len(blank) == len(source) and blank.shape == source.shape
    without_hash = {name: value for name, value in describe_examples(blank).items() if name not in ("hash", "name")}
    assert without_hash == {name: description[name] for name in without_hash}
    assert not any(np.any(x) for x in blank.read(np.array([0, 1])).values())
    one = blank_source(describe_arrays(source))
    assert len(one) == 1 and one.shape == source.shape


def test_the_record_of_an_older_version_suffices_for_blank_examples():
    record = {"examples": 9, "shape": [4, 4, 3], "classes": ["a", "b"]}
    blank = blank_source(record)
    assert {name: (x.shape, x.dtype) for name, x in blank.read(np.arange(2)).items()} == {
        "image": ((2, 4, 4, 3), np.uint8),
        "label": ((2,), np.int32),
    }
    assert blank_source(record, has_inputs=True).read(np.arange(2))["input"].shape == (2, 4, 4, 3)
    assert len(blank) == 9 and find_difference(record, describe_examples(blank)) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"arrays": {}},
        {"arrays": {"image": [[4, 4, 1]]}},
        {"arrays": {"image": [["a"], "uint8"]}},
        {"arrays": {"image": [[-4], "uint8"]}},
        {"arrays": {"image": [[2**40, 2**40], "uint8"]}},
        {"arrays": {"label": [[], "int32"]}},
        {"examples": 0},
        {"examples": -1},
        {"unpaired": True},
    ],
)
def test_a_damaged_record_is_an_error_of_one_sentence(change):
    record = {**describe_examples(Own()), "shape": [], **change}
    with pytest.raises(ValueError, match=r"^The record of the examples is damaged \(.*\)\. Restore the file"):
        blank_source(record)


def test_another_decoder_is_noticed():
    now = describe_examples(Own())
    before = {**now, "hash": {**now["hash"], "decoder": "Pillow 1.0"}}
    assert is_decoder_changed(before, now) and not is_decoder_changed(now, now) and not is_decoder_changed({}, now)


def test_equal_examples_are_the_same_wherever_they_come_from():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)
    source = Arrays(images, name="a")
    assert are_same_examples(source, source) and are_same_examples(source, Arrays(images.copy(), name="b"))
    for other in (images[:5], 255 - images, images[:, :2]):
        assert not are_same_examples(source, Arrays(other, name="a"))
    random = Own(is_random=True)
    assert are_same_examples(random, random)
