"""Tests of the bundled digits: they are identical to scikit-learn's, in the order that earlier versions used."""

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
def test_loading_imports_neither_scikit_learn_nor_tfds():
    result = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_file_is_identical_to_scikit_learns_data():
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    ink, ours = digits.read_digits()
    assert (ink.dtype, ours.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(ink.reshape(1797, 64), pixels)
    np.testing.assert_array_equal(ours, labels)


def test_order_and_name_agree_with_tfds(tmp_path):
    """The digits are prepared with TFDS here, as earlier versions of jaxgan prepared them."""
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


def test_the_licence_is_next_to_the_data():
    text = (digits._FILE.parent / "digits_license.txt").read_text()
    assert "Alpaydin" in text and "CC BY 4.0" in text
    assert digits._FILE.stat().st_size < 60_000


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("test", r"The split 'test' of digits does not exist\. The only split is train\. A part of it is also allowed"),
        ("train[a:b]", "does not exist"),
        ("train[5:5]", r"train\[5:5\]' of digits is empty\. The data set has 1,797 examples"),
    ],
)
def test_a_missing_or_empty_split_raises(split, message):
    with pytest.raises(ValueError, match=message):
        data.load("digits", split=split)
