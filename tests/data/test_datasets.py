"""Datasets by name: one of our own that TFDS finds prepared, without TensorFlow."""

import io
import sys

import numpy as np
import pytest
from helpers.builders import builder_of
from helpers.files import encoded

from jaxgan import data
from jaxgan.data import datasets
from jaxgan.data.images import resize_images
from jaxgan.data.source import Arrays


@pytest.fixture(scope="module")
def tfds():
    """Imported after conftest.py has named the tests' own folder, which TFDS looks up once."""
    import tensorflow_datasets

    return tensorflow_datasets


PIXELS = np.random.default_rng(0).integers(0, 256, (14, 8, 8, 3), np.uint8)
LABELS = np.arange(14) % 2


@pytest.fixture(scope="module")
def prepared(tfds, tmp_path_factory):
    """tiny: of PNGs, two classes and a feature that cannot be decoded. Ten examples to train, four to test."""
    folder = tmp_path_factory.mktemp("prepared")
    features = {
        "image": tfds.features.Image(shape=(8, 8, 3)),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        "scan": tfds.features.Image(shape=(None, None, 3)),
    }
    rows = [
        {"image": io.BytesIO(encoded(x, "png")), "label": int(y), "scan": io.BytesIO(b"no png")}
        for x, y in zip(PIXELS, LABELS)
    ]
    builder = builder_of(tfds, features, {"train": rows[:10], "test": rows[10:]})
    builder(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def labelled(batch):
    return {x.tobytes(): int(y) for x, y in zip(batch["image"], batch["label"])}


EXPECTED = {x.tobytes(): int(y) for x, y in zip(PIXELS, LABELS)}


def test_a_prepared_dataset_by_name(prepared):
    source = datasets.load("tiny", "train", prepared)
    assert (len(source), source.shape, source.classes) == (10, (8, 8, 3), ("cat", "dog"))
    batch = source.read(np.arange(10))
    assert batch.keys() == {"image", "label"}
    assert (batch["image"].dtype, batch["label"].dtype) == (np.uint8, np.int32)
    assert labelled(batch) == dict(list(EXPECTED.items())[:10])
    some = source.read(np.array([7, 0, 7], np.int32))
    np.testing.assert_array_equal(some["image"], batch["image"][[7, 0, 7]])
    np.testing.assert_array_equal(some["label"], batch["label"][[7, 0, 7]])
    assert "tensorflow" not in sys.modules


def test_it_is_read_into_memory(prepared):
    source = data.load("tiny", split="test", data_dir=str(prepared))
    read_by_index = datasets.load("tiny", "test", str(prepared))
    assert isinstance(read_by_index, datasets.Dataset) and len(read_by_index) == len(source)
    assert isinstance(source, Arrays)
    assert source.classes == ("cat", "dog")
    assert labelled(source.read(np.arange(4))) == dict(list(EXPECTED.items())[10:])
    small = data.load("tiny", split="test", data_dir=str(prepared), resolution=4)
    assert small.images.shape == (4, 4, 4, 3)


def test_splits_part_and_join(prepared):
    whole = datasets.load("tiny", "train", prepared).read(np.arange(10))["image"]
    for split, rows in {"train[:50%]": whole[:5], "train[50%:]": whole[5:], "train[2:4]": whole[2:4]}.items():
        source = datasets.load("tiny", split, prepared)
        assert len(source) == len(rows)
        np.testing.assert_array_equal(source.read(np.arange(len(rows)))["image"], rows)
    assert len(datasets.load("tiny", "train+test", prepared)) == 14


@pytest.mark.parametrize("split", ["validation", "train[:x]", "train[:1%]", "train[50:60]", ""])
def test_a_split_that_is_not_there(split, prepared):
    with pytest.raises(ValueError, match="no such split, or nothing in it; it has train, test, and parts such as"):
        datasets.load("tiny", split, prepared)


def make(tfds, folder, features, rows):
    builder_of(tfds, features, {"train": rows})(data_dir=folder, file_format="array_record").download_and_prepare()
    return datasets.load("tiny", "train", folder)


def test_a_label_that_is_no_class_is_left_out(tfds, tmp_path):
    features = {
        "image": tfds.features.Tensor(shape=(8, 8, 1), dtype=np.float32),
        "label": tfds.features.Scalar(np.float32),
    }
    source = make(
        tfds, tmp_path, features, [{"image": np.full((8, 8, 1), i / 4, np.float32), "label": i} for i in range(4)]
    )
    batch = source.read(np.arange(4))
    assert (source.classes, batch.keys(), batch["image"].dtype) == ((), {"image"}, np.float32)
    assert sorted(batch["image"][:, 0, 0, 0].tolist()) == [0, 0.25, 0.5, 0.75]


def test_images_of_several_sizes_are_resized_as_they_are_read(tfds, tmp_path):
    rows = [{"image": io.BytesIO(encoded(PIXELS[i, : 4 + i], "png"))} for i in range(4)]
    source = make(tfds, tmp_path, {"image": tfds.features.Image(shape=(None, None, 3))}, rows)
    with pytest.raises(
        ValueError,
        match=r"tiny/1\.0\.0 train: its images differ in size .*; give the square size to make of them as `resolution`, say 64",
    ):
        source.read(np.arange(4))
    source = datasets.load("tiny", "train", tmp_path, resolution=4)
    assert source.shape == (4, 4, 3)
    expected = sorted(resize_images(PIXELS[i : i + 1, : 4 + i], 4).tobytes() for i in range(4))
    assert sorted(image.tobytes() for image in source.read(np.arange(4))["image"]) == expected


def test_a_dataset_without_images_is_refused(tfds, tmp_path):
    with pytest.raises(ValueError, match=r"its features are sound; jaxgan trains on 'image'"):
        make(tfds, tmp_path, {"sound": tfds.features.Scalar(np.float32)}, [{"sound": 1.0}])


def caused_by_an_import():
    try:
        raise RuntimeError("no writer") from ModuleNotFoundError("No module named 'tensorflow'")
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("No module named 'tensorflow'"), r"TFDS needs TensorFlow to prepare .* 'jaxgan\[tfds\]'"),
        (caused_by_an_import(), r"TFDS needs TensorFlow to prepare .* 'jaxgan\[tfds\]'"),
        (
            ConnectionError("no route to host"),
            "could not be prepared: ConnectionError: no route to host; prepare it where",
        ),
    ],
)
def test_what_stops_a_preparation(error, told, tfds, tmp_path, monkeypatch):
    class Failing(builder_of(tfds, {"image": tfds.features.Image()}, {"train": []}), skip_registration=True):
        name = "tiny"

        def download_and_prepare(self, **kwargs):
            raise error

    monkeypatch.setattr(tfds, "builder", lambda name, **kwargs: Failing(**kwargs))
    with pytest.raises(ValueError, match=f"`data` 'tiny'.*{told}"):
        datasets.load("tiny", "train", tmp_path)


