"""Games that experiments have in common: two players, and a player who waits."""

import dataclasses
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgan.core.game import Game, Player
from jaxgan.core.keys import latents
from jaxgan.core.networks import Net
from jaxgan.core.terms import total
from jaxgan.data import Source
from jaxgan.experiment.experiment import Experiment, Sampling
from jaxgan.experiment.settings import Settings


def two_players(
    config: Settings,
    source: Source,
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    losses: Mapping[str, Callable],
    optimizers: Mapping[str, optax.GradientTransformation],
    turns: tuple[tuple[str, ...], ...] = (("d",), ("g",)),
    classes: tuple[str, ...] = (),
    others: Mapping[str, Net] | None = None,
    draw: Callable[[jax.Array, int], jax.Array] = latents,
) -> Experiment:
    """One generator, ``g``, against one discriminator or critic, ``d``: what most of the family have in common.

    Args:
      config: says the latents' size, the average's decay, and how gradients are accumulated.
      source: the examples.
      generator: latents, [B, z], to examples; with ``classes`` it takes labels too.
      discriminator: examples to logits, [B]; with ``classes`` it takes labels too.
      losses, optimizers: each player's.
      turns: of a step.
      classes: of a conditional model.
      others: more networks, which no player owns.
      draw: latents of keys and a size.
    """
    label = (jnp.zeros(1, jnp.int32),) * bool(classes)
    nets = {
        "g": Net(generator, jnp.zeros((1, config.z_dim)), *label),
        "d": Net(discriminator, jnp.zeros((1, *source.shape)), *label),
        **(others or {}),
    }
    players = {name: Player((name,), losses[name], optimizers[name], config.gradient) for name in ("d", "g")}
    sampling = Sampling(
        latents=lambda keys: draw(keys, config.z_dim), generate=lambda nets, *inputs: nets.g(*inputs), classes=classes
    )
    return Experiment(Game(nets, players, turns, ema={"g": config.ema_decay}), source, sampling)


def waiting(player: Player) -> Player:
    """A player who does not move: its loss is 0, its networks' statistics and its optimizer's state stay as they are.

    Or Adam, by the time that it begins to move, would take its means of no gradients for settled, and move it at
    several times its rate.
    """

    def loss(nets, batch, keys, step):
        return total(waiting=0.0, stats={name: nets[name].stats for name in player.owns})

    resting = optax.GradientTransformation(
        player.optimizer.init, lambda updates, state, params=None: (jax.tree.map(jnp.zeros_like, updates), state)
    )
    return dataclasses.replace(player, loss=loss, optimizer=resting)
