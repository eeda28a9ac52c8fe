"""Tests of the estimated time, memory and disk space of a run."""

import dataclasses
import types

import jax
import pytest
from helpers import games

from experiments import gan
from jaxgan.core import system
from jaxgan.training.checkpoints import named_leaves
from jaxgan.training.estimate import (
    checkpoint_bytes,
    checkpoints_kept,
    measure_steps,
    monitor_bytes,
    next_call,
    peak_memory,
    steps_by_game,
)
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun
from jaxgan.training.steps import Steps


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


@pytest.fixture
def changing(experiment):
    """An experiment that trains only the discriminator at steps 0, 1 and 5."""
    game = experiment.game
    alone = dataclasses.replace(game, players={"d": game.players["d"]}, turns=(("d",),) * 3)
    most = dataclasses.replace(game, turns=(("d",),) * 3 + (("g",),))
    return dataclasses.replace(experiment, game=most, game_at=lambda step: alone if step in (0, 1, 5) else game)


def measure(experiment, **settings):
    config = gan.Config(batch_size=8, **settings)
    run = SingleRun(experiment, config)
    return list(measure_steps(run, config, Steps(run, config, run.devices(1), "pmap")))


@pytest.mark.integration
def test_steps_are_measured_after_the_first_call(experiment):
    (time,) = measure(experiment, steps=1000)
    assert (time.steps, time.examples, time.measured) == (1000, 8, 64)
    assert 0 < time.seconds < time.compile_seconds


@pytest.mark.parametrize(
    ("seconds", "measured", "count"),
    [
        (0.0, 0, 1),  # the time of a step is still unknown
        (0.01, 1, 10),  # the maximum number of steps in a call
        (0.6, 60, 4),  # the maximum number of measured steps is 64
        (0.64, 64, 0),
        (4.0, 20, 5),  # a step takes 0.2 s, and 1 s of 5 s remains
        (4.0, 10, 6),  # at least 16 steps are measured, even if they take longer than 5 s
        (6.0, 15, 1),
        (6.4, 16, 0),
        (19.0, 2, 0),  # the next step would end after 20 s
        (30.0, 1, 0),
    ],
)
def test_the_number_of_steps_in_the_next_measured_call(seconds, measured, count):
    assert next_call(seconds, measured, most=10) == count


@pytest.mark.integration
def test_each_game_is_measured_with_the_images_of_its_turns(changing):
    alone, usual = measure(changing, steps=9)
    assert (alone.steps, alone.examples, alone.measured) == (3, 24, 2)
    assert (usual.steps, usual.examples, usual.measured) == (6, 8, 5)


def test_the_steps_of_each_game_are_counted(changing, experiment):
    assert list(steps_by_game(changing, 9).values()) == [(0, 3), (2, 6)]
    assert steps_by_game(experiment, 10**9) == {experiment.game: (0, 10**9)}


@pytest.mark.parametrize(
    ("steps", "options", "count"),
    [
        (100, {}, 1),  # the last one
        (500, {}, 1),
        (501, {}, 2),
        (10_000, {}, 4),
        (900, {"evaluate_every": 300}, 4),  # 300, 500, 600, 900
        (900, {"checkpoint_every": 900, "evaluate_every": 450}, 2),
    ],
)
def test_the_number_of_checkpoints_that_a_run_leaves(steps, options, count):
    assert checkpoints_kept(steps, RunOptions(**options)) == count


def test_the_size_of_a_checkpoint_is_that_of_its_leaves():
    game = games.dcgan_game()
    state = game.init(jax.random.key(0))
    expected = sum(leaf.nbytes for leaf in named_leaves(state).values())
    assert checkpoint_bytes(state) == checkpoint_bytes(jax.eval_shape(game.init, jax.random.key(0))) == expected


@pytest.mark.parametrize(
    ("options", "bytes_of_a_parameter"),
    [({}, 2), ({"evaluate_every": 100}, 2), ({"checkpoint_every": 20}, 6), ({"evaluate_every": 75}, 6)],
)
def test_the_size_of_the_arrays_of_the_monitor(options, bytes_of_a_parameter):
    """Checkpoints between two probes also need the parameters of the last probe."""
    state = games.dcgan_game().init(jax.random.key(0))
    parameters = sum(x.size for x in jax.tree.leaves(state.params))
    assert monitor_bytes(state, 1000, RunOptions(**options)) == bytes_of_a_parameter * parameters


def test_peak_memory_of_an_accelerator_and_of_the_process(monkeypatch):
    accelerator = types.SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 123})
    assert peak_memory(accelerator) == 123
    monkeypatch.setattr(system, "peak_memory_bytes", lambda: 456)
    assert peak_memory(jax.devices("cpu")[0]) == 456
