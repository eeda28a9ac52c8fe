"""A run that is resumed keeps its settings and options."""

import json

import pytest
from helpers import programs

from jaxgan.monitoring.run_directory import read_options
from jaxgan.training.options import RunOptions

pytestmark = pytest.mark.integration


def test_options_are_those_of_the_run_and_over_them_those_given():
    options = RunOptions(checkpoint_every=7, metrics=("is",), evaluate_every=9, quiet=True, devices=1, fresh=True)
    recorded = json.loads(json.dumps(options.recorded()))
    assert recorded == {"checkpoint_every": 7, "metrics": ["is"], "evaluate_every": 9}
    resumed = RunOptions.resumed({**recorded, "of_another_version": 3}, {"checkpoint_every": 8, "run_dir": "x"})
    assert resumed == RunOptions(run_dir="x", checkpoint_every=8, metrics=("is",), evaluate_every=9)
    without = RunOptions.resumed(recorded, {"evaluate_every": None})
    assert without == RunOptions(checkpoint_every=7)
    with pytest.raises(
        ValueError, match=r"The value of checkpoint_every in the options .* must be of the type int, got 'x'"
    ):
        RunOptions.resumed({"checkpoint_every": "x"}, {})


def test_a_run_goes_on_with_its_own_settings(tmp_path, capsys):
    run_dir = ["--run-dir", tmp_path / "run"]
    flags = [*programs.tiny("gan"), "--seed", 5, "--learning-rate", 1e-3, "--checkpoint-every", 1]
    assert programs.run(capsys, "--steps", 2, *flags, *run_dir, experiment="gan")[0] == 0
    code, text = programs.run(capsys, "resume", *run_dir, "--steps", 3, "--quiet", experiment="gan")
    assert (code, text) == (0, "")
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (record["config"]["seed"], record["config"]["learning_rate"], record["config"]["steps"]) == (5, 1e-3, 3)
    assert read_options(tmp_path / "run") == {"checkpoint_every": 1}
    # To the bit what one run of three steps would be.
    whole = ["--run-dir", tmp_path / "whole"]
    assert programs.run(capsys, "--steps", 3, *flags, *whole, experiment="gan")[0] == 0
    digests = [programs.run(capsys, "inspect", *where, experiment="gan")[1] for where in (run_dir, whole)]
    assert digests[0] == digests[1]
    code, text = programs.run(capsys, "resume", *run_dir, "--steps", 2, experiment="gan")
    assert (code, "--steps must be at least 3" in text) == (2, True), text
    code, text = programs.run(capsys, "resume", *run_dir, "--seed", 6, experiment="gan")
    assert (code, "--seed is not a flag of this command." in text) == (2, True), text


def test_there_is_nothing_to_resume(tmp_path, capsys):
    code, text = programs.run(capsys, "resume", "--run-dir", tmp_path / "run", experiment="gan")
    assert (code, "contains no run, because it has no config.json. Train a run there" in text) == (2, True), text
