"""The recorded results: valid files, commands that can be run, and a README that lists all of them."""

import copy
import json

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from experiments.results import files, record, table
from jaxgan.cli import experiment_files

RESULTS = files.read_results()
VALID = RESULTS["dcgan-digits"]


def test_readme_is_generated_from_the_results():
    expected = table.render_readme(RESULTS)
    message = "Update it: python -m experiments.results.table"
    assert table.README.read_text(encoding="utf-8") == expected, message


@pytest.mark.parametrize("name", experiment_files.names())
def test_every_experiment_has_a_result(name):
    assert name in {result["experiment"] for result in RESULTS.values()}


@pytest.mark.parametrize("name", RESULTS)
def test_command_sets_the_recorded_settings(name):
    result = RESULTS[name]
    experiment, config = record.parse_command(result["command"])
    assert (experiment, config.seed, config.steps) == (result["experiment"], result["seed"], result["steps"])
    assert (f"--preset {result['preset']}" in result["command"]) == (result["preset"] is not None)
    assert name.startswith(f"{experiment.replace('_', '-')}-")


@pytest.mark.parametrize("name", [name for name, result in RESULTS.items() if result["picture"]])
def test_pictures_exist_and_are_small(name):
    path = files.ROOT / RESULTS[name]["picture"]
    with Image.open(path) as image:
        assert image.width >= record.MIN_PICTURE_WIDTH
    if path.parent == files.FOLDER:
        assert path.stem == name
        assert path.stat().st_size <= record.MAX_PICTURE_BYTES


def test_every_picture_belongs_to_a_result():
    pictures = {path.stem for path in files.FOLDER.iterdir() if path.suffix in (".png", ".jpg")}
    assert pictures <= set(RESULTS)


@pytest.mark.parametrize("name", experiment_files.names())
def test_command_of_the_header_trains_the_experiment(name):
    header = experiment_files.header(experiment_files.read_experiment(name))
    assert record.parse_command(header["Command"])[0] == name


INVALID = {
    "missing": (lambda result: result.pop("seed"), "x.json lacks seed."),
    "unknown": (lambda result: result.update(speed=1), "x.json has the unknown fields speed; allowed are experiment, "),
    "type": (lambda result: result.update(steps="many"), "x.json: `steps` must be a whole number, got 'many'."),
    "boolean": (lambda result: result.update(seed=True), "x.json: `seed` must be a whole number, got True."),
    "nested": (
        lambda result: result["time"].update(clock_seconds="1 s"),
        "x.json: `time`: `clock_seconds` must be a whole number or a number or null, got '1 s'.",
    ),
    "no object": (lambda result: result.update(data="digits"), "x.json: `data` must be an object, got 'digits'."),
    "experiment": (lambda result: result.update(experiment="dcgna"), "x.json: `experiment` must be one of cgan, "),
    "date": (
        lambda result: result.update(date="today"),
        "x.json: `date` must be a date such as 2026-11-30, got 'today'.",
    ),
    "no scores": (lambda result: result.update(scores=[]), "x.json: `scores` must contain at least one score."),
    "score": (
        lambda result: result["scores"][0].update(value=[1]),
        "x.json: `scores[0]`: `value` must be a number, or the lowest and the highest number, got [1].",
    ),
    "protocol": (
        lambda result: result["scores"][1]["protocol"].pop("count"),
        "x.json: `scores[1]`: `protocol` lacks count.",
    ),
}


@pytest.mark.parametrize(("change", "message"), INVALID.values(), ids=INVALID.keys())
def test_invalid_results_are_refused_with_a_sentence(change, message):
    result = copy.deepcopy(VALID)
    change(result)
    with pytest.raises(ValueError) as caught:
        files.check_result(result, "x.json")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("python train.py", "`command` must begin with `jaxgan train` and an experiment, got 'python train.py'."),
        ("jaxgan train dcgan --stpes 5", "--stpes"),
        ("jaxgan train wgan --steps many", "--steps must be a whole number, got 'many'."),
    ],
)
def test_commands_that_cannot_be_run_are_refused(command, message):
    with pytest.raises(ValueError) as caught:
        record.parse_command(command)
    assert message in str(caught.value)


