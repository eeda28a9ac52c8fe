"""Tests of data sets that are loaded by name, with a small data set that TFDS prepares without TensorFlow."""

import io
import shutil
import sys

import numpy as np
import pytest
from helpers.builders import builder_of
from helpers.files import encoded

from jaxgan import data
from jaxgan.data import datasets
from jaxgan.data.decoding import resize_images
from jaxgan.data.source import Arrays


@pytest.fixture(scope="module")
def tfds():
    """Import TFDS after conftest.py has set its data folder, because TFDS looks up the folder only once."""
    import tensorflow_datasets

    return tensorflow_datasets


PIXELS = np.random.default_rng(0).integers(0, 256, (14, 8, 8, 3), np.uint8)
LABELS = np.arange(14) % 2


@pytest.fixture(scope="module")
def prepared(tfds, tmp_path_factory):
    """A data set "tiny" of PNG images with two classes, ten training and four test examples, and an invalid feature."""
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


def test_load_reads_a_prepared_data_set(prepared):
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


def test_a_small_data_set_is_read_into_memory(prepared):
    source = data.load("tiny", split="test", data_dir=str(prepared))
    read_by_index = datasets.load("tiny", "test", str(prepared))
    assert isinstance(read_by_index, datasets.Dataset) and len(read_by_index) == len(source)
    assert isinstance(source, Arrays)
    assert source.classes == ("cat", "dog")
    assert labelled(source.read(np.arange(4))) == dict(list(EXPECTED.items())[10:])
    small = data.load("tiny", split="test", data_dir=str(prepared), resolution=4)
    assert small.images.shape == (4, 4, 4, 3)


def test_splits_can_be_divided_and_joined(prepared):
    whole = datasets.load("tiny", "train", prepared).read(np.arange(10))["image"]
    for split, rows in {"train[:50%]": whole[:5], "train[50%:]": whole[5:], "train[2:4]": whole[2:4]}.items():
        source = datasets.load("tiny", split, prepared)
        assert len(source) == len(rows)
        np.testing.assert_array_equal(source.read(np.arange(len(rows)))["image"], rows)
    assert len(datasets.load("tiny", "train+test", prepared)) == 14


@pytest.mark.parametrize("split", ["validation", "train[:x]", "train[:1%]", "train[50:60]", ""])
def test_a_missing_or_empty_split_raises(split, prepared):
    with pytest.raises(
        ValueError,
        match=r"The split '.*' of tiny/1\.0\.0 does not exist, or it is empty\. The splits are: train, test\. A part",
    ):
        datasets.load("tiny", split, prepared)


def make(tfds, folder, features, rows):
    builder_of(tfds, features, {"train": rows})(data_dir=folder, file_format="array_record").download_and_prepare()
    return datasets.load("tiny", "train", folder)


def test_a_label_without_class_names_is_ignored(tfds, tmp_path):
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


def test_images_of_different_sizes_are_resized_when_they_are_read(tfds, tmp_path):
    rows = [{"image": io.BytesIO(encoded(PIXELS[i, : 4 + i], "png"))} for i in range(4)]
    source = make(tfds, tmp_path, {"image": tfds.features.Image(shape=(None, None, 3))}, rows)
    with pytest.raises(
        ValueError,
        match=r"images of tiny/1\.0\.0 train have different sizes, such as .* Set `resolution`, for example to 64, to",
    ):
        source.read(np.arange(4))
    source = datasets.load("tiny", "train", tmp_path, resolution=4)
    assert source.shape == (4, 4, 3)
    expected = sorted(resize_images(PIXELS[i : i + 1, : 4 + i], 4).tobytes() for i in range(4))
    assert sorted(image.tobytes() for image in source.read(np.arange(4))["image"]) == expected


def test_a_data_set_without_images_raises(tfds, tmp_path):
    with pytest.raises(ValueError, match=r"has no feature 'image', which is required\. Its features are: sound\."):
        make(tfds, tmp_path, {"sound": tfds.features.Scalar(np.float32)}, [{"sound": 1.0}])


def error_caused_by_an_import():
    try:
        raise RuntimeError("no writer") from ModuleNotFoundError("No module named 'tensorflow'")
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ImportError("No module named 'tensorflow'"),
            r"TensorFlow is required to prepare `data` 'tiny' .* 'jaxgan\[tfds\]'",
        ),
        (error_caused_by_an_import(), r"TensorFlow is required to prepare `data` 'tiny' .* 'jaxgan\[tfds\]'"),
        (
            ConnectionError("no route to host"),
            r"`data` 'tiny' could not be prepared: ConnectionError: no route to host\. If this machine has no network access",
        ),
    ],
)
def test_a_failed_preparation_raises_with_a_remedy(error, message, tfds, tmp_path, monkeypatch):
    class Failing(builder_of(tfds, {"image": tfds.features.Image()}, {"train": []}), skip_registration=True):
        name = "tiny"

        def download_and_prepare(self, **kwargs):
            raise error

    monkeypatch.setattr(tfds, "builder", lambda name, **kwargs: Failing(**kwargs))
    with pytest.raises(ValueError, match=message):
        datasets.load("tiny", "train", tmp_path)


def test_a_data_set_that_needs_tensorflow_names_the_extra(tfds, monkeypatch):
    def fail(*args, **kwargs):
        raise ImportError("No module named 'tensorflow'")

    monkeypatch.setattr(tfds, "builder", fail)
    message = r"TensorFlow is required to prepare `data` 'tiny' .* pip install 'jaxgan\[tfds\]'"
    with pytest.raises(ValueError, match=message):
        datasets.load("tiny")


