"""Tests of the ``repr`` of states, networks, players and games, also with tracers and shapes in place of arrays."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn, nnx
from helpers import games

from jaxgan import Net, Player, parallel, total
from jaxgan.core import representation
from jaxgan.core.gradients import accumulate
from jaxgan.core.networks import Frozen, FrozenVariables
from jaxgan.games.dynamics import consensus
from jaxgan.games.population import Population
from jaxgan.games.privacy import private

GAME = """Game
  net g: Generator(resolution=8, img_channels=1, channels=4, base_resolution=2), input [1, 4], moving average with decay 0.9
  net d: Discriminator(channels=4, base_resolution=2), input [1, 8, 8, 1]
  player d: owns d, minimises discriminator_loss
  player g: owns g, minimises generator_loss
  turns: 2 x d, then g"""


def count(params):
    return sum(x.size for x in jax.tree.leaves(params))


@pytest.fixture(scope="module")
def game():
    return games.dcgan_game(critic_turns=2)


@pytest.fixture(scope="module")
def state(game):
    return jax.jit(game.init)(jax.random.key(0))


def state_text(state, step=" at step 0", members="", each="", size=None):
    d, g = (f"{count(state.params[name]):,}" for name in ("d", "g"))
    size = size or f"{sum(x.nbytes for x in jax.tree.leaves(state)) / 1e3:.2f} kB"
    return (
        f"State{step}{members}, {size}\n  d: {d} parameters{each}; statistics: batch_stats"
        f"\n  g: {g} parameters{each}; statistics: batch_stats; with moving average"
    )


def test_the_repr_of_a_state_shows_its_step_and_its_networks(state):
    assert repr(state) == state_text(state)
    later = dataclasses.replace(state, step=jnp.int32(4500))
    assert repr(later).startswith("State at step 4,500, ")
    assert repr(parallel.replicate(state, parallel.devices(2))) == state_text(state)


def test_the_repr_of_a_populations_state_counts_the_parameters_of_one_member(game, state):
    states = jax.eval_shape(Population(game, 3).init, jax.random.split(jax.random.key(0), 3))
    expected = state_text(state, "", " of a population of 3 members", " per member", "?").split("\n")
    assert repr(states).splitlines()[1:] == expected[1:]
    assert repr(states).startswith("State of a population of 3 members, ")


def test_the_repr_of_a_state_never_raises_an_error(state):
    """The leaves of the state are shapes, tracers, donated arrays, shardings, strings and axes."""
    shapes = jax.eval_shape(lambda: state)
    assert repr(shapes) == representation.show_state(shapes) == state_text(state, "")
    shown = []
    jax.jit(lambda s: shown.append(repr(s)) or s.step)(state)
    jax.vmap(lambda s: shown.append(repr(s)) or s.step)(jax.tree.map(lambda x: jnp.stack([x, x]), state))
    assert shown[0] == state_text(state, "") and shown[1].startswith("State")
    donated = jax.tree.map(jnp.copy, dataclasses.replace(state, key=jnp.zeros(2)))
    donated.step.delete()
    assert repr(donated).startswith("State of a population of 2 members, ")
    assert repr(jax.tree.map(lambda x: x.sharding, state)) == "State with leaves of type SingleDeviceSharding"
    assert repr(jax.tree.map(lambda x: "x", state)) == "State with leaves of type str"
    axes = dataclasses.replace(state, step=None, key=0, params=0, stats=0, opt_states=0, ema=0)
    assert repr(axes) == "State with leaves of type int"


def test_the_repr_of_a_state_reads_only_the_step_from_the_device(state):
    with jax.transfer_guard("disallow"):
        repr(dataclasses.replace(state, step=None))


def decay_at(step):
    return 0.9


def test_the_repr_of_a_game_shows_its_networks_players_and_turns(game):
    assert repr(game) == representation.show_game(game) == GAME
    assert repr(game.nets["d"]) == "Net: Discriminator(channels=4, base_resolution=2), input [1, 8, 8, 1]"
    assert repr(game.players["d"]) == "Player: owns d, minimises discriminator_loss"
    for text in (representation.show_net(game.nets["d"]), representation.show_player(game.players["d"])):
        assert text in GAME
    together = dataclasses.replace(game, turns=(("d", "g"),), ema={"g": decay_at})
    assert repr(together).endswith("turns: d and g together")
    assert "moving average with decay decay_at\n" in repr(together)


def test_the_repr_of_a_wrapper_shows_its_fields_and_the_wrapped_game(game):
    population = Population(game, 2, lambda rate: game, {"rate": jnp.ones(2)})
    assert repr(population) == representation.show_wrapper(population)
    assert repr(population) == f"Population(size=2, make_game=<lambda>, settings={{rate}}) around {GAME}"
    plain = games.points_game()
    together = dataclasses.replace(plain, turns=(("d", "g"),))
    assert repr(consensus(together, jnp.float32(2))) == f"Consensus(gamma=float32[]) around {together!r}"
    hidden = private(plain, jnp.zeros((4, 2)), noise_multiplier=1.0, l2_clip=1.0, key=jax.random.key(0))
    assert repr(hidden) == f"PrivateGame() around {plain!r}"


def test_the_repr_of_a_function_shows_its_parameters_and_mode(game, state):
    nets = game.functions(state)
    g = f"Generator(resolution=8, img_channels=1, channels=4, base_resolution=2), {count(state.params['g']):,} parameters"
    assert repr(nets.g) == f"Function g: {g}, in evaluation mode"
    assert representation.show_function(nets.g) == f"{g}, in evaluation mode"
    assert representation.count_parameters(state.params["g"]) == count(state.params["g"])
    assert repr(nets).startswith(f"Nets\n  g: {g}, in evaluation mode\n  d: Discriminator")
    assert repr(game.functions(state, train=True).g).endswith("in training mode")


def test_the_repr_of_a_player_shows_its_gradient_function_and_the_function_inside_a_partial():
    def my_loss(scale, nets, batch, keys, step):
        return total(a=scale)

    player = Player(("a", "b"), functools.partial(my_loss, 1.0), optax.sgd(1.0), accumulate(4))
    assert repr(player) == "Player: owns a, b, minimises my_loss, gradient by accumulate"


class Odd(nn.Module):
    """A module with fields of many types."""

    table: np.ndarray
    rates: dict
    act: object = nn.relu
    dtype: jnp.dtype = jnp.float32
    names: tuple = ()
    inner: nn.Module | None = None


def test_the_fields_of_a_module_are_shortened():
    frozen = Frozen(nn.Dense(3), FrozenVariables({"params": np.zeros(10_000)}))
    assert repr(frozen.frozen) == "FrozenVariables: 10,000 parameters"
    assert representation.show_module(frozen) == "Frozen(network=Dense, frozen=FrozenVariables)"
    odd = Odd(np.zeros((3, 4), np.float32), {"a": 1}, act=nn.tanh, dtype=jnp.dtype("float32"), inner=nn.Dense(2))
    assert representation.show_module(odd) == "Odd(table=float32[3, 4], rates={a}, act=tanh, inner=Dense)"
    odd = odd.clone(dtype=jnp.dtype("bfloat16"), names=("x" * 300,))
    text = representation.show_module(odd)
    assert "dtype=bfloat16" in text and text.endswith("...)") and len(text) < 250
    assert representation.show_function_name(functools.partial(nn.relu)) == "relu"
    assert representation.lines_under("a", ["b\nc"]) == "a\n  b\n  c"


def test_the_repr_of_a_net_names_linen_modules_nnx_modules_and_functions():
    x = jnp.zeros((1, 2))
    assert repr(Net(nn.Dense(3), x)) == "Net: Dense(features=3), input [1, 2]"
    assert repr(Net(lambda rngs: nnx.Linear(2, 3, rngs=rngs), x)) == "Net: Linear, input [1, 2]"

    def init(key, x):
        return {}

    def apply(params, x):
        return x

    assert repr(Net((init, apply), x)) == "Net: (init, apply), input [1, 2]"
