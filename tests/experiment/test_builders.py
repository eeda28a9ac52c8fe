"""The parts that experiments share: a generator against a discriminator, and a player that is idle."""

import dataclasses
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from experiments import gan
from jaxgan import Net, Player, total
from jaxgan.data import Arrays
from jaxgan.experiment import idle_player, two_player_experiment
from jaxgan.models import mlp


class Conditional(nn.Module):
    """A network that adds the label to its output."""

    network: nn.Module

    @nn.compact
    def __call__(self, x, label):
        return self.network(x) + label[0]


def test_two_player_experiment_builds_the_game_and_its_sampling():
    config = gan.Config(batch_size=4, ema_decay=0.9, grad_accum_steps=2)
    source = Arrays(np.zeros((4, 2), np.float32))
    made = two_player_experiment(
        config,
        source,
        Conditional(mlp.Generator((2,), (4,))),
        Conditional(mlp.Discriminator((4,))),
        z_dim=3,
        losses={
            "d": lambda nets, batch, keys, step: total(d=nets.d(batch["image"], batch["label"])),
            "g": lambda nets, batch, keys, step: total(g=nets.g(jnp.ones((4, 3)), batch["label"])[:, 0]),
        },
        optimizers={"d": optax.sgd(0.1), "g": optax.sgd(0.2)},
        turns=(("d",), ("d",), ("g",)),
        classes=("a", "b"),
        other_nets={"other": Net(mlp.Discriminator((4,)), jnp.zeros((1, 2)))},
        sample_latents=lambda keys, z_dim: jnp.full((len(keys), z_dim), 7.0),
    )
    game = made.game
    assert (set(game.nets), game.turns, game.ema) == ({"g", "d", "other"}, (("d",), ("d",), ("g",)), {"g": 0.9})
    assert {name: player.owns for name, player in game.players.items()} == {"d": ("d",), "g": ("g",)}
    assert [x.shape for x in game.nets["g"].examples] == [(1, 3), (1,)]
    assert made.sampling.classes == ("a", "b")
    np.testing.assert_array_equal(made.draw_latents(0, np.arange(5)), np.full((5, 3), 7.0))


@pytest.mark.parametrize("argument", ["losses", "optimizers"])
def test_missing_players_are_named(argument):
    parts = {
        "losses": dict.fromkeys(("d", "g"), lambda nets, batch, keys, step: total(a=0.0)),
        "optimizers": dict.fromkeys(("d", "g"), optax.sgd(0.1)),
    }
    del parts[argument]["g"]
    source = Arrays(np.zeros((4, 2), np.float32))
    networks = mlp.Generator((2,), (4,)), mlp.Discriminator((4,))
    message = f"`{argument}` must have entries for the players 'd' and 'g', got 'd'. Add 'g'."
    with pytest.raises(ValueError, match=re.escape(message)):
        two_player_experiment(gan.Config(), source, *networks, z_dim=3, **parts)


@pytest.mark.integration
def test_an_idle_player_does_not_change():
    """Its optimizer state does not change either. With gradients of 0, Adam's moving averages would decay to 0."""
    game = games.dcgan_game(optimizer=optax.adam(1e-3))
    idle = dataclasses.replace(game, players={**game.players, "d": idle_player(game.players["d"])})
    before = jax.jit(game.init)(jax.random.key(0))
    after, metrics = jax.jit(idle.step)(before, games.images(8))
    for part in ("params", "stats", "opt_states"):
        old, new = getattr(before, part)["d"], getattr(after, part)["d"]
        assert all(map(np.array_equal, jax.tree.leaves(old), jax.tree.leaves(new))), part
    assert float(metrics["d/idle"]) == 0
    assert not all(map(np.array_equal, jax.tree.leaves(before.params["g"]), jax.tree.leaves(after.params["g"])))
    assert isinstance(idle.players["d"], Player)