@pytest.mark.parametrize("name", ["huggingface:mnist", "kubric:kubric_frames/512x512", "somebody:photos:1.0.0"])
def test_a_community_data_set_is_refused(name, tfds, monkeypatch):
    monkeypatch.setattr(tfds, "builder", lambda *_, **__: pytest.fail("TFDS must not be called"))
    with pytest.raises(ValueError, match=f"`data` '{name}' does not .* download and run their code. Export the images"):
        datasets.load(name)


def test_a_name_can_contain_a_version(tfds, monkeypatch):
    def fail(*args, **kwargs):
        raise ImportError("No module named 'tensorflow'")

    monkeypatch.setattr(tfds, "builder", fail)
    for name in ("mnist:3.0.1", "mnist:3.*.*"):
        with pytest.raises(ValueError, match="TensorFlow is required to prepare"):
            datasets.load(name)


@pytest.mark.parametrize("name", ["my-photos", "of all names", "mnists"])
def test_an_unknown_name_raises(name, tmp_path):
    with pytest.raises(
        ValueError,
        match=f"`data` '{name}' does not exist as a file or folder, and TensorFlow Datasets has no data set of this",
    ):
        data.load(name, data_dir=str(tmp_path))


def test_a_name_requires_tfds(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        ValueError,
        match=r"`data` 'mnist' does not exist as a file or folder\. To load it from TensorFlow Datasets, jaxgan requires "
        r"tensorflow-datasets.*"
        r"pip install 'jaxgan\[tfds\]'",
    ):
        data.load("mnist")
    assert len(data.load("digits")) == 1797


@pytest.fixture
def offline(tfds, tmp_path, monkeypatch):
    """A data set "tiny" that must be downloaded from a host that cannot be reached. Lists the calls of TFDS."""
    from tensorflow_datasets.core.download import downloader

    calls = []

    class Remote(builder_of(tfds, {"image": tfds.features.Image()}, {"train": []}), skip_registration=True):
        name = "tiny"
        url_infos = {"https://data.example/images.zip": None}  # noqa: RUF012

        def download_and_prepare(self, **kwargs):
            calls.append(downloader.MAX_RETRIES)
            raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds, "builder", lambda name, **kwargs: Remote(**kwargs))
    monkeypatch.setattr("jaxgan.core.network.why_unreachable", lambda urls: f"{''.join(urls)[8:20]}: no route to host")
    return calls


def test_a_data_set_that_cannot_be_downloaded_raises_at_once(offline, tmp_path):
    with pytest.raises(ValueError, match=r"`samples` 'tiny' is not prepared on this machine and cannot be") as error:
        datasets.load("tiny", "train", tmp_path, argument="samples")
    assert "(data.example: no route to host). Connect this machine to the network, or prepare the data set" in str(
        error.value
    )
    assert "TFDS_DATA_DIR" in str(error.value) and not offline


def test_files_that_were_downloaded_before_are_used_without_retries(offline, tmp_path):
    from tensorflow_datasets.core.download import downloader

    (tmp_path / "downloads" / "manual").mkdir(parents=True)
    (tmp_path / "downloads" / "manual" / "images.zip").write_bytes(b"zip")
    before = downloader.MAX_RETRIES
    with pytest.raises(ValueError, match="could not be prepared: ConnectionError: no route to host"):
        datasets.load("tiny", "train", tmp_path)
    assert offline == [0] and downloader.MAX_RETRIES == before > 0


def test_a_reachable_host_keeps_the_retries(offline, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxgan.core.network.why_unreachable", lambda urls: "")
    with pytest.raises(ValueError, match="could not be prepared: ConnectionError"):
        datasets.load("tiny", "train", tmp_path)
    assert offline[0] > 0


DAMAGE = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "halved": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "noise": lambda file: file.write_bytes(np.random.default_rng(0).bytes(file.stat().st_size)),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["dataset_info.json", "features.json", "tiny-train.array_record-00000-of-00001"])
def test_a_damaged_prepared_data_set_is_named(name, damage, prepared, tmp_path):
    folder = tmp_path / "prepared"
    shutil.copytree(prepared, folder)
    DAMAGE[damage](folder / "tiny" / "1.0.0" / name)
    with pytest.raises(
        ValueError, match=r"The prepared data set in .*/prepared/tiny(/1\.0\.0)? is (damaged or )?incom"
    ):
        datasets.load("tiny", "train", folder).read(np.arange(10))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist:9.9.9", r"cannot be loaded from TensorFlow Datasets: .* cannot be loaded at version 9\.9\.9, only: "),
        ("cycle_gan/zebras", r"BuilderConfig zebras not found .*configurations are: .*cycle_gan/horse2zebra"),
    ],
)
def test_an_unknown_version_or_configuration_lists_the_known_ones(name, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        datasets.load(name, data_dir=tmp_path)
    assert "\n" not in str(error.value) and "builder_kwargs" not in str(error.value)


def test_images_of_different_sizes_are_read_uncropped(tfds, tmp_path):
    rows = [{"image": io.BytesIO(encoded(PIXELS[i, : 4 + i], "png"))} for i in range(4)]
    make(tfds, tmp_path, {"image": tfds.features.Image(shape=(None, None, 3))}, rows)
    source = data.load("tiny", data_dir=str(tmp_path), uncropped=True)
    images = list(source.read(np.arange(4))["image"])
    assert sorted(x.tobytes() for x in images) == sorted(PIXELS[i, : 4 + i].tobytes() for i in range(4))
