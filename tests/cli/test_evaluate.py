"""What the command ``evaluate`` prints and records: its progress, and the examples that it compared with."""

import importlib
import json
import re

import numpy as np
import pytest
from helpers import programs

from experiments import cyclegan
from jaxgan.training.runs import make_run


@pytest.mark.integration
def test_the_progress_of_training_the_classifier_is_printed(tmp_path, capsys, monkeypatch):
    """The classifier is trained on 15 of 16 images: 200 epochs of one batch of 15 images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    labels = np.arange(16) % 2
    images = np.random.default_rng(0).integers(0, 100, (16, 8, 8, 1)) + 100 * labels[:, None, None, None]
    np.savez(tmp_path / "two.npz", images=images.astype(np.uint8), labels=labels)
    run_dir = programs.begun(tmp_path / "run", "gan", data=str(tmp_path / "two.npz"))
    command = ("evaluate", "--run-dir", run_dir, "--metrics", "prdc")
    code, text = programs.run(capsys, *command, experiment="gan")
    assert code == 0 and "training the classifier that computes the features: step 0 of 200\n" in text, text
    code, text = programs.run(capsys, *command, experiment="gan")
    assert code == 0 and not re.search("training the classifier", text), text  # the classifier is cached


def write_images(file, seed=0, count=8):
    images = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8)
    np.savez(file, images=images)
    return str(file)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("settings", "warning", "examples"),
    [
        ({}, "has no test data.", "train examples, trained on"),
        ({"test_data": "other.npz"}, "", "test examples, not trained on"),
        ({"test_data": "copy.npz"}, "has them as its test data, too.", "test examples, trained on"),
        ({"num_held_out": 4}, "", "held-out examples, not trained on"),
    ],
)
def test_an_evaluation_of_translations_says_which_examples_it_used(settings, warning, examples, tmp_path, capsys):
    for name, seed in (("images.npz", 0), ("copy.npz", 0), ("other.npz", 1)):
        write_images(tmp_path / name, seed)
    if "test_data" in settings:
        settings = {"test_data": str(tmp_path / settings["test_data"])}
    path = programs.begun(tmp_path / "run", "pix2pix", data=str(tmp_path / "images.npz"), **settings)
    flags = ("--run-dir", path, "--metrics", "psnr", "--count", 4)
    code, text = programs.run(capsys, "evaluate", *flags, experiment="pix2pix")
    assert code == 0, text
    begin = "warning: The samples are translated from the training data and compared with them, because the run "
    assert (f"{begin}{warning} Train with --test-data" in text) if warning else (begin not in text), text
    assert f"({examples})\n" in text, text
    data = json.loads((path / "evaluation.json").read_text())["protocol"]["data"]
    assert f"{data['split']} examples, {'' if data['trained_on'] else 'not '}trained on" == examples
    assert data["count"] == (4 if "num_held_out" in settings else 8) and data["name"]


@pytest.mark.integration
def test_held_out_examples_are_the_test_data_of_unpaired_translations(tmp_path):
    file, inputs = (write_images(tmp_path / name, seed) for seed, name in enumerate(("b.npz", "a.npz")))
    config = cyclegan.Config.tiny(data=file, data_a=inputs, num_held_out=3)
    experiment = make_run(config, cyclegan.build(config), cyclegan.build).experiment
    assert experiment.compared_split == "held-out" and experiment.inputs is experiment.held_out
    assert experiment.num_samples == len(experiment.reference) == 3 and len(experiment.source) == 5


@pytest.mark.integration
def test_an_evaluation_of_samples_says_that_it_used_the_training_examples(tmp_path, capsys, few_at_a_time):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    path = programs.begun(tmp_path / "run", "gan", data=str(tmp_path / "images.npz"), num_held_out=6)
    flags = ("--run-dir", path, "--metrics", "fid", "--features", "random", "--count", 4)
    code, text = programs.run(capsys, "evaluate", *flags, experiment="gan")
    assert code == 0 and "images.npz (train examples, trained on)\n" in text, text
    data = json.loads((path / "evaluation.json").read_text())["protocol"]["data"]
    assert data["split"] == "train" and data["trained_on"] is True and data["count"] == 10, data
    assert "report: " not in text
    (path / "report.html").write_text("an earlier report")
    code, text = programs.run(capsys, "evaluate", *flags, experiment="gan")
    assert code == 0 and f"report: {path / 'report.html'}\n" in text, text
    assert '"fd_random"' in (path / "report.html").read_text()


@pytest.mark.filterwarnings("ignore:.* contains arrays that are not used")
@pytest.mark.parametrize(
    ("experiment", "settings", "expected"),
    [
        ("pix2pix", {"inputs": "pairs"}, "`test_data` 'missing/test' does not exist"),
        ("pix2pix", {"inputs": "pairs", "test_data_a": "missing/a"}, "`test_data` 'missing/test' does not exist"),
        ("pix2pix", {}, "`test_data` 'missing/test' "),
        ("srgan", {}, "`test_data` 'missing/test' "),
        ("cyclegan", {"test_data_a": "missing/a"}, "`test_data_a` 'missing/a' "),
    ],
)
def test_missing_test_data_are_blamed_on_their_own_argument(experiment, settings, expected, tmp_path):
    file = str(tmp_path / "pairs.npz")
    images = np.zeros((8, 16, 16, 3), np.uint8)
    np.savez(file, images=images, inputs=images)
    module = importlib.import_module(f"experiments.{experiment}")
    more = {"data_a": file} if experiment == "cyclegan" else {}
    config = module.Config.tiny(data=file, test_data="missing/test", **more, **settings)
    with pytest.raises(ValueError, match=re.escape(expected)):
        module.build(config)