def test_code_that_needs_tensorflow_names_the_extra(tfds, monkeypatch):
    def fail(*args, **kwargs):
        raise ImportError("No module named 'tensorflow'")

    monkeypatch.setattr(tfds, "builder", fail)
    with pytest.raises(ValueError, match=r"`data` 'tiny': TFDS needs TensorFlow .* pip install 'jaxgan\[tfds\]'"):
        datasets.load("tiny")


@pytest.mark.parametrize("name", ["huggingface:mnist", "kubric:kubric_frames/512x512", "somebody:photos:1.0.0"])
def test_code_of_others_is_not_downloaded(name, tfds, monkeypatch):
    monkeypatch.setattr(tfds, "builder", lambda *_, **__: pytest.fail("it was asked for"))
    with pytest.raises(ValueError, match=f"`data` '{name}': .* TFDS downloads its code and runs it; write its images"):
        datasets.load(name)


def test_a_name_may_have_a_version(tfds, monkeypatch):
    def fail(*args, **kwargs):
        raise ImportError("No module named 'tensorflow'")

    monkeypatch.setattr(tfds, "builder", fail)
    for name in ("mnist:3.0.1", "mnist:3.*.*"):
        with pytest.raises(ValueError, match="TFDS needs TensorFlow"):
            datasets.load(name)


@pytest.mark.parametrize("name", ["my-photos", "of all names", "mnists"])
def test_a_name_that_tfds_does_not_know(name, tmp_path):
    with pytest.raises(
        ValueError, match=f"`data` '{name}': no such file or folder, and no TFDS dataset of that name; "
    ):
        data.load(name, data_dir=str(tmp_path))


def test_a_name_needs_tfds(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        ValueError,
        match=r"`data` 'mnist': no such file or folder; a dataset of that name needs tensorflow-datasets: "
        r"pip install 'jaxgan\[tfds\]'",
    ):
        data.load("mnist")
    assert len(data.load("digits")) == 1797
