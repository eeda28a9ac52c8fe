"""The command ``resume``, which continues a run with the settings and options that it was started with."""

import json

import pytest
from helpers import programs

from jaxgan.monitoring.run_directory import read_options
from jaxgan.training.options import RunOptions

pytestmark = pytest.mark.integration


def test_flags_override_the_recorded_options():
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


def test_a_run_is_resumed_with_its_own_settings(tmp_path, capsys):
    run_dir = ["--run-dir", tmp_path / "run"]
    flags = [*programs.tiny("gan"), "--seed", 5, "--learning-rate", 1e-3, "--checkpoint-every", 1]
    assert programs.run(capsys, "--steps", 2, *flags, *run_dir, experiment="gan")[0] == 0
    code, text = programs.run(capsys, "resume", *run_dir, "--steps", 3, "--quiet", experiment="gan")
    assert (code, text) == (0, "")
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (record["config"]["seed"], record["config"]["learning_rate"], record["config"]["steps"]) == (5, 1e-3, 3)
    assert read_options(tmp_path / "run") == {"checkpoint_every": 1}
    # The checkpoint equals that of an uninterrupted run of three steps to the bit.
    whole = ["--run-dir", tmp_path / "whole"]
    assert programs.run(capsys, "--steps", 3, *flags, *whole, experiment="gan")[0] == 0
    digests = [programs.run(capsys, "inspect", *where, experiment="gan")[1] for where in (run_dir, whole)]
    assert digests[0] == digests[1]
    code, text = programs.run(capsys, "resume", *run_dir, "--steps", 2, experiment="gan")
    assert (code, "--steps must be at least 3" in text) == (2, True), text
    code, text = programs.run(capsys, "resume", *run_dir, "--seed", 6, experiment="gan")
    assert (code, "This command has no flag --seed." in text) == (2, True), text


def test_a_directory_without_a_run_cannot_be_resumed(tmp_path, capsys):
    code, text = programs.run(capsys, "resume", "--run-dir", tmp_path / "run", experiment="gan")
    assert (code, "contains no run, because it has no config.json. Train a run there" in text) == (2, True), text


def test_a_run_is_not_resumed_with_a_damaged_setting(tmp_path, capsys):
    run_dir = programs.begun(tmp_path / "run", "gan")
    config = run_dir / "config.json"
    config.write_text(config.read_text().replace('"learning_rate": 0.0002', '"learning_rate": 0.0006'))
    code, text = programs.run(capsys, "resume", "--run-dir", run_dir, experiment="gan")
    assert (code, "have changed since the run wrote them. Restore the file from a backup." in text) == (2, True), text
