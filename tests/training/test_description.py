"""The description of a run in place of training."""

from helpers import games

from experiments import gan
from jaxgan.training.description import print_description
from jaxgan.training.runs import SingleRun
from jaxgan.training.steps import Steps


def test_a_description_counts_the_networks_parameters(capsys):
    config = gan.Config(batch_size=8)
    run = SingleRun(games.points_experiment(), config)
    print_description(run, config, Steps(run, config, run.devices(1), "pmap"))
    printed = capsys.readouterr().out
    assert "network g   42 parameters" in printed  # 2 x 8 + 8 + 8 x 2 + 2
