"""Experiments whose samples are made of images: each of its own example, and measured against its target."""

import importlib
import json
import zipfile

import jax
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan import __main__ as console, export
from jaxgan.data import load
from jaxgan.editing.translator import Translator
from jaxgan.experiment.translation import directions
from jaxgan.interop.parameters import flatten_names

pytestmark = pytest.mark.integration

FLAGS = ["--inputs", "grey", "--devices", 1, "--quiet"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two steps of pix2pix, evaluated as they go."""
    folder = tmp_path_factory.mktemp("run") / "run"
    asked = ["--evaluate-every", 1, "--metrics", "psnr", "l1", "--evaluate-count", 20]
    flags = [*programs.tiny("pix2pix"), *FLAGS, *asked]
    code, text = programs.run(programs.Silent(), "--steps", 2, "--run-dir", folder, *flags, experiment="pix2pix")
    assert code == 0, text
    return folder


def test_sample_i_is_made_of_example_i_and_compared_with_it(run, tmp_path, capsys):
    test = load("photos", resolution=16, split="test")
    code, text = programs.run(
        capsys, "evaluate", "--run-dir", run, "--metrics", "l1", "psnr", "ssim", "ms_ssim", "--count", 20,
        experiment="pix2pix",
    )  # fmt: skip
    assert code == 2 and "at least 176 x 176" in text  # a figure of pixels needs no features, but pixels enough
    asked = ["--metrics", "l1", "psnr", "ssim", "--count", 20]
    code, text = programs.run(capsys, "evaluate", "--run-dir", run, *asked, experiment="pix2pix")
    assert code == 0, text
    found = json.loads((run / "evaluation.json").read_text())
    assert found["protocol"]["data"]["name"] == "photos test" and "features" not in found["protocol"]
    out = tmp_path / "made.npz"
    assert programs.run(capsys, "sample", "--run-dir", run, "--count", 20, "--out", out, experiment="pix2pix")[0] == 0
    made, real = np.load(out)["images"], test.images[:20] / 127.5 - 1
    assert found["l1"] == pytest.approx(np.abs(made - real).mean(), abs=2e-3)  # samples are rounded to bytes
    assert found["psnr"] == pytest.approx((10 * np.log10(4 / np.square(made - real).mean((1, 2, 3)))).mean(), abs=0.02)
    assert 0 < found["ssim"] < 1


def test_evaluations_rank_checkpoints_by_pairs(run):
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2] and {"psnr", "l1"} <= set(rows[0])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["evaluate", "--metrics", "ppl"],
            "--metrics ppl cannot be computed, because it needs samples that are generated from latents",
        ),
        (["evaluate", "--metrics", "l1", "--count", 100_000], "--count must be at most"),
        (["sample", "--out", "a.gif"], "samples are made of images, so there are no latents to interpolate"),
        (["evaluate"], "photos train has no labels, which are required to train the classifier"),
    ],
)
def test_what_cannot_be_asked_is_told(arguments, told, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = programs.run(capsys, arguments[0], "--run-dir", run, *arguments[1:], experiment="pix2pix")
    assert code == 2 and told in " ".join(text.split()) and "Traceback" not in text


def test_pairs_are_for_those_who_have_them(tmp_path, capsys):
    """A metric of pairs is refused where nothing says what a sample should be, before anything is trained."""
    flags = [*programs.tiny("gan"), "--evaluate-every", 1, "--metrics", "psnr", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, "--steps", 1, *flags, "--devices", 1, experiment="gan")
    assert code == 2 and "--metrics psnr cannot be computed, because" in text
    assert not (tmp_path / "run").exists()


ARTEFACTS = {
    "cyclegan": ({}, {"a_to_b", "b_to_a"}),  # normalised by each image's own moments, or the whole's in tiles
    "pix2pix": ({"inputs": "edges", "resolution": 64, "batch_size": 1}, {"to_image", "remake"}),  # dropout draws
    "srgan": ({}, {"enlarge"}),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "cyclegan" else pytest.mark.slow) for name in ARTEFACTS]
)
def test_an_artefact_translates_as_its_experiment_does(name, tmp_path):
    """Images of several sizes, of every direction; of the first also in tiles."""
    changes, names = ARTEFACTS[name]
    module = importlib.import_module(f"experiments.{name}")
    experiment = module.build(module.Config.tiny(**changes))
    ours = directions(experiment, jax.jit(experiment.game.init)(jax.random.key(0)))
    export.write_translator(tmp_path / "a.jaxgan", ours, about={"name": name}, card="# A card")
    metadata, theirs = export.read_translator(tmp_path / "a.jaxgan")
    assert (metadata["name"], set(theirs)) == (name, names) and list(ours) == list(theirs)
    with zipfile.ZipFile(tmp_path / "a.jaxgan") as file:
        assert file.read("card.md") == b"# A card"
    rng = np.random.default_rng(0)
    for direction, one in ours.items():
        assert {n for n in one.weights if ".params." in n} == {n for n in theirs[direction].weights if ".params." in n}
        ways = ((None, (65, 80)), (64, (64, 129)))
        for tile, size in ways if direction == next(iter(ours)) else ways[:1]:
            image = rng.integers(0, 256, (*size, one.channels), np.uint8)
            made, again = (Translator(x[direction], tile=tile, seed=5)(image, 3) for x in (ours, theirs))
            assert made.shape == again.shape and made.std() > 1
            assert np.abs(made.astype(int) - again).max() <= 1  # where rounding decides


def test_weights_are_those_of_translating_networks_alone():
    module = importlib.import_module("experiments.cyclegan")
    experiment = module.build(module.Config.tiny())
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    variables = experiment.variables(state)
    assert set(variables) == {"g_ab", "g_ba"}
    assert directions(experiment, state)["a_to_b"].weights.keys() == flatten_names(variables).keys()


def test_the_console_translates_with_an_artefact_as_the_run_does(run, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for i, size in enumerate(((20, 33), (16, 16))):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(images / f"{i}.png")
    flags = ["--direction", "remake", "--seed", 2]
    ours, artefact = tmp_path / "ours", tmp_path / "a.jaxgan"
    asked = ["translate", "--run-dir", run, "--images", images, "--out", ours, *flags]
    assert programs.run(capsys, *asked, experiment="pix2pix")[0] == 0
    code, told = programs.run(capsys, "export", "--run-dir", run, "--out", artefact, experiment="pix2pix")
    assert (
        code == 0
        and "translator (to_image and remake) of step 2" in told
        and f"jaxgan translate {artefact} IMAGES" in told
    )
    console.main([str(x) for x in ("translate", artefact, images, "--out", tmp_path / "theirs", *flags)])
    for name in ("0.png", "1.png"):
        with Image.open(ours / name) as one, Image.open(tmp_path / "theirs" / name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
            assert "generated by jaxgan" in other.text["Description"] and "pix2pix" in other.text["Description"]
    # So does who has the parameters alone, and neither the run nor its data.
    file = tmp_path / "a.safetensors"
    assert programs.run(capsys, "export", "--run-dir", run, "--out", file, experiment="pix2pix")[0] == 0
    asked = ["translate", "--parameters", file, "--images", images, "--out", tmp_path / "by", *flags]
    code, told = programs.run(capsys, *asked, experiment="pix2pix")
    assert code == 0, told
    for name in ("0.png", "1.png"):
        with Image.open(ours / name) as one, Image.open(tmp_path / "by" / name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--direction", "sideways"], "--direction must be to_image or remake, got 'sideways'"),
        (["--seed", -1], "--seed must be between 0 and 4294967295, got -1"),
        (["--tile", 24], "--tile must be a multiple of 16 for these networks, got 24"),
    ],
)
def test_what_cannot_be_asked_of_an_artefact_is_told(arguments, told, artefact, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        console.main([str(x) for x in ("translate", artefact, tmp_path, "--out", tmp_path / "made", *arguments)])
    assert stop.value.code == 2 and told in capsys.readouterr().err


def test_an_artefact_of_the_other_kind_is_told(artefact, tmp_path, capsys):
    with pytest.raises(SystemExit):
        console.main(["sample", str(artefact), "--out", str(tmp_path / "a.png")])
    assert "It contains a translator, which the command jaxgan translate reads." in capsys.readouterr().err


@pytest.fixture(scope="module")
def artefact(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "a.jaxgan"
    asked = ["export", "--run-dir", run, "--out", path]
    assert programs.run(programs.Silent(), *asked, experiment="pix2pix")[0] == 0
    return path
