"""What experiments have in common: a generator against a discriminator, and a player who does not move yet."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.core.game import Game, Player
from jaxgan.core.keys import latents
from jaxgan.core.networks import Net, format_names
from jaxgan.core.terms import total
from jaxgan.data import Source
from jaxgan.experiment.experiment import Experiment, Sampling
from jaxgan.experiment.settings import Settings


def two_player_experiment(
    config: Settings,
    source: Source,
    generator: Any,
    discriminator: Any,
    *,
    z_dim: int,
    losses: Mapping[str, Callable],
    optimizers: Mapping[str, optax.GradientTransformation],
    turns: tuple[tuple[str, ...], ...] = (("d",), ("g",)),
    classes: tuple[str, ...] = (),
    other_nets: Mapping[str, Net] | None = None,
    sample_latents: Callable[[jax.Array, int], jax.Array] = latents,
) -> Experiment:
    """An experiment with one generator, ``g``, against one discriminator or critic, ``d``.

    Args:
      config: its ``ema_decay`` is the generator's, its ``gradient`` is every player's.
      source: the examples.
      generator: a network of any kind that ``Net`` takes, from latents, [B, z_dim], to examples; with ``classes`` it
        takes labels, [B], too.
      discriminator: the other network, from examples to logits, [B]; with ``classes`` it takes labels, [B], too.
      z_dim: dimension of the latents.
      losses, optimizers: those of the players ``d`` and ``g``.
      turns: the turns of a step.
      classes: the names of the classes of a conditional model.
      other_nets: more networks, which no player owns.
      sample_latents: ``(keys, z_dim) -> latents``, [B] to [B, z_dim].

    Raises:
      ValueError: ``losses`` or ``optimizers`` lack a player; or the game's parts do not fit, see ``Game``.
    """
    _check_players("losses", losses)
    _check_players("optimizers", optimizers)
    inputs, examples = [jnp.zeros((1, z_dim))], [jnp.zeros((1, *source.shape))]
    if classes:
        label = jnp.zeros(1, jnp.int32)
        inputs.append(label)
        examples.append(label)
    nets = {"g": Net(generator, *inputs), "d": Net(discriminator, *examples), **(other_nets or {})}
    players = {name: Player((name,), losses[name], optimizers[name], config.gradient) for name in ("d", "g")}
    sampling = Sampling(
        latents=lambda keys: sample_latents(keys, z_dim),
        generate=lambda nets, *inputs: nets.g(*inputs),
        classes=classes,
    )
    return Experiment(Game(nets, players, turns, ema={"g": config.ema_decay}), source, sampling)


def _check_players(argument: str, given: Mapping[str, Any]) -> None:
    missing = [name for name in ("d", "g") if name not in given]
    if missing:
        raise ValueError(
            f"`{argument}` must have the players 'd' and 'g', got {format_names(given)}. Add {format_names(missing)}."
        )


def idle_player(player: Player) -> Player:
    """A player who does not move: its loss is 0; its networks' statistics and its optimizer's state stay as they are.

    With gradients of 0 instead, Adam would take its mean squared gradient for 0, and when the player begins to move,
    it would move at several times its rate.
    """

    def loss(nets, batch, keys, step):
        return total(idle=0.0, stats={name: nets[name].stats for name in player.owns})

    def update(updates, state, params=None):
        return jax.tree.map(jnp.zeros_like, updates), state

    return dataclasses.replace(player, loss=loss, optimizer=optax.GradientTransformation(player.optimizer.init, update))
