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


def draw_maps(keys, z_dim):
    return jax.vmap(lambda key: jax.random.normal(key, (4, z_dim)))(keys)


def draw_integers(keys, z_dim):
    return jax.vmap(lambda key: jax.random.randint(key, (), 0, z_dim))(keys)


def draw_half(keys, z_dim):
    return draw_maps(keys, z_dim).astype(jnp.bfloat16)


class FromAnything(nn.Module):
    """A generator of points from latents of any shape and type."""

    @nn.compact
    def __call__(self, z):
        return nn.Dense(2)(z.reshape(len(z), -1).astype(jnp.float32))


def build_with(sample_latents):
    def loss(nets, batch, keys, step):
        return total(d=nets.d(nets.g(sample_latents(keys, 3))) + nets.d(batch["image"]))

    return two_player_experiment(
        gan.Config(batch_size=4),
        Arrays(np.zeros((4, 2), np.float32)),
        FromAnything(),
        mlp.Discriminator((4,)),
        z_dim=3,
        losses={"d": loss, "g": loss},
        optimizers={"d": optax.sgd(0.1), "g": optax.sgd(0.1)},
        sample_latents=sample_latents,
    )


@pytest.mark.parametrize("sample_latents", [draw_maps, draw_integers, draw_half])
def test_latents_can_have_any_shape_and_type(sample_latents):
    made = build_with(sample_latents)
    z = made.sampling.latents(jax.random.split(jax.random.key(0), 4))
    (declared,) = made.game.nets["g"].examples
    assert (declared.shape[1:], declared.dtype) == (z.shape[1:], z.dtype)
    state = made.game.init(jax.random.key(0))
    state, _ = jax.jit(made.game.step)(state, {"image": np.zeros((4, 2), np.float32)})
    assert made.sampling.generate(made.game.functions(state), z).shape == (4, 2)


@pytest.mark.parametrize(
    ("sample_latents", "got"),
    [
        (lambda keys, z_dim: {"z": draw_maps(keys, z_dim), "label": draw_integers(keys, z_dim)}, "'label': 'int32[2]'"),
        (lambda keys, z_dim: (draw_maps(keys, z_dim), draw_integers(keys, z_dim)), "('float32[2, 4, 3]', 'int32[2]')"),
        (lambda keys, z_dim: draw_maps(keys, z_dim)[0], "float32[4, 3]"),
        (lambda keys, z_dim: draw_maps(keys, z_dim).sum(), "float32[]"),
    ],
)
def test_latents_that_are_not_one_array_per_example_are_refused(sample_latents, got):
    message = r"`sample_latents` must return one array \[B, ...\] for B keys, got .*" + re.escape(got)
    with pytest.raises(ValueError, match=message + r".* for 2 keys\. For several arrays, concatenate them"):
        build_with(sample_latents)
