"""Tests of ``jaxgan.fid``, which computes the Frechet distance between two sets with one call."""

import numpy as np
import pytest

import jaxgan
from jaxgan.data import Arrays
from jaxgan.evaluation import Distance, compare, train_classifier
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.metrics import frechet_distance

RNG = np.random.default_rng(2)
ONE, TWO = RNG.integers(0, 200, (110, 6, 6, 3), np.uint8), RNG.integers(100, 255, (130, 6, 6, 3), np.uint8)


class Corners:
    """Feature extractor without weights. Its features are the four corner pixels."""

    protocol = {"features": "corners"}  # noqa: RUF012

    def __call__(self, images):
        return as_bytes(images)[:, [0, 0, -1, -1], [0, -1, 0, -1], 0].astype(np.float32)


def test_fid_of_arrays_files_and_sources(tmp_path):
    np.savez(tmp_path / "two.npz", images=TWO)
    expected = frechet_distance(Corners()(ONE), Corners()(TWO))
    for samples, data in (
        (ONE, TWO),
        (ONE / 127.5 - 1, tmp_path / "two.npz"),
        (Arrays(ONE), str(tmp_path / "two.npz")),
    ):
        found = jaxgan.fid(samples, data, features=Corners())
        assert isinstance(found, Distance) and found.name == "fd_corners"
        assert float(found) == found.value == pytest.approx(expected, rel=1e-6)
    assert found.protocol["samples"]["count"] == 110
    assert repr(found).splitlines()[0] == f"fd_corners {found.value:.6g}"
    assert jaxgan.fid(ONE, TWO, features=Corners(), count=50).protocol["data"]["count"] == 50


def test_fid_without_weights_trains_and_caches_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("jaxgan.evaluation.classifier.STEPS", (3, 3))
    data = Arrays(TWO, np.arange(130, dtype=np.int32) % 2, "two", ("even", "odd"))
    found = jaxgan.fid(ONE, data)
    (file,) = (tmp_path / "jaxgan" / "classifiers").iterdir()
    classifier = train_classifier(data, cache=file.parent)
    assert float(found) == compare(Arrays(ONE), data, ("fid",), classifier)["fd_classifier"]
    assert repr(found).startswith("fd_classifier ") and "trained on two" in repr(found)


def test_errors_say_which_argument_to_pass():
    with pytest.raises(ValueError, match="`features` and `weights` cannot both be given"):
        jaxgan.fid(ONE, TWO, features=Corners(), weights="inception.pth")
    with pytest.raises(OSError, match=r"`weights` nowhere\.pth cannot be read"):
        jaxgan.fid(ONE, TWO, weights="nowhere.pth")
    with pytest.raises(TypeError, match="`samples` must be a path"):
        jaxgan.fid(None, TWO)
    with pytest.raises(
        TypeError, match=r"`features` must be a feature extractor, .*, got 'vgg'\. To use Inception, pass the file"
    ):
        jaxgan.fid(ONE, TWO, features="vgg")  # pyright: ignore[reportArgumentType]


def test_fid_accepts_normalised_batches():
    """The normalisation on a device can round 255 to slightly more than 1."""
    images = RNG.integers(0, 2, (60, 6, 6, 3)).astype(np.uint8) * 255
    normalised = next(jaxgan.batches(images, 60))["image"] * np.float32(1.000001)
    assert float(normalised.max()) > 1
    assert float(jaxgan.fid(normalised, images, features=Corners())) == pytest.approx(0, abs=1e-3)
