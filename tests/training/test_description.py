"""Tests of the description of a run that ``--dry-run`` prints."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
from helpers import games

from experiments import gan
from jaxgan.training import description
from jaxgan.training.description import check_disk, describe_disk, print_description
from jaxgan.training.estimate import StepTime
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.steps import Steps

pytestmark = pytest.mark.integration

CONFIG = gan.Config(batch_size=8, steps=2000)


def describe(run, capsys):
    print_description(run, CONFIG, RunOptions(), Steps(run, CONFIG, run.devices(1), "pmap"))
    return capsys.readouterr().out


def test_description_has_settings_networks_and_measured_times(capsys):
    printed = describe(SingleRun(games.points_experiment(), CONFIG), capsys)
    assert re.search(r"  steps +2000\n", printed) and "data: 64 examples of arrays, shape 2\n" in printed
    assert "g: Generator, input [1, 2]\n" in printed
    assert re.search(r"  total +\[1, 2\] +42 +64\n", printed)  # 2 x 8 + 8 + 8 x 2 + 2; 2 x (2 x 8 + 8 x 2)
    # 75 parameters, the step and the PRNG key; the last moves of the parameters in 16 bits
    assert "disk space: at most 1.85 kB, for 4 checkpoints of 462 B each\n" in printed
    _, measured = printed.split("tracing the training step, in order to measure its time\n")
    assert re.match(
        r"traced in [\d.]+ s\ncompiling the training step\ncompiled in [\d.]+ s\n"
        r"a step takes [\d.]+ ms, [\d,]+ points/s \(mean of \d+ steps\)\n",
        measured,
    )
    assert re.search(
        r"\ntime: [\d.]+ s for 2,000 steps, after [\d.]+ s for tracing and compiling; .*\n"
        r"peak memory: [\d.]+ [MG]B on cpu\n",
        measured,
    )


def test_description_of_a_population_has_the_networks_of_one_member(capsys):
    experiment = games.points_experiment()
    run = PopulationRun(experiment, CONFIG, lambda config, source=None: experiment, [{"seed": 0}, {"seed": 1}])
    title = (
        "Population of 2 members. The tables show the networks of one member; the size of the state is for all members."
    )
    assert title in describe(run, capsys)


def test_the_times_of_several_games_are_added(capsys, monkeypatch):
    times = [StepTime(200, 8, 1.0, 64, 0.5), StepTime(1800, 16, 2.0, 10, 0.25)]
    monkeypatch.setattr(description, "measure_steps", lambda *_: times)
    printed = describe(SingleRun(games.points_experiment(), CONFIG), capsys)
    assert printed.count("compiled in") == 2
    assert "each of 200 steps takes 500 ms, 16 points/s (mean of 64 steps)\n" in printed
    assert "each of 1,800 steps takes 250 ms, 64 points/s (mean of 10 steps)\n" in printed
    assert re.search(r"time: 9 minutes for 2,000 steps, after [3-9]\.\d s for tracing and compiling;", printed)


def test_the_time_of_a_step_is_not_measured_for_a_run_of_one_step(capsys):
    config = dataclasses.replace(CONFIG, steps=1)
    run = SingleRun(games.points_experiment(), config)
    print_description(run, config, RunOptions(), Steps(run, config, run.devices(1), "pmap"))
    printed = capsys.readouterr().out
    assert "takes" not in printed and "time: 0.0 s for 1 step, after" in printed


def test_a_disk_that_is_too_small_for_the_checkpoints_is_reported(tmp_path, monkeypatch):
    """The space of earlier checkpoints of the run counts as free."""
    run, path = SingleRun(games.points_experiment(), CONFIG), tmp_path / "new" / "run"
    assert describe_disk(run, CONFIG, RunOptions()) == "disk space: at most 1.85 kB, for 4 checkpoints of 462 B each"
    assert check_disk(run, CONFIG, RunOptions(), path) == ""
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1500))
    assert check_disk(run, CONFIG, RunOptions(), path) == (
        f"The checkpoints of this run require up to 1.85 kB, but the disk of `run_dir` {path} has only 1.50 kB of free space "
        "for them. Free some disk space, or choose another `run_dir`."
    )
    (path / "checkpoints" / "5").mkdir(parents=True)
    (path / "checkpoints" / "5" / "state").write_bytes(bytes(300))
    (path / "monitor").mkdir()
    (path / "monitor" / "5.npz").write_bytes(bytes(200))
    assert check_disk(run, CONFIG, RunOptions(), path) == ""
