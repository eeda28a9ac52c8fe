"""Rematerialisation: equal steps, less memory, and its option of a run."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games, jaxprs

from experiments import gan
from jaxgan import Game, Net, Player, losses, parallel, total
from jaxgan.core import remat
from jaxgan.core.gradients import accumulate, full_batch, per_example_clipped
from jaxgan.games.population import Population
from jaxgan.games.remat import Rematerialized
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun
from jaxgan.training.steps import Steps


class Deep(nn.Module):
    """A network of many equal blocks, from [B, 32] to logits [B]."""

    blocks: int = 8

    @nn.compact
    def __call__(self, x):
        for i in range(self.blocks):
            x = x + jnp.tanh(nn.sigmoid(nn.Dense(32, name=f"dense_{i}")(x)) ** 2)
        return nn.Dense(1, name="logit")(x)[:, 0]


X = jax.random.normal(jax.random.key(0), (256, 32))


def deep_game(penalty: bool, gradient=full_batch) -> Game:
    """Create a game of one player that trains a deep network, with or without R1."""

    def loss(nets, batch, keys, step):
        r1 = 100 * losses.r1(nets.d, batch) if penalty else 0.0
        return total(value=jax.nn.softplus(-nets.d(batch)), r1=r1)

    return Game({"d": Net(Deep(), X)}, {"d": Player(("d",), loss, optax.sgd(0.1), gradient)}, (("d",),))


def check_equal_steps(step, other, *arguments):
    """Check that two functions return equal states, relative to the change of the state."""
    (after, metrics), (other_after, other_metrics) = jax.jit(step)(*arguments), jax.jit(other)(*arguments)
    assert jax.tree.structure(after) == jax.tree.structure(other_after)
    assert games.change(arguments[0], after, other_after) < 1e-5
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), metrics, other_metrics)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), after.stats, other_after.stats)


@pytest.mark.parametrize(("penalty", "share"), [(False, 0.6), (True, 0.8)], ids=["plain", "r1"])
def test_memory_falls_and_the_step_stays_equal(penalty, share):
    game = deep_game(penalty)
    state = jax.jit(game.init)(jax.random.key(1))
    check_equal_steps(game.step, Rematerialized(game).step, state, X)

    def memory(step) -> int:
        analysis: Any = jax.jit(step).lower(state, X).compile().memory_analysis()
        return analysis.temp_size_in_bytes

    assert memory(Rematerialized(game).step) < share * memory(game.step)


@pytest.mark.parametrize("gradient", [accumulate(2), per_example_clipped(1.0)], ids=["accumulated", "clipped"])
def test_other_gradient_functions_stay_equal(gradient):
    game = deep_game(True, gradient)
    check_equal_steps(game.step, Rematerialized(game).step, jax.jit(game.init)(jax.random.key(1)), X[:8])


@pytest.mark.integration
def test_batch_norm_and_a_lazy_penalty_stay_equal():
    game = games.dcgan_game(lazy=2)
    check_equal_steps(game.step, Rematerialized(game).step, jax.jit(game.init)(jax.random.key(0)), games.images(8))


@pytest.mark.integration
def test_several_devices_and_a_population_stay_equal():
    game = games.dcgan_game()
    state, images = jax.jit(game.init)(jax.random.key(0)), games.images(8)
    expected, _ = jax.jit(game.step)(state, images)
    on = parallel.devices(2)
    after, _ = parallel.pmap(Rematerialized(game), on)(parallel.replicate(state, on), images)
    assert games.change(state, expected, jax.device_get(after)) < 1e-5

    states = Population(game, 2).init(jax.random.split(jax.random.key(0), 2))
    steps = [Population(member, 2).step for member in (game, Rematerialized(game))]
    check_equal_steps(*steps, states, jnp.stack([images, images], 1))


def test_a_network_without_several_operations_is_called():
    def apply(params, x):
        return x

    with remat.active():
        assert remat.recompute(lambda: 3 * jnp.float32(2)) == 6
        game = Game(
            {"d": Net((lambda key, x: {}, apply), X)},
            {"d": Player(("d",), lambda nets, batch, keys, step: total(a=nets.d(batch)[:, 0]), optax.sgd(0.1))},
            (("d",),),
        )
        assert np.isfinite(game.step(jax.jit(game.init)(jax.random.key(0)), X)[1]["d/loss"])


def barriers(program) -> int:
    """Return the number of barriers, which order the recomputation, in a traced program."""
    return sum(equation.primitive.name == "optimization_barrier" for equation in jaxprs.equations(program))


def test_the_option_rematerializes_the_steps_of_a_run(monkeypatch):
    experiment = games.points_experiment()
    config = gan.Config(steps=6, batch_size=8, seed=0)
    run = SingleRun(experiment, config)
    compiled = []
    monkeypatch.setattr(parallel, "pmap", lambda game, *arguments, **options: compiled.append(game))
    for option in (False, True):
        Steps(run, config, run.devices(1), "pmap", remat=option).at(0)
    assert [isinstance(game, Rematerialized) for game in compiled] == [False, True]


def test_a_rematerialized_step_computes_activations_again():
    game = deep_game(False)
    state = jax.jit(game.init)(jax.random.key(0))
    assert (
        barriers(jax.make_jaxpr(game.step)(state, X))
        == 0
        < barriers(jax.make_jaxpr(Rematerialized(game).step)(state, X))
    )


def test_the_option_is_recorded_and_applies_again():
    recorded = RunOptions(remat=True).recorded()
    assert recorded == {"remat": True} and RunOptions().recorded() == {}
    assert RunOptions.resumed(recorded, {}).remat and not RunOptions.resumed(recorded, {"remat": False}).remat
