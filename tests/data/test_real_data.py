"""Tests that train experiments on real images of several kinds. They are skipped if the test data are missing."""

import tarfile

import numpy as np
import pytest
from helpers import files
from helpers.programs import run

from jaxgan import data

SMALL = ["--steps", 2, "--batch-size", 8, "--g-channels", 4, "--d-channels", 4]  # flags of a tiny DCGAN


def take(archive, folder, count, suffix):
    """Extract the first ``count`` images of each folder in a tar file."""
    taken = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            parent = member.name.rpartition("/")[0]
            if member.name.endswith(suffix) and taken.get(parent, 0) < count:
                taken[parent] = taken.get(parent, 0) + 1
                tar.extract(member, folder, filter="data")
            if len(taken) > 3 and min(taken.values()) >= count:
                break
    return folder


@pytest.mark.integration
def test_training_on_resized_mnist_arrays(test_data, tmp_path, capsys):
    mnist = files.mnist(test_data, "t10k")
    images = mnist.images[:500]
    np.savez(tmp_path / "mnist.npz", images=images, labels=mnist.labels[:500])
    source = data.load(str(tmp_path / "mnist.npz"), resolution=32)
    assert source.shape == (32, 32, 1)
    assert source.classes == tuple("0123456789")
    assert abs(float(source.read(np.arange(500))["image"].mean()) - images.mean()) < 2
    flags = ["--data", tmp_path / "mnist.npz", "--run-dir", tmp_path / "run", *SMALL, "--base-resolution", 16]
    code, text = run(capsys, *flags)
    assert (code, "got 28. Use 32, or --base-resolution 7" in text) == (2, True)
    code, text = run(capsys, *flags, "--resolution", 32)
    assert code == 0, text


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:.*the split train is used:UserWarning")
@pytest.mark.parametrize(
    ("archive", "suffix", "size"),
    [("eurosat/eurosat_River.tar.xz", ".png", 64), ("cifar10/cifar10_jpeg_q75.tar.xz", ".jpg", 32)],
)
def test_training_on_folders_of_colour_photos(test_data, archive, suffix, size, tmp_path, capsys):
    folder = take(test_data / archive, tmp_path / "images", 20, suffix)
    source = data.load(str(folder))
    assert source.shape == (size, size, 3)
    assert len(source) >= 20
    means = source.read(np.arange(len(source)))["image"].mean((0, 1, 2))
    assert (means > 40).all()
    assert (means < 200).all()
    flags = ["--data", folder, "--run-dir", tmp_path / "run", "--steps", 2, "--batch-size", 8]
    code, text = run(capsys, *flags, experiment="gan")
    assert code == 0, text
