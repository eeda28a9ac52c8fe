"""Tests of the layouts of folders and zips: splits, classes, domains, dataset.json, and files that are left out."""

import json
import os
import sys
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from helpers.files import archive, encoded, folder, noise
from PIL import Image

from jaxgan import data
from jaxgan.data.dataset_json import Labels, read_dataset_json
from jaxgan.data.folders import MAX_DEPTH, Listing, check_is_no_run, list_files
from jaxgan.data.layouts import (
    ImageSet,
    as_image_set,
    classes_of_folders,
    explain_missing_labels,
    find_split,
    find_test_split,
    has_domains,
    has_split,
    select_domain,
)
from jaxgan.data.loading import check_no_split
from jaxgan.data.survey import survey
from jaxgan.data.system_files import is_system_name
from jaxgan.experiment import require_classes

MAKE = pytest.mark.parametrize("make", [folder, archive])


def grey(value, size=(8, 8)):
    return encoded(Image.new("L", size, value), "png")


def made(make, path, names, size=(8, 8)):
    """Write images, in which all pixels have the index of the image in ``names``, and return the path as text."""
    return str(make(path / "data.zip", {name: grey(i, size) for i, name in enumerate(names)}))


def loaded(path, **options):
    """Return the values and the names of the classes of all images, and the warnings as one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = data.load(path, **options)
    batch = source.read(np.arange(len(source)))
    labels = [source.classes[i] for i in batch["label"]] if "label" in batch else None
    return batch["image"][:, 0, 0, 0].tolist(), labels, " ".join(str(w.message) for w in caught)


CATS = ["cat/a.png", "dog/a.png", "dog/b.png"]
TRAIN = [f"train/{name}" for name in CATS]

# By name: the files, the split, the expected images and classes, and a part of the warnings ("" for none).
LAYOUTS = {
    "classes": (CATS, "train", [0, 1, 2], ["cat", "dog", "dog"], ""),
    "train and test": ([*TRAIN, "test/cat/x.png"], "train", [0, 1, 2], ["cat", "dog", "dog"],
                       "the split train is used (3 of 4 images), without test (1)."),
    "the test split": ([*TRAIN, "test/cat/x.png", "test/owl/x.png"], "test", [3, 4], ["cat", "owl"], "the split test is used (2 of 5 images), without train (3)."),
    "valid": (["Train/a.png", "Valid/b.png", "Test/c.png"], "val", [1], None, "the split validation is used (1 of 3 images), without train (1) and test (1)."),
    "flat": (["train/a.png", "train/b.png", "val/c.png"], "train", [0, 1], None, "(2 of 3 images), without validation (1)."),
    "in a folder": ([f"photos/{name}" for name in [*TRAIN, "test/cat/x.png"]], "train", [0, 1, 2], ["cat", "dog", "dog"], "split train"),
    "splits of classes": (["cat/test/z.png", "cat/train/a.png", "dog/train/b.png"], "train", [1, 2], ["cat", "dog"], "(2 of 3 images), without test (1)."),
    "beside splits": (["a.png", "test/x.png", "train/b.png"], "train", [2], None, "without test (1) and the images beside the folders of splits (1)."),
    "only train": (TRAIN, "train", [0, 1, 2], ["cat", "dog", "dog"], ""),
    "only test": (["test/a.png"], "train", [0], None, ""),
    "only test, as asked": (["test/a.png"], "test", [0], None, ""),
    "a class named test": (["cat/a.png", "test/a.png"], "train", [0, 1], ["cat", "test"], ""),
    "a class named train": (["bus/a.png", "train/a.png"], "train", [0, 1], ["bus", "train"], ""),
    "domains as classes": (["testA/x.png", "trainA/a.png", "trainB/b.png"], "train", [1, 2], ["A", "B"], "(2 of 3 images), without test (1)."),
    "a stray image": (["cat/a.png", "dog/b.png", "stray.png"], "train", [0, 1, 2], None,
                      "the images have no labels, because 1 of them (stray.png) are in no folder, beside the folders cat, dog. If the"),
    "nested": (["cat/a.png", "cat/old/b.png", "dog/c.png"], "train", [0, 1, 2], ["cat", "cat/old", "dog"], "the class cat/old is inside of the folder of the class cat"),
    "nested classes": (["a/b/x.png", "a/c/x.png"], "train", [0, 1], ["b", "c"], ""),
    "upper case": (["Cat/a.png", "cat/b.png"], "train", [0, 1], ["Cat", "cat"], "the classes Cat and cat differ only in upper and lower case"),
    "one class": (["cat/a.png", "cat/b.png"], "train", [0, 1], None, ""),
    "numbers": ([f"{i}/a.png" for i in (0, 1, 10, 11, 2)], "train", [0, 1, 2, 3, 4], ["0", "1", "10", "11", "2"], ""),
}  # fmt: skip


@MAKE
@pytest.mark.parametrize(("names", "split", "images", "classes", "warned"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_folders_are_splits_and_classes(make, names, split, images, classes, warned, tmp_path):
    path = made(make, tmp_path, names)
    found = loaded(path, split=split)
    assert found[:2] == (images, classes)
    assert warned in found[2] and bool(warned) == bool(found[2])
    assert survey_count(path, split) == len(images)


def survey_count(path, split):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return survey(path).count if split == "train" else len(find_split(Path(path), split).names)


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        (["bus/a.png", "test/a.png", "train/a.png"], "train", r"contains test, train, which are names of splits, beside bus\. Pass the folder of one split\. If they"),
        (["test/a.png", "val/a.png"], "train", r"has no split 'train', but the splits validation \(1\) and test \(1\)"),
        (CATS, "test", r"has no split 'test', because it contains no folders with the names train and test"),
        (CATS, "train[:90%]", r"`split` must be train, validation or test for .*, got 'train\[:90%\]'"),
    ],
)  # fmt: skip
def test_unclear_or_missing_splits_are_refused(names, split, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.load(made(folder, tmp_path, names), split=split)


def test_arrays_have_no_splits(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8, 1), np.uint8))
    for name in (str(tmp_path / "a.npy"), "ring"):
        with pytest.raises(ValueError, match=r"`split` must be train for .*, which has no splits, got 'test'"):
            data.load(name, split="test")


def test_a_missing_label_is_explained(tmp_path):
    stray = made(folder, tmp_path / "1", ["cat/a.png", "dog/b.png", "stray.png"])
    single = made(folder, tmp_path / "2", ["cat/a.png"])
    flat = made(folder, tmp_path / "3", ["a.png"])
    for path, message in (
        (
            stray,
            r"because 1 of them \(stray\.png\) are in no folder, beside the folders cat, dog\. If the folders are classes",
        ),
        (single, r"All its images are in one folder, cat, and a single class needs no labels"),
        (flat, r"because they are in no sub-folders\. Put the images of each class into a folder of its own"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = data.load(path)
        with pytest.raises(ValueError, match=f"has no labels, but a conditional model needs them. .*{message}"):
            require_classes(source)
    assert explain_missing_labels(tmp_path / "none") == ""
    with pytest.raises(ValueError, match=r"ring has no labels, .* Use an \.npz file with labels"):
        require_classes(data.load("ring"))


LABELS = [["00000/a.png", 6], ["00000/b.png", 2], ["00001/c.png", 6]]
NUMBERED = ["00000/a.png", "00000/b.png", "00001/c.png"]


def with_json(make, path, content, names=NUMBERED, at="dataset.json"):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return str(make(path / "data.zip", {at: text, **{name: grey(i) for i, name in enumerate(names)}}))


@MAKE
@pytest.mark.parametrize(
    ("labels", "classes", "warned"),
    [
        (LABELS, ["6", "2", "6"], "not the numbers from 0 to 1, but 2, 6"),
        ([[name, i % 2] for i, (name, _) in enumerate(LABELS)], ["0", "1", "0"], ""),
        ([[name, [1.0, 0.0] if label == 6 else [0, 1]] for name, label in LABELS], ["0", "1", "0"], ""),
        (
            [*[[name, 0] for name, _ in LABELS], ["gone.png", 3]],
            ["0", "0", "0"],
            "labels of 1 images that are not among",
        ),
        (None, None, ""),
    ],
)
def test_labels_are_read_from_dataset_json(make, labels, classes, warned, tmp_path):
    _, found, text = loaded(with_json(make, tmp_path, {"labels": labels}))
    assert found == classes and warned in text and bool(warned) == bool(text)


@MAKE
def test_dataset_json_is_found_beside_and_around_the_images(make, tmp_path):
    labels = {"labels": [["00000/a.png", 1], ["00000/b.png", 0]]}
    for at, names in (("dataset.json", NUMBERED[:2]), ("set/dataset.json", [f"set/{name}" for name in NUMBERED[:2]])):
        path = with_json(make, tmp_path / at.replace("/", "-"), labels, names, at) if make is folder else None
        if path is None:
            (tmp_path / at.replace("/", "-")).mkdir()
            path = with_json(make, tmp_path / at.replace("/", "-"), labels, names, at)
        assert loaded(path)[1:] == (["1", "0"], "")


def test_a_file_of_another_program_is_not_used(tmp_path):
    path = with_json(folder, tmp_path, {"name": "mine"})
    assert loaded(path)[1] == ["00000", "00000", "00001"]
    assert "dataset.json is not used, because it has no entry 'labels'" in loaded(path)[2]


@MAKE
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"labels": [', "is not valid JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"[" * 100_000, "JSON|inside each other"),
        ([1, 2], "must be an object"),
        ({"labels": 3}, "must be a list or null"),
        ({"labels": [["00000/a.png"]]}, r'entry 0 of "labels" must be a name and a label, as in \["a\.png", 6\]'),
        ({"labels": [[3, 4]]}, 'entry 0 of "labels"'),
        ({"labels": LABELS[:1]}, r"has no label for 2 of 3 images, the first of which is 00000/b\.png"),
        ({"labels": [*LABELS, LABELS[0]]}, "has two labels for the image 00000/a.png"),
        ({"labels": [[name, None] for name in NUMBERED]}, "the labels must be whole numbers, or one-hot vectors"),
        ({"labels": [[name, "cat"] for name in NUMBERED]}, "the labels must be whole numbers, or one-hot vectors"),
        ({"labels": [[name, [0.5, 0.5]] for name in NUMBERED]}, "the labels must be whole numbers, .* or one-hot"),
        ({"labels": [[NUMBERED[0], [1, 0]], [NUMBERED[1], [1]], [NUMBERED[2], [0, 1]]]}, "vectors of equal length"),
    ],
)
def test_a_damaged_dataset_json_is_refused_with_its_name(make, content, message, tmp_path):
    with pytest.raises(ValueError, match=rf"dataset\.json.*({message})"):
        data.load(with_json(make, tmp_path, content))


SYSTEM = [
    "__MACOSX/._a.png", "._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg",
    "cat/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg", "#recycle/a.png", "$RECYCLE.BIN/a.png", "System Volume Information/a.png",
    "lost+found/a.png", ".ipynb_checkpoints/a.png", ".git/a.png", "__pycache__/a.png", ".thumbnails/a.png",
    ".Trash-1000/files/a.png", ".AppleDouble/a.png", ".@__thumb/a.png", "Thumbs/a.png", ".picasaoriginals/a.png",
    ".dtrash/a.png", "@Recycle/a.png", "#snapshot/a.png", "SYNOPHOTO_THUMB_B.jpg", "a.png@SynoEAStream", "~$a.png",
]  # fmt: skip


@MAKE
@pytest.mark.parametrize("name", SYSTEM)
def test_files_of_systems_are_neither_images_nor_classes(make, name, tmp_path):
    assert is_system_name(name.split("/")[0]) or is_system_name(name.split("/")[1])
    images, classes, warned = loaded(made(make, tmp_path, ["cat/a.png", "dog/b.png", name]))
    assert (images, classes) == ([0, 1], ["cat", "dog"])
    is_image = "/" in name or name in ("._a.png", "SYNOPHOTO_THUMB_B.jpg", "~$a.png")
    assert ("left out" in warned) == is_image


def test_all_that_is_left_out_is_one_line(tmp_path):
    names = {
        "cat/a.png": noise(),
        "dog/b.png": noise(),
        "cat/._a.png": b"",
        "@eaDir/x.png": b"",
        "#recycle/x.png": b"",
        "a.txt": b"",
    }
    path = folder(tmp_path / "set", names)
    (path / "owl").mkdir()
    with pytest.warns(UserWarning, match="left out") as caught:
        data.load(str(path))
    assert [str(w.message) for w in caught] == [
        f"{path}: left out 1 file that is not an image: 1 .txt; folders that are hidden, runs, or of the system: #recycle, "
        "@eaDir; hidden images: 1 (cat/._a.png); folders without images: owl."
    ]


def paired(path, names, size=(8, 8), **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = data.pairs.load(made(folder, path, names, size), **options)
    batch = source.read(np.arange(len(source)))
    return list(zip(batch["input"][:, 0, 0, 0].tolist(), batch["image"][:, 0, 0, 0].tolist()))


DOMAINS = {
    "A and B": ["A/1.png", "A/2.png", "B/1.png", "B/2.png"],
    "trainA and trainB": ["trainA/1.png", "trainA/2.png", "trainB/1.png", "trainB/2.png", "testA/1.png", "testB/1.png"],
    "train_a and train_b": ["train_a/1.png", "train_a/2.png", "train_b/1.png", "train_b/2.png"],
    "train/A": ["train/A/1.png", "train/A/2.png", "train/B/1.png", "train/B/2.png", "test/A/1.png", "test/B/1.png"],
    "A/train": ["A/train/1.png", "A/train/2.png", "B/train/1.png", "B/train/2.png", "A/test/3.png", "B/test/3.png"],
}


@pytest.mark.parametrize("names", DOMAINS.values(), ids=DOMAINS.keys())
def test_folders_of_domains_are_pairs_and_unpaired_sets(names, tmp_path):
    assert paired(tmp_path, names) == [(0, 2), (1, 3)]
    assert paired(tmp_path, names, direction="right-to-left") == [(2, 0), (3, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = [data.unpaired.load(made(make, tmp_path / make.__name__, names)) for make in (folder,)]
        images = find_split(Path(made(folder, tmp_path, names)))
    for source in sources:
        batch = source.read(np.arange(2))
        assert sorted(batch["input"][:, 0, 0, 0].tolist()) == [0, 1]
        assert sorted(batch["image"][:, 0, 0, 0].tolist()) == [2, 3]
    assert has_domains(images) and len(select_domain(images, "A").names) == 2


def test_the_test_split_of_pairs_is_found(tmp_path):
    path = made(folder, tmp_path, ["test/a.png", "train/b.png", "train/c.png", "val/d.png"], (16, 8))
    assert has_split(path, "test") and not has_split(path + "/train", "test") and not has_split("digits", "test")
    with pytest.warns(
        UserWarning, match=r"the split test is used \(1 of 4 images\), without train \(2\) and validation \(1\)"
    ):
        assert len(data.pairs.load(path, split="test")) == 1


@pytest.mark.parametrize("size", [(8, 8), (24, 16), (16, 9), (12, 16), (30, 20), (8, 16), (24, 8)])
def test_photographs_are_not_cut_into_pairs(size, tmp_path):
    path = made(folder, tmp_path, ["a.png", "b.png"], size)
    with pytest.raises(ValueError, match=r"2 of 2 files are not about twice as wide as high, such as a\.png, which is"):
        data.pairs.load(path)
    assert data.pairs.load(path, halves="any").shape == (size[1], size[0] // 2, 1)


@pytest.mark.parametrize("size", [(16, 8), (512, 256), (1200, 600), (1024, 500)])
def test_files_twice_as_wide_as_high_are_pairs(size, tmp_path):
    assert len(data.pairs.load(made(folder, tmp_path, ["a.png"], size))) == 1


def test_folders_inside_each_other_are_limited(tmp_path):
    deep = tmp_path / "set"
    folder(deep, {"a.png": noise()})
    deepest = deep.joinpath(*["d"] * (MAX_DEPTH + 1))
    deepest.mkdir(parents=True)
    with pytest.raises(ValueError, match=r"set has more than 100 folders inside each other, such as d/d/d"):
        data.load(str(deep))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_strange_names_are_read(tmp_path):
    path = folder(tmp_path / "set", {"line\nbreak/a.png": grey(0), "b/\x1b[2J.png": grey(1)})
    os.makedirs(os.fsencode(path) + b"/caf\xe9")
    with open(os.fsencode(path) + b"/caf\xe9/\xff.png", "wb") as file:
        file.write(grey(2))
    os.symlink("nowhere.png", path / "b" / "broken.jpg")
    with pytest.raises(ValueError, match=r"b/broken\.jpg cannot be opened: No such file"):
        data.load(str(path))
    (path / "b" / "broken.jpg").unlink()
    os.symlink("loop", path / "loop")
    images, classes, _ = loaded(str(path))
    assert sorted(images) == [0, 1, 2]
    assert sorted(set(classes)) == ["b", "caf\\xe9", "line\nbreak"]
    json.dumps(classes, ensure_ascii=False).encode()  # the classes of a run are written to JSON


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_is_not_opened(tmp_path):
    path = folder(tmp_path / "set", {"a.png": noise()})
    os.mkfifo(path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png is not a regular file\. Remove it"):
        data.load(str(path))


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root can read every folder")
def test_an_unreadable_folder_is_named(tmp_path):
    path = folder(tmp_path / "set", {"a/a.png": noise(), "b/b.png": noise()})
    (path / "b").chmod(0)
    with pytest.raises(ValueError, match=r"set: the folder b cannot be listed: Permission denied"):
        data.load(str(path))


def test_a_folder_that_vanishes_is_named(tmp_path, monkeypatch):
    path = folder(tmp_path / "set", {"a/a.png": noise(), "b/b.png": noise()})
    scan = os.scandir

    def failing(place):
        if str(place).endswith("b"):
            raise OSError(5, "Input/output error")
        return scan(place)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(ValueError, match=r"set: the folder b cannot be listed: Input/output error"):
        list_files(path).listing()


def test_classes_are_paths_of_folders():
    classes, labels = classes_of_folders("x", [PurePosixPath(name) for name in CATS])
    assert classes == ("cat", "dog") and labels.tolist() == [0, 1, 1] and labels.dtype == np.int32


@MAKE
def test_a_listing_names_files_folders_and_what_is_skipped(make, tmp_path):
    path = make(tmp_path / "data.zip", {"b/x.png": noise(), "a.txt": b"", "@eaDir/x.png": b"", ".x.png": b""})
    names, folders, skipped = list_files(path).listing()
    assert Listing(names, folders, sorted(skipped)) == Listing(["a.txt", "b/x.png"], [".", "b"], [".x.png", "@eaDir/"])


@MAKE
def test_labels_of_images_without_classes_are_none(make, tmp_path):
    images = find_split(Path(with_json(make, tmp_path, {"labels": None})))
    assert isinstance(images, ImageSet) and images.around == PurePosixPath()
    assert read_dataset_json(images) == Labels((), None)
    assert read_dataset_json(find_split(Path(made(make, tmp_path / "b" if make is folder else tmp_path, CATS)))) is None


def test_data_without_splits_are_the_split_train():
    check_no_split("train", "x")
    with pytest.raises(ValueError, match="`split` must be train for x, which has no splits, got 'val'"):
        check_no_split("val", "x")


def test_the_directory_of_a_run_is_no_data_set(tmp_path):
    folder(tmp_path / "run", {"config.json": b'{"experiment": "gan", "config": {}}', "samples/a.png": noise()})
    for path in (tmp_path / "run", tmp_path / "run" / "samples"):
        with pytest.raises(
            ValueError, match=r"run, and its images are sample grids .* run `jaxgan sample .*run --count"
        ):
            check_is_no_run(path)
    check_is_no_run(folder(tmp_path / "samples", {"a.png": noise()}))


def test_an_image_set_is_not_read_again(tmp_path):
    path = folder(tmp_path, {"train/a.png": noise(), "train/b.png": noise(), "test/c.png": noise()})
    with pytest.warns(UserWarning, match="the split train is used"):
        images = as_image_set(str(path))
    assert images.names == ["train/a.png", "train/b.png"] and as_image_set(images) is images


def test_the_test_images_of_training_images_are_found(tmp_path):
    inside = folder(tmp_path / "inside", {"train/a.png": noise(), "test/b.png": noise(), "val/c.png": noise()})
    assert find_test_split(str(inside)) == (str(inside), "test")
    beside = folder(tmp_path / "beside", {"train/a.png": noise(), "val/c.png": noise(), "test/notes.txt": b"x"})
    for prefix in ("", "tiles:"):
        found = find_test_split(f"{prefix}{beside / 'train'}")
        assert found == (f"{prefix}{beside / 'val'}", "train")
    for path in (folder(tmp_path / "photos", {"a.png": noise()}), tmp_path / "none", "digits"):
        assert find_test_split(str(path)) is None
