"""Create parts that many experiments share: a generator against a discriminator, and a player that is idle."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.core.game import Game, Player
from jaxgan.core.keys import latents
from jaxgan.core.networks import Net, format_array, format_names
from jaxgan.core.terms import total
from jaxgan.data import Source
from jaxgan.experiment.experiment import Experiment, Sampling
from jaxgan.experiment.settings import CommonSettings
from jaxgan.media import Medium, guess, normalized_shape


def two_player_experiment(
    config: CommonSettings,
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
    medium: Medium | None = None,
    features: Callable[..., Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Experiment:
    """Create an experiment with one generator, ``g``, and one discriminator or critic, ``d``.

    Args:
      config: the settings. ``config.ema_decay`` is the EMA decay of the generator, and both players compute gradients
        with ``config.gradient``.
      source: the examples to train on.
      generator: a network of any kind that ``Net`` accepts. It maps latents, [B, z_dim], to examples. With ``classes``
        it also takes labels, [B].
      discriminator: a network of any kind that ``Net`` accepts. It maps examples to logits, [B]. With ``classes`` it
        also takes labels, [B].
      z_dim: dimension of the latents.
      losses: dictionary with the loss functions of the players ``d`` and ``g``.
      optimizers: dictionary with the optimizers of the players ``d`` and ``g``.
      turns: the turns of a step, as for ``Game``.
      classes: the names of the classes of a conditional model; empty for an unconditional model.
      other_nets: dictionary from names to additional networks, which no player owns.
      sample_latents: function ``(keys, z_dim) -> latents`` from PRNG keys, [B], to one array of latents, [B, ...]. The
        generator receives them with this shape and type.
      medium: the kind of the examples; None chooses it by their shape. See ``Experiment``.
      features: function that replaces ``medium.features``, see ``Experiment``.
      metrics: metrics that are added to those of the medium, see ``Experiment``.

    Raises:
      ValueError: if ``losses`` or ``optimizers`` lack a player, ``sample_latents`` does not return one array [B, ...],
        the parts do not form a valid ``Game``, or the source does not have examples of the medium.
    """
    _check_players("losses", losses)
    _check_players("optimizers", optimizers)
    if medium is not None:
        medium.check(source)
    inputs: list[Any] = [_latents_of_one(sample_latents, z_dim)]
    examples = [jnp.zeros((1, *(source.shape if medium is None else normalized_shape(medium, source))))]
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
    return Experiment(
        Game(nets, players, turns, ema={"g": config.ema_decay}),
        source,
        sampling,
        medium=guess(source.shape) if medium is None else medium,
        features=features,
        metrics=metrics or {},
    )


def _latents_of_one(sample_latents: Callable[[jax.Array, int], jax.Array], z_dim: int) -> jax.ShapeDtypeStruct:
    """Return the shape and type of the latents of one example.

    Raises:
      ValueError: if ``sample_latents`` does not return one array [B, ...].
    """
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))  # with one key, [z_dim] could pass for [B]
    drawn = jax.eval_shape(lambda keys: sample_latents(keys, z_dim), keys)
    if not isinstance(drawn, jax.ShapeDtypeStruct) or drawn.shape[:1] != (2,):
        raise ValueError(
            "`sample_latents` must return one array [B, ...] for B keys, got "
            f"{jax.tree.map(format_array, drawn)} for 2 keys. For several arrays, concatenate them and split them in "
            "the generator, or create the `Game` and the `Experiment` yourself."
        )
    return jax.ShapeDtypeStruct((1, *drawn.shape[1:]), drawn.dtype)


def _check_players(argument: str, given: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if one of the players ``d`` and ``g`` is missing."""
    missing = [name for name in ("d", "g") if name not in given]
    if missing:
        raise ValueError(
            f"`{argument}` must have entries for the players 'd' and 'g', got {format_names(given)}. Add "
            f"{format_names(missing)}."
        )


def idle_player(player: Player) -> Player:
    """Return a player with the same networks that does not train.

    Its loss is 0, and the parameters and statistics of its networks and the state of its optimizer do not change.

    A gradient of 0 would not be enough: Adam would then estimate the mean of the squared gradients as 0. When the
    player starts to train later, its first updates would be several times as large as the learning rate.
    """

    def loss(nets, batch, keys, step):
        return total(idle=0.0, stats={name: nets[name].stats for name in player.owns})

    def update(updates, state, params=None):
        return jax.tree.map(jnp.zeros_like, updates), state

    return dataclasses.replace(player, loss=loss, optimizer=optax.GradientTransformation(player.optimizer.init, update))
