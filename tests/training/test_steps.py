"""Tests of the compiled steps of a run: tracing before the first call, and the number of steps in a call."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import programs

from experiments import gan
from jaxgan import Game, Net, Player, latents, total
from jaxgan.data import Arrays, Unpaired
from jaxgan.experiment import Experiment, Sampling
from jaxgan.models import mlp
from jaxgan.training import steps as stepping
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.steps import Steps

pytestmark = pytest.mark.integration

POINTS = Arrays(np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32))
SOURCES = {"rows": POINTS, "two orders of rows": Unpaired(POINTS, Arrays(POINTS.images[:12])), "streamed": POINTS}


def game_of(source) -> Game:
    """Return a game with two turns of the discriminator per step.

    The generator reads latents, or the inputs of the batch if the source is ``Unpaired``.
    """

    def made(nets, batch, keys):
        return nets.g(batch["input"] if isinstance(source, Unpaired) else latents(keys, 2))

    def discriminator_loss(nets, batch, keys, step):
        return total(gap=nets.d(made(nets, batch, keys)) - nets.d(batch["image"]))

    def generator_loss(nets, batch, keys, step):
        return total(gap=-nets.d(made(nets, batch, keys)))

    plays = {"d": discriminator_loss, "g": generator_loss}
    example = jnp.zeros((1, 2))
    return Game(
        {"g": Net(mlp.Generator((2,), (8,), lambda x: x), example), "d": Net(mlp.Discriminator((8,)), example)},
        {name: Player((name,), loss, optax.sgd(0.01)) for name, loss in plays.items()},
        turns=(("d",), ("d",), ("g",)),
    )


@pytest.mark.parametrize("population", [1, 4])
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(("method", "count"), [("pmap", 1), ("pmap", 2), ("shard_map", 2)])
def test_each_game_is_traced_once(kind, population, method, count, monkeypatch):
    """``trace`` predicts the shapes of a step's arguments. A wrong prediction would cause a second trace."""
    if kind == "streamed":
        monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    traced, step = [], Game.step

    def recorded_step(self, *arguments):
        traced.append(self)
        return step(self, *arguments)

    monkeypatch.setattr(Game, "step", recorded_step)
    usual = game_of(SOURCES[kind])
    warm = dataclasses.replace(usual, turns=(("d",), ("g",)))

    def game_at(step):
        return warm if step < 3 else usual

    sampling = Sampling(lambda keys: latents(keys, 2), lambda nets, z: nets.g(z))
    experiment = Experiment(usual, SOURCES[kind], sampling, game_at=game_at)
    config = gan.Config(steps=6, batch_size=8, seed=0)
    run = SingleRun(experiment, config)
    if population > 1:
        seeds = [{"seed": seed} for seed in range(population)]
        run = PopulationRun(experiment, config, lambda *_: experiment, seeds)
    steps = Steps(run, config, run.devices(count), method)
    steps.trace()
    assert traced == [warm, usual]
    state, batches = run.place(run.init(run.keys), steps.devices, method), steps.batches(0)
    for first, taken in ((0, 2), (2, 1), (3, 3)):
        given = jax.tree.map(lambda *xs: np.stack(xs), *itertools.islice(batches, taken))
        state, _ = steps.at(first)(state, given)
    assert traced == [warm, usual] and int(np.ravel(jax.device_get(state.step))[0]) == 6


def test_a_call_takes_fewer_steps_if_streamed_batches_are_large(monkeypatch):
    """All streamed batches of a call are held in memory. With resident data, a batch consists of small indices."""
    images = Arrays(np.zeros((8, 32, 32, 3), np.float32))  # 12 kB per image
    experiment = Experiment(game_of(images), images, Sampling(lambda keys: keys, lambda nets, z: z))
    config = gan.Config(steps=6, batch_size=8)
    usual = Steps(SingleRun(experiment, config), config, jax.devices()[:1], "pmap").max_steps_per_call
    assert usual == stepping.MAX_STEPS_PER_CALL
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    step_bytes = 8 * 32 * 32 * 3 * 4 * 2  # two turns of the discriminator
    for ahead, steps in ((3.5 * step_bytes, 3), (0.5 * step_bytes, 1), (100 * step_bytes, usual)):
        monkeypatch.setattr(stepping, "AHEAD_BYTES", int(ahead))
        assert Steps(SingleRun(experiment, config), config, jax.devices()[:1], "pmap").max_steps_per_call == steps


def test_an_error_in_a_later_game_is_raised_before_any_file_is_written(tmp_path, capsys, monkeypatch):
    build = gan.build

    def wrong(config, source=None):
        built = build(config, *([] if source is None else [source]))
        g = built.game.players["g"]
        players = {**built.game.players, "g": dataclasses.replace(g, loss=lambda nets, real, keys, step: 1.0)}
        later = dataclasses.replace(built.game, players=players)
        return dataclasses.replace(built, game_at=lambda step: built.game if step < 5 else later)

    monkeypatch.setattr(gan, "build", wrong)
    flags = ["--run-dir", tmp_path / "run", *programs.tiny("gan"), "--devices", 1]
    with pytest.raises(TypeError, match="total"):
        programs.run(capsys, "--steps", 6, *flags, experiment="gan")
    assert not (tmp_path / "run").exists()
    assert programs.run(capsys, "--steps", 5, *flags, experiment="gan")[0] == 0
