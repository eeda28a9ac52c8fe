"""Tests of the features of the fixed random network: their ranking of corrupted images, and their use without labels."""

import itertools

import numpy as np
import pytest
from PIL import Image

import jaxgan
from jaxgan import __main__ as console
from jaxgan.data import Arrays, load
from jaxgan.evaluation import compare, make_extractor
from jaxgan.evaluation.random_network import RandomFeatures
from jaxgan.metrics import frechet_distance

WEIGHTS = "93ccbf7f5c6da309696b8d2f8ab8e3333560df802415053a33722af935f9899b"


@pytest.fixture(scope="module")
def network():
    return RandomFeatures()


@pytest.fixture(scope="module")
def halves():
    """Two disjoint sets of 128 tiles of photographs each, at 32 x 32 pixels."""
    source = load("photos", resolution=32)
    tiles = source.read(np.random.default_rng(0).permutation(len(source))[:256])["image"]
    return tiles[:128], tiles[128:]


def with_noise(images, strength):
    noise = np.random.default_rng(1).normal(0, strength, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def blurred(images, strength):
    small = round(32 / strength)
    return np.stack([np.asarray(Image.fromarray(x).resize((small, small)).resize((32, 32))) for x in images])


CORRUPTIONS = {
    "noise": (with_noise, (15, 50)),
    "blur": (blurred, (1.5, 4)),
    "low contrast": (lambda x, s: np.clip((x - 128.0) / s + 128, 0, 255).astype(np.uint8), (1.3, 3)),
    "few images": (lambda x, s: x[np.arange(len(x)) % s], (40, 5)),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_the_distance_grows_with_the_strength_of_a_corruption(corruption, halves, network):
    real, other = halves
    corrupt, strengths = CORRUPTIONS[corruption]
    sets = [other, *(corrupt(other, strength) for strength in strengths)]
    expected = network(real)
    distances = [frechet_distance(expected, network(images)) for images in sets]
    assert all(1.1 * before < after for before, after in itertools.pairwise(distances)), distances


def test_the_features_are_the_same_on_every_machine(network):
    assert network.protocol["weights"] == WEIGHTS
    image = np.arange(48 * 40 * 3, dtype=np.uint32).reshape(1, 48, 40, 3) * 7 % 256
    np.testing.assert_allclose(network(image.astype(np.uint8))[0, :3], [-2.1073, 0.3464, 2.3652], atol=5e-3)


def test_grey_images_floats_and_names(halves, network):
    grey = halves[0][:5, ..., :1]
    np.testing.assert_allclose(network(grey), network(np.repeat(grey, 3, -1)), atol=1e-5)
    np.testing.assert_allclose(network(grey / np.float32(127.5) - 1), network(grey), atol=1e-5)
    np.testing.assert_allclose(network.unrounded(grey / np.float32(127.5) - 1), network(grey), atol=1e-3)
    result = compare(Arrays(halves[0]), Arrays(halves[1]), ("fid", "prdc"), network)
    assert "fd_random" in result and not [name for name in result if "fid" in name]
    with pytest.raises(ValueError, match="is and modes require classes, and the random network has none"):
        compare(Arrays(halves[0]), Arrays(halves[1]), ("is",), network)
    with pytest.raises(ValueError, match="requires images with 1 or 3 channels, got 4"):
        network(np.zeros((2, 8, 8, 4), np.uint8))


def test_a_set_has_no_distance_to_itself(halves, network):
    assert abs(float(jaxgan.fid(halves[0], halves[0], features=network))) < 1e-4


def test_unlabelled_data_are_scored_with_a_warning(halves):
    with pytest.warns(
        UserWarning, match=r"has no labels and `weights` are not given, .* random .*jaxgan weights incep"
    ):
        found = jaxgan.fid(*halves)
    assert found.name == "fd_random" and repr(found).splitlines()[2].startswith("  random, weights ")


def test_labelled_data_keep_the_classifier(monkeypatch):
    monkeypatch.setattr("jaxgan.evaluation.classifier.train_classifier", lambda *_, **__: "classifier")
    labelled = Arrays(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4, dtype=np.int32) % 2)
    assert make_extractor(None, None, "tf1", labelled, None) == "classifier"


@pytest.mark.integration
def test_folders_of_photographs_are_scored_on_the_command_line(halves, tmp_path, capsys):
    """The photographs have different sizes, and there are neither labels nor weights."""
    for name, images in zip(("samples", "photos"), halves):
        (tmp_path / name).mkdir()
        for i, image in enumerate(images[:70]):
            Image.fromarray(image).resize((40, 30 + i)).save(tmp_path / name / f"{i}.png")
    console.main(["fid", str(tmp_path / "samples"), str(tmp_path / "photos"), "--features", "random"])
    assert capsys.readouterr().out.startswith("fd_random ")
    with pytest.raises(SystemExit):
        console.main(["fid", str(tmp_path / "samples"), str(tmp_path / "photos")])
    message = capsys.readouterr().err
    assert "--features inception-2048 requires" in message and "set --features to random" in message
    for part in (
        "jaxgan weights inception",
        "https://github.com/mseitzer/",
        "6726825d0af5f729cebd5821db510b11b1cfad8f",
    ):
        assert part in message
