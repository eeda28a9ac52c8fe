"""The digits that come along are scikit-learn's to the bit, in the order that earlier versions trained on."""

import subprocess
import sys

import numpy as np
import pytest
from helpers.builders import builder_of

from jaxgan import data
from jaxgan.data import digits

IMPORTS = """
import sys
from jaxgan import data
data.load("digits")
print([name for name in ("sklearn", "scipy", "tensorflow_datasets", "tensorflow") if name in sys.modules])
"""


@pytest.mark.integration
def test_neither_scikit_learn_nor_tfds_is_imported():
    told = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_file_holds_what_scikit_learn_has():
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    ink, ours = digits.read_digits()
    assert (ink.dtype, ours.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(ink.reshape(1797, 64), pixels)
    np.testing.assert_array_equal(ours, labels)


def test_order_and_name_are_those_of_tfds(tmp_path):
    """As earlier versions prepared and read them."""
    tfds = pytest.importorskip("tensorflow_datasets")
    ink, labels = digits.read_digits()
    features = {
        "image": tfds.features.Tensor(shape=(8, 8, 1), dtype=np.float32),
        "label": tfds.features.ClassLabel(num_classes=10),
    }

    images = (ink.reshape(-1, 8, 8, 1) / 8 - 1).astype(np.float32)
    examples = [{"image": image, "label": int(label)} for image, label in zip(images, labels)]
    builder = builder_of(tfds, features, {"train": examples}, "Digits")(data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare()
    for split in ("train", "train[:10%]", "train[90%:]", "train[5:-1700]", "train[-33%:-1]"):
        expected = data.read_into_memory(data.datasets.Dataset(builder, split))
        found = data.load("digits", split=split)
        assert (found.name, found.classes) == (expected.name, expected.classes)
        for ours, theirs in ((found.images, expected.images), (found.labels, expected.labels)):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def test_the_licence_is_beside_the_file():
    text = (digits._FILE.parent / "digits_license.txt").read_text()
    assert "Alpaydin" in text and "CC BY 4.0" in text
    assert digits._FILE.stat().st_size < 60_000


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ("test", "digits/1.0.0 test: no such split; it has train, and parts such as"),
        ("train[a:b]", "no such split"),
        ("train[5:5]", "nothing is in this split; it has 1,797 examples"),
    ],
)
def test_a_split_that_is_not_there(split, told):
    with pytest.raises(ValueError, match=told):
        data.load("digits", split=split)
