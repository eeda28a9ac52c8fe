"""Tests of the lines that are printed before the first step of a run."""

import dataclasses
import time
import types

import numpy as np
import pytest
from helpers import games

from experiments import gan
from jaxgan import media
from jaxgan.core.tables import Table
from jaxgan.data import Arrays
from jaxgan.monitoring import terminal
from jaxgan.training import announcements
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.steps import Steps

CONFIG = gan.Config(batch_size=8, data="ring")


@pytest.mark.parametrize(("quiet", "printed"), [(False, "loading the data: ring\n"), (True, "")])
def test_slow_work_is_announced_unless_the_run_is_quiet(quiet, printed, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PATIENCE", 0.01)
    with announcements.waiting("loading the data: ring", RunOptions(quiet=quiet)):
        time.sleep(0.2)
    assert capsys.readouterr().out == printed


def test_start_prints_the_data_and_the_hardware(capsys):
    run = SingleRun(games.points_experiment(), CONFIG)
    announcements.print_start("points", run, Steps(run, CONFIG, run.devices(1), "pmap"))
    assert capsys.readouterr().out == "points: 64 examples of arrays, shape 2; hardware: 8 x cpu\n"


@pytest.mark.parametrize(
    ("used", "expected"),
    [((), "2 classes, which this model does not use"), (("cat", "dog"), "2 classes")],
)
def test_start_says_whether_the_classes_are_used(used, expected, capsys):
    experiment = games.points_experiment()
    source = Arrays(games.points(64), np.arange(64) % 2, classes=("cat", "dog"))
    sampling = dataclasses.replace(experiment.sampling, classes=used)
    run = SingleRun(dataclasses.replace(experiment, source=source, sampling=sampling), CONFIG)
    announcements.print_start("points", run, Steps(run, CONFIG, run.devices(1), "pmap"))
    assert capsys.readouterr().out == f"points: 64 examples of arrays, shape 2, {expected}; hardware: 8 x cpu\n"


def test_start_of_a_population_prints_its_members(capsys):
    experiment = games.points_experiment()
    members = [{"seed": 0}, {"seed": 1}]
    run = PopulationRun(experiment, CONFIG, lambda config, source=None: experiment, members)
    announcements.print_start("points", run, Steps(run, CONFIG, run.devices(2), "pmap"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "population of 2 members on 2 x cpu: member 0 (seed 0); member 1 (seed 1)"


@pytest.mark.parametrize(
    ("labels", "used", "end"),
    [
        (None, (), ""),
        ([0, 1, 0], ("a", "b"), ", 2 classes"),
        ([0, 0, 0], ("a",), ", 1 class"),
        ([0, 1, 0], (), ", 2 classes, which this model does not use"),
    ],
)
def test_the_line_of_the_data_says_whether_classes_are_used(labels, used, end):
    images = np.zeros((3, 4, 5, 1), np.uint8)
    source = Arrays(images, None if labels is None else np.array(labels), "made")
    experiment = types.SimpleNamespace(source=source, sampling=types.SimpleNamespace(classes=used))
    assert announcements.data_line(experiment) == f"3 examples of made, shape 4 x 5 x 1{end}"


@dataclasses.dataclass(frozen=True)
class Columns(media.Points):
    number: int = 2

    def summary(self):
        return Table("columns:", ("column", "type"), tuple((f"c{i}", "number") for i in range(self.number)))


def test_start_prints_what_the_medium_found_out(capsys):
    experiment = games.points_experiment()
    announcements.print_columns(dataclasses.replace(experiment, medium=Columns()))
    assert capsys.readouterr().out == "columns:\n  column  type\n  c0      number\n  c1      number\n"
    announcements.print_columns(dataclasses.replace(experiment, medium=Columns(43)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["  c39     number", "  and 3 more"]
    announcements.print_columns(experiment)
    assert capsys.readouterr().out == ""