def test_command_has_a_flag_for_each_changed_setting():
    command = "jaxgan train pix2pix --inputs edges --no-mirror --lambda-l1 10.0 --steps 7"
    name, config = record.parse_command(command)
    program = record.load_program(name)
    assert record.parse_command(record.train_command(program, config)) == (name, config)
    assert record.train_command(program, program.config_class()) == "jaxgan train pix2pix"
    _, paper = record.parse_command("jaxgan train dcgan --preset paper --data bedrooms")
    rebuilt = record.train_command(record.load_program("dcgan"), paper, "paper")
    assert rebuilt == "jaxgan train dcgan --preset paper --data bedrooms"


@pytest.fixture
def run(tmp_path):
    """The directory of a finished run of two steps, without a checkpoint."""
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    settings = {"seed": 3, "steps": 2, "sweep": [], "penalty_precision": "highest"}
    description = {
        "experiment": "vae",
        "config": settings,
        "data": {"examples": 1797, "shape": [8, 8, 1]},
        "versions": {"jax": "0.10.2", "python": "3.11.7"},
    }
    (folder / "config.json").write_text(json.dumps(description))
    (folder / "metrics.jsonl").write_text('{"step": 1, "vae/elbo": -40.0}\n{"step": 2, "vae/elbo": -30.0}\n')
    Image.fromarray(np.zeros((65, 65), np.uint8)).save(folder / "samples" / "step_0000002.png")
    return folder


def test_a_run_is_recorded_with_its_scores_and_its_newest_grid(run, monkeypatch, capsys):
    monkeypatch.setattr(record, "FOLDER", run)
    monkeypatch.setattr(record, "ROOT", run)
    protocol = {
        "samples": {"name": "run", "count": 50},
        "data": {"name": "digits/1.0.0 train", "count": 1797},
        "features": "classifier",
        "accuracy": 0.97,
        "trained_on": "digits/1.0.0 train",
        "prdc": {"neighbours": 5},
    }
    (run / "evaluation.json").write_text(json.dumps({"fd_classifier": 1.23456, "recall": 0.5, "protocol": protocol}))
    record.main([str(run), "--name", "vae-test", "--seconds", "12", "--metric", "vae/elbo", "--cores", "1"])
    result = json.loads((run / "vae-test.json").read_text())
    assert result["command"] == "jaxgan train vae --steps 2 --seed 3"
    assert result["time"] == {"clock_seconds": 12.0, "processor_seconds": None}
    assert result["scores"][0] == {
        "name": "fd_classifier",
        "value": 1.235,
        "protocol": {"count": 50, "features": "classifier, accuracy 0.970, k = 5", "data": "digits/1.0.0 train"},
    }
    assert (result["scores"][2]["name"], result["scores"][2]["value"]) == ("vae/elbo", -35.0)
    assert (result["picture"], result["hardware"]["cores"]) == ("vae-test.png", 1)
    with Image.open(run / "vae-test.png") as image:
        assert image.size == (195, 195)


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore::UserWarning")  # some of the digits as solids have copies
@pytest.mark.parametrize(
    ("experiment", "features", "names"),
    [
        ("vae", "pixels, k = 3", ["frechet_distance", "precision", "recall"]),
        ("points", "coordinates", ["frechet_distance", "modes", "accepted"]),
        ("gan3d", "voxels, k = 3", ["precision", "recall"]),  # more voxels than samples, so there is no covariance
    ],
)
def test_raw_values_of_samples_are_compared_with_the_data(experiment, features, names, tmp_path):
    programs.begun(tmp_path / "run", experiment)
    scores = record.measure_raw_values(record.load_program(experiment), tmp_path / "run", 100)
    assert [score["name"] for score in scores] == names
    assert all(score["protocol"]["features"] == features for score in scores)
    assert all(score["protocol"]["count"] == 100 for score in scores)


def test_runs_that_cannot_be_recorded_are_refused(run):
    with pytest.raises(ValueError, match=r"has no scores. Measure its samples first: jaxgan evaluate "):
        record.make_result(run)
    with pytest.raises(ValueError, match=r"`metric` must be one of vae/elbo, got 'elbo'."):
        record.make_result(run, metric="elbo")
    (run / "metrics.jsonl").write_text('{"step": 1, "vae/elbo": -40.0}\n')
    with pytest.raises(ValueError, match=r"ended at step 1 of 2. Finish it: jaxgan resume "):
        record.make_result(run)


def test_large_pictures_become_jpeg_files_within_the_limit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "grid.png")
    path = record.write_picture(tmp_path / "grid.png", tmp_path / "small")
    assert path.name == "small.jpg"
    assert path.stat().st_size <= record.MAX_PICTURE_BYTES
