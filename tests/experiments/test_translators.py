"""Experiments that generate samples from images: sampling, evaluation, translation and export."""

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
    """Train pix2pix for two steps with evaluations, and return the directory of the run."""
    folder = tmp_path_factory.mktemp("run") / "run"
    evaluation = ["--evaluate-every", 1, "--metrics", "psnr", "l1", "--evaluate-count", 20]
    flags = [*programs.tiny("pix2pix"), *FLAGS, *evaluation]
    code, text = programs.run(programs.Silent(), "--steps", 2, "--run-dir", folder, *flags, experiment="pix2pix")
    assert code == 0, text
    return folder


def test_each_sample_is_generated_from_its_example_and_compared_with_it(run, tmp_path, capsys):
    test = load("photos", resolution=16, split="test")
    code, text = programs.run(
        capsys, "evaluate", "--run-dir", run, "--metrics", "l1", "psnr", "ssim", "ms_ssim", "--count", 20,
        experiment="pix2pix",
    )  # fmt: skip
    assert code == 2 and "must be at least 176 x 176" in text  # ms_ssim requires no features, but larger images
    flags = ["--metrics", "l1", "psnr", "ssim", "--count", 20]
    code, text = programs.run(capsys, "evaluate", "--run-dir", run, *flags, experiment="pix2pix")
    assert code == 0, text
    found = json.loads((run / "evaluation.json").read_text())
    assert found["protocol"]["data"]["name"] == "photos test" and "features" not in found["protocol"]
    out = tmp_path / "made.npz"
    assert programs.run(capsys, "sample", "--run-dir", run, "--count", 20, "--out", out, experiment="pix2pix")[0] == 0
    samples, real = np.load(out)["images"], test.images[:20] / 127.5 - 1
    assert found["l1"] == pytest.approx(np.abs(samples - real).mean(), abs=2e-3)  # samples are rounded to bytes
    assert found["psnr"] == pytest.approx(
        (10 * np.log10(4 / np.square(samples - real).mean((1, 2, 3)))).mean(), abs=0.02
    )
    assert 0 < found["ssim"] < 1


def test_evaluations_during_training_use_metrics_of_pairs(run):
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2] and {"psnr", "l1"} <= set(rows[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["evaluate", "--metrics", "ppl"],
            "--metrics ppl cannot be computed, because it needs samples that are generated from latents",
        ),
        (["evaluate", "--metrics", "l1", "--count", 100_000], "--count must be at most"),
        (
            ["sample", "--out", "a.gif"],
            "because its samples are generated from images and have no latents to interpolate",
        ),
        (
            ["evaluate", "--features", "classifier"],
            "photos train has no labels, which are required to train the classifier",
        ),
    ],
)
def test_invalid_commands_are_refused_with_a_message(arguments, message, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = programs.run(capsys, arguments[0], "--run-dir", run, *arguments[1:], experiment="pix2pix")
    assert code == 2 and message in " ".join(text.split()) and "Traceback" not in text


def test_metrics_of_pairs_are_refused_without_pairs(tmp_path, capsys):
    """They are refused before the training starts."""
    flags = [*programs.tiny("gan"), "--evaluate-every", 1, "--metrics", "psnr", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, "--steps", 1, *flags, "--devices", 1, experiment="gan")
    assert code == 2 and "--metrics psnr cannot be computed, because" in text
    assert not (tmp_path / "run").exists()


ARTEFACTS = {
    # Instance normalisation uses the moments of the complete image, also if the image is translated in tiles.
    "cyclegan": ({}, {"a_to_b", "b_to_a"}),
    "pix2pix": ({"inputs": "edges", "resolution": 64, "batch_size": 1}, {"to_image", "remake"}),
    "srgan": ({}, {"enlarge"}),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "cyclegan" else pytest.mark.slow) for name in ARTEFACTS]
)
def test_exported_translator_equals_its_experiment(name, tmp_path):
    """They agree for images of several sizes and all directions, and for the first direction also in tiles."""
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
    for direction, translation in ours.items():
        assert {n for n in translation.weights if ".params." in n} == {
            n for n in theirs[direction].weights if ".params." in n
        }
        cases = ((None, (65, 80)), (64, (64, 129)))  # the side of a tile in pixels, and the size of the image
        for tile, size in cases if direction == next(iter(ours)) else cases[:1]:
            image = rng.integers(0, 256, (*size, translation.channels), np.uint8)
            first, second = (Translator(x[direction], tile=tile, seed=5)(image, 3) for x in (ours, theirs))
            assert first.shape == second.shape and first.std() > 1
            assert np.abs(first.astype(int) - second).max() <= 1  # rounding can differ by one


def test_export_contains_the_weights_of_translating_networks_only():
    module = importlib.import_module("experiments.cyclegan")
    experiment = module.build(module.Config.tiny())
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    variables = experiment.variables(state)
    assert set(variables) == {"g_ab", "g_ba"}
    assert directions(experiment, state)["a_to_b"].weights.keys() == flatten_names(variables).keys()


def test_console_translates_with_an_exported_file_as_with_the_run(run, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for i, size in enumerate(((20, 33), (16, 16))):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(images / f"{i}.png")
    flags = ["--direction", "remake", "--seed", 2]
    ours, artefact = tmp_path / "ours", tmp_path / "a.jaxgan"
    command = ["translate", "--run-dir", run, "--images", images, "--out", ours, *flags]
    assert programs.run(capsys, *command, experiment="pix2pix")[0] == 0
    code, text = programs.run(capsys, "export", "--run-dir", run, "--out", artefact, experiment="pix2pix")
    assert code == 0, text
    assert "translator (to_image and remake) of step 2" in text and f"jaxgan translate {artefact} IMAGES" in text
    console.main([str(x) for x in ("translate", artefact, images, "--out", tmp_path / "theirs", *flags)])
    for name in ("0.png", "1.png"):
        with Image.open(ours / name) as one, Image.open(tmp_path / "theirs" / name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
            assert "generated by jaxgan" in other.text["Description"] and "pix2pix" in other.text["Description"]
    # The file of parameters gives the same images without the run and its data.
    file = tmp_path / "a.safetensors"
    assert programs.run(capsys, "export", "--run-dir", run, "--out", file, experiment="pix2pix")[0] == 0
    command = ["translate", "--parameters", file, "--images", images, "--out", tmp_path / "by", *flags]
    code, text = programs.run(capsys, *command, experiment="pix2pix")
    assert code == 0, text
    for name in ("0.png", "1.png"):
        with Image.open(ours / name) as one, Image.open(tmp_path / "by" / name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--direction", "sideways"], "--direction must be to_image or remake, got 'sideways'"),
        (["--seed", -1], "--seed must be between 0 and 4294967295, got -1"),
        (["--tile", 24], "--tile must be a multiple of 16 for these networks, got 24"),
    ],
)
def test_invalid_flags_for_an_exported_file_are_refused(arguments, message, artefact, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        console.main([str(x) for x in ("translate", artefact, tmp_path, "--out", tmp_path / "made", *arguments)])
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_sampling_from_an_exported_translator_is_refused(artefact, tmp_path, capsys):
    with pytest.raises(SystemExit):
        console.main(["sample", str(artefact), "--out", str(tmp_path / "a.png")])
    assert "It contains a translator. Use `jaxgan translate` to read it." in capsys.readouterr().err


@pytest.fixture(scope="module")
def artefact(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "a.jaxgan"
    command = ["export", "--run-dir", run, "--out", path]
    assert programs.run(programs.Silent(), *command, experiment="pix2pix")[0] == 0
    return path
