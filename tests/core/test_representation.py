"""The texts of states, networks, players and games: names and shapes in a few lines, whatever lies in the arrays' place."""

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
  net g: Generator(resolution=8, img_channels=1, channels=4, base_resolution=2) of [1, 4], averaged with decay 0.9
  net d: Discriminator(channels=4, base_resolution=2) of [1, 8, 8, 1]
  player d: owns d and minimises discriminator_loss
  player g: owns g and minimises generator_loss
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
        f"State{step}{members}, {size}\n  d: {d} parameters{each}; statistics batch_stats"
        f"\n  g: {g} parameters{each}; statistics batch_stats; averaged"
    )


def test_a_state_is_its_step_and_its_networks(state):
    assert repr(state) == state_text(state)
    later = dataclasses.replace(state, step=jnp.int32(4500))
    assert repr(later).startswith("State at step 4,500, ")
    assert repr(parallel.replicate(state, parallel.devices(2))) == state_text(state)


def test_a_state_of_members_counts_the_parameters_of_one(game, state):
    states = jax.eval_shape(Population(game, 3).init, jax.random.split(jax.random.key(0), 3))
    expected = state_text(state, "", " of 3 members", " each", "?").split("\n")
    assert repr(states).splitlines()[1:] == expected[1:]
    assert repr(states).startswith("State of 3 members, ")


def test_no_state_is_an_error(state):
    """Shapes, tracers, arrays that were donated, shardings and axes in the place of arrays."""
    shapes = jax.eval_shape(lambda: state)
    assert repr(shapes) == representation.show_state(shapes) == state_text(state, "")
    shown = []
    jax.jit(lambda s: shown.append(repr(s)) or s.step)(state)
    jax.vmap(lambda s: shown.append(repr(s)) or s.step)(jax.tree.map(lambda x: jnp.stack([x, x]), state))
    assert shown[0] == state_text(state, "") and shown[1].startswith("State")
    donated = jax.tree.map(jnp.copy, dataclasses.replace(state, key=jnp.zeros(2)))
    donated.step.delete()
    assert repr(donated).startswith("State of 2 members, ")
    assert repr(jax.tree.map(lambda x: x.sharding, state)) == "State of SingleDeviceSharding"
    assert repr(jax.tree.map(lambda x: "x", state)) == "State of str"
    assert repr(dataclasses.replace(state, step=None, key=0, params=0, stats=0, opt_states=0, ema=0)) == "State of int"


def test_a_state_is_not_read_from_the_device_but_for_its_step(state):
    with jax.transfer_guard("disallow"):
        repr(dataclasses.replace(state, step=None))


def decay_at(step):
    return 0.9


def test_a_game_is_its_networks_players_and_turns(game):
    assert repr(game) == representation.show_game(game) == GAME
    assert repr(game.nets["d"]) == "Net: Discriminator(channels=4, base_resolution=2) of [1, 8, 8, 1]"
    assert repr(game.players["d"]) == "Player: owns d and minimises discriminator_loss"
    for text in (representation.show_net(game.nets["d"]), representation.show_player(game.players["d"])):
        assert text in GAME
    together = dataclasses.replace(game, turns=(("d", "g"),), ema={"g": decay_at})
    assert repr(together).endswith("turns: d with g") and "averaged with decay decay_at\n" in repr(together)


def test_wrappers_show_their_settings_and_the_game_inside(game):
    population = Population(game, 2, lambda rate: game, {"rate": jnp.ones(2)})
    assert repr(population) == representation.show_wrapper(population)
    assert repr(population) == f"Population(size=2, make_game=<lambda>, settings={{rate}}) of {GAME}"
    plain = games.points_game()
    together = dataclasses.replace(plain, turns=(("d", "g"),))
    assert repr(consensus(together, jnp.float32(2))) == f"Consensus(gamma=float32[]) of {together!r}"
    hidden = private(plain, jnp.zeros((4, 2)), noise_multiplier=1.0, l2_clip=1.0, key=jax.random.key(0))
    assert repr(hidden) == f"PrivateGame() of {plain!r}"


def test_functions_show_parameters_and_mode(game, state):
    nets = game.functions(state)
    g = f"Generator(resolution=8, img_channels=1, channels=4, base_resolution=2), {count(state.params['g']):,} parameters"
    assert repr(nets.g) == f"Function g: {g}, in evaluation mode"
    assert representation.show_function(nets.g) == f"{g}, in evaluation mode"
    assert representation.count_parameters(state.params["g"]) == count(state.params["g"])
    assert repr(nets).startswith(f"Nets\n  g: {g}, in evaluation mode\n  d: Discriminator")
    assert repr(game.functions(state, train=True).g).endswith("in training mode")


def test_players_show_how_they_compute_and_what_is_inside_a_partial():
    def my_loss(scale, nets, batch, keys, step):
        return total(a=scale)

    player = Player(("a", "b"), functools.partial(my_loss, 1.0), optax.sgd(1.0), accumulate(4))
    assert repr(player) == "Player: owns a, b and minimises my_loss by accumulate"


class Odd(nn.Module):
    """Settings of every kind."""

    table: np.ndarray
    rates: dict
    act: object = nn.relu
    dtype: jnp.dtype = jnp.float32
    names: tuple = ()
    inner: nn.Module | None = None


def test_settings_of_a_module_are_short():
    frozen = Frozen(nn.Dense(3), FrozenVariables({"params": np.zeros(10_000)}))
    assert repr(frozen.frozen) == "FrozenVariables: 10,000 numbers"
    assert representation.show_module(frozen) == "Frozen(network=Dense, frozen=FrozenVariables)"
    odd = Odd(np.zeros((3, 4), np.float32), {"a": 1}, act=nn.tanh, dtype=jnp.dtype("float32"), inner=nn.Dense(2))
    assert representation.show_module(odd) == "Odd(table=float32[3, 4], rates={a}, act=tanh, inner=Dense)"
    odd = odd.clone(dtype=jnp.dtype("bfloat16"), names=("x" * 300,))
    text = representation.show_module(odd)
    assert "dtype=bfloat16" in text and text.endswith("...)") and len(text) < 250
    assert representation.show_function_name(functools.partial(nn.relu)) == "relu"
    assert representation.lines_under("a", ["b\nc"]) == "a\n  b\n  c"


def test_networks_of_every_kind_are_named():
    x = jnp.zeros((1, 2))
    assert repr(Net(nn.Dense(3), x)) == "Net: Dense(features=3) of [1, 2]"
    assert repr(Net(lambda rngs: nnx.Linear(2, 3, rngs=rngs), x)) == "Net: Linear of [1, 2]"

    def init(key, x):
        return {}

    def apply(params, x):
        return x

    assert repr(Net((init, apply), x)) == "Net: (init, apply) of [1, 2]"
