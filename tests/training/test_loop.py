"""Tests of the training loop, called from Python: its output files, resuming, and signals."""

import dataclasses
import json
import os
import re
import signal

import pytest
from helpers import games
from helpers.compilations import recording_compilations
from orbax.checkpoint import Checkpointer

from experiments import gan
from jaxgan.core.interruption import Interrupted
from jaxgan.training import loop
from jaxgan.training.checkpoints import Checkpoints, checksums
from jaxgan.training.metrics_log import MetricsLog
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun

pytestmark = pytest.mark.integration

OPTIONS = RunOptions(devices=1, checkpoint_every=8, sample_every=5)


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


@pytest.fixture
def train(experiment, tmp_path):
    def train(name, steps, options=OPTIONS):
        config, path = gan.Config(steps=steps, batch_size=8), tmp_path / name
        path.mkdir(exist_ok=True)
        loop.train(SingleRun(experiment, config), config, options, path, "points")
        return path

    return train


def steps(path):
    return [json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()]


def last_checkpoint(path):
    checkpoints = Checkpoints(path / "checkpoints", read_only=True)
    try:
        return checkpoints.steps(), checksums(checkpoints.read())
    finally:
        checkpoints.close()


def test_the_output_files_and_lines_of_a_run(train, capsys, monkeypatch):
    # On a busy machine, any operation can take longer than PATIENCE, which would print further lines.
    monkeypatch.setattr("jaxgan.monitoring.terminal.PATIENCE", 3600.0)
    path = train("run", 20)
    assert steps(path) == list(range(1, 21))
    pictures = sorted(file.name for file in (path / "samples").iterdir())
    assert pictures == [f"step_{step:07}.png" for step in (0, 5, 10, 15, 20)]
    assert last_checkpoint(path)[0] == [8, 16, 20]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"training until step 20; output directory: {path}"
    assert lines[1] == "compiling the training step" and re.fullmatch(r"compiled in [0-9.]+ s", lines[2])
    assert lines[-2].startswith("step 20/20  ") and lines[-1] == "saved at step 20"


def test_the_step_of_another_game_is_compiled_when_it_is_first_trained(experiment, tmp_path, capsys):
    game = experiment.game
    alone = dataclasses.replace(game, players={"d": game.players["d"]}, turns=(("d",),))
    changing = dataclasses.replace(experiment, game_at=lambda step: alone if step in (0, 1, 5) else game)
    config = gan.Config(steps=8, batch_size=8)
    loop.train(SingleRun(changing, config), config, OPTIONS, tmp_path, "points")
    lines = capsys.readouterr().out.splitlines()
    compiled = [line for line in lines if line.startswith("compiling")]
    assert compiled == ["compiling the training step", "compiling the training step for the game that begins at step 3"]


def test_a_resumed_run_is_bit_for_bit_equal_to_an_uninterrupted_run(train, capsys):
    whole = train("whole", 20)
    with recording_compilations() as compiled:
        parts = train("parts", 11)
    assert "init" in compiled
    capsys.readouterr()
    with recording_compilations() as compiled:
        train("parts", 20)
    assert "resumed from step 11" in capsys.readouterr().out
    assert "init" not in compiled  # the shapes of the state are sufficient to restore it
    assert (parts / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert last_checkpoint(parts)[1] == last_checkpoint(whole)[1]
    train("parts", 20)
    assert "nothing to do: the run is at step 20 of 20" in capsys.readouterr().out


def test_a_run_without_a_checkpoint_starts_again_from_step_0(train, capsys):
    path = train("run", 3)
    for file in (path / "checkpoints").iterdir():
        file.rename(path / file.name)
    train("run", 3)
    assert "found no checkpoint, so the training starts again from step 0" in capsys.readouterr().out
    assert steps(path) == [1, 2, 3]


def test_a_directory_that_is_pulled_away_ends_the_run_with_its_last_checkpoint(experiment, tmp_path):
    """The directory is checked before every write."""
    config, path = gan.Config(steps=40, batch_size=8), tmp_path / "run"
    path.mkdir()

    def check():
        if (path / "checkpoints" / "8").exists():
            raise OSError("`run_dir` was moved.")

    with pytest.raises(OSError, match=r"^The run stopped after the checkpoint of step 8: `run_dir` was moved\.$"):
        loop.train(SingleRun(experiment, config), config, OPTIONS, path, "points", check_directory=check)


def test_a_checkpoint_that_cannot_be_written_is_removed_and_named(experiment, tmp_path, monkeypatch):
    config, path, write = gan.Config(steps=40, batch_size=8), tmp_path / "run", Checkpointer.save
    path.mkdir()

    def save(self, directory, **how):
        write(self, directory, **how)
        if directory.name == "16":
            (directory.parent / "16.orbax-checkpoint-tmp").mkdir()
            raise ValueError("RESOURCE_EXHAUSTED: No space left on device\nand more lines")

    monkeypatch.setattr(Checkpointer, "save", save)
    message = r"step 8: Checkpoint 16 could not be written to .*: No space left on device\.$"
    with pytest.raises(OSError, match=message):
        loop.train(SingleRun(experiment, config), config, OPTIONS, path, "points")
    assert not (path / "checkpoints" / "16.orbax-checkpoint-tmp").exists()


def test_a_signal_saves_and_stops_the_run(train, monkeypatch, capsys):
    append = MetricsLog.append

    def append_and_send(self, first, count, metrics):
        append(self, first, count, metrics)
        if first > 10:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MetricsLog, "append", append_and_send)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        train("run", 1000)
    assert stop.value.number == signal.SIGTERM and signal.getsignal(signal.SIGTERM) is before
    monkeypatch.undo()
    printed = capsys.readouterr().out
    assert re.search(r"saved at step 1\d of 1000; to continue, run the same command again\n$", printed)
    path = train("run", 40)
    assert "resumed from step 1" in capsys.readouterr().out  # a step from 11 to 19
    assert steps(path) == list(range(1, 41))
    assert (path / "metrics.jsonl").read_bytes() == (train("whole", 40) / "metrics.jsonl").read_bytes()


def test_a_quiet_run_prints_nothing(train, capsys):
    train("run", 3, RunOptions(devices=1, quiet=True))
    assert capsys.readouterr() == ("", "")


def test_options_are_checked_before_anything_is_written(train, tmp_path):
    with pytest.raises(ValueError, match="`sample_every` must be at least 1"):
        train("run", 3, RunOptions(sample_every=0))
    assert list((tmp_path / "run").iterdir()) == []
