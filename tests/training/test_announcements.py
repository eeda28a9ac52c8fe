"""What is printed before the first step."""

import time

import pytest
from helpers import games

from experiments import gan
from jaxgan.monitoring import terminal
from jaxgan.training import announcements
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.steps import Steps

CONFIG = gan.Config(batch_size=8, data="ring")


@pytest.mark.parametrize(("quiet", "printed"), [(False, "loading the data: ring\n"), (True, "")])
def test_what_takes_long_is_announced(quiet, printed, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PATIENCE", 0.01)
    with announcements.waiting("loading the data: ring", RunOptions(quiet=quiet)):
        time.sleep(0.2)
    assert capsys.readouterr().out == printed


def test_the_start_of_a_run_names_its_data_and_hardware(capsys):
    run = SingleRun(games.points_experiment(), CONFIG)
    announcements.print_start("points", run, Steps(run, CONFIG, run.devices(1), "pmap"))
    assert capsys.readouterr().out == "points: 64 examples of arrays, 2; 8 x cpu\n"


def test_the_start_of_a_population_names_its_members(capsys):
    experiment = games.points_experiment()
    members = [{"seed": 0}, {"seed": 1}]
    run = PopulationRun(experiment, CONFIG, lambda config, source=None: experiment, members)
    announcements.print_start("points", run, Steps(run, CONFIG, run.devices(2), "pmap"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "a population of 2 on 2 x cpu: member 0 (seed 0); member 1 (seed 1)"
