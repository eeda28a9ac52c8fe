"""Differential privacy: players that see the data learn from clipped examples and noise. DP-SGD, Abadi et al. 2016.

    private_game = private(game, batch, noise_multiplier=1.0, l2_clip=1.0, key=jax.random.key(secret))  # batch: one
    turn's uses = count_uses(game, batch)  # for jaxgan.games.accounting.compute_epsilon

In a GAN that is the discriminator. The generator sees the data through it alone, so what it learns, and all samples
that it draws, are as private as the discriminator is (Xie et al. 2018, DPGAN: differential privacy survives
post-processing).

The parameters, their averages, and samples drawn with them are private. Whatever else is computed on the data and shown
is not: losses and accuracies in the log, a score by which a checkpoint is chosen, statistics of real data that a metric
compares with. Whoever knows the noise can subtract it: ``key`` is a secret, and so are checkpoints, which hold the key
of the next noise.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.game import Game
from jaxgan.core.gradients import accumulate, full_batch, per_example_clipped
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike, GameWrapper, require_game


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrivateGame(GameWrapper):
    """A game whose players that see the data are private; see ``private``.

    It is a wrapper so that compositions which would look at the batch past the clipping, or share its noise, refuse it.

    Attributes:
      game: the game as it was, which is not private.
      noised: the same game with private players. This is the one that is initialised and played.
    """

    game: Game
    noised: Game

    def init(self, key: jax.Array, /) -> State:
        return self.noised.init(key)

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        return self.noised.step(state, batch)


def private(
    game: Game, batch: Any, *, noise_multiplier: float, l2_clip: float, key: jax.Array, micro_batches: int = 1
) -> PrivateGame:
    """The game with every player whose loss sees the batch made private.

    Each example's gradient is scaled down to a norm of at most ``l2_clip``. Gaussian noise of standard deviation
    ``noise_multiplier * l2_clip / B`` is added to their mean over all devices, once, the same on each device. The
    player's optimizer gets the sum, and neither ``value`` nor ``terms``, which are computed on the data. Other players
    stay as they are, because tracing proves that nothing they learn, log or keep depends on the batch.

    Args:
      game: a ``Game`` without BatchNorm in any network, because BatchNorm mixes examples.
      batch: the batch of a turn, over all devices, or its shapes: [B, ...].
      noise_multiplier: at least 0. A multiplier of 0 clips, and is not private.
      l2_clip: the largest norm of an example's gradient, above 0.
      key: the noise is drawn from it and from nothing else.
      micro_batches: for ``accumulate``; a private player's own ``gradient`` is not used.

    Raises:
      ValueError: a number is out of its range, or the game cannot be made private; the message says why.
    """
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(f"private: `noise_multiplier` must be a finite number of at least 0, got {noise_multiplier}.")
    gradient = accumulate(micro_batches, per_example_clipped(l2_clip))
    if isinstance(game, PrivateGame):
        raise ValueError("private: `game` is private already.")
    names = players_that_see_data(game, batch)
    _check_networks(game)
    (size,) = {x.shape[0] for x in jax.tree.leaves(batch)}
    scale = noise_multiplier * l2_clip / size
    players = dict(game.players)
    for i, name in enumerate(names):
        players[name] = dataclasses.replace(
            game.players[name],
            gradient=_of_turns(gradient, size),
            optimizer=_add_noise(game.players[name].optimizer, scale, jax.random.fold_in(key, i), name),
        )
    return PrivateGame(game, dataclasses.replace(game, players=players))


def players_that_see_data(game: GameLike, batch: Any) -> tuple[str, ...]:
    """The players whose loss sees the batch: what they learn, log or keep depends on one of its arrays.

    Labels are such an array, so a conditional generator that uses the classes of a batch sees the data. A value that a
    loss multiplies by 0 counts too.

    Args:
      game: a ``Game`` or a ``PrivateGame``.
      batch: the batch of a turn, or its shapes: [B, ...].

    Raises:
      ValueError: ``game`` is another wrapper, which may show the batch to players in its own way.
    """
    game = require_game(game.game if isinstance(game, PrivateGame) else game, "private")
    state = jax.eval_shape(game.init, jax.random.key(0))
    shapes = jax.tree.map(_shape, batch)
    return tuple(name for name in game.players if _sees(game, name, state, shapes))


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    # In the type that JAX gives to the array: labels of NumPy are often int64.
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def count_uses(game: GameLike, batch: Any) -> tuple[int, ...]:
    """For each slice of a step's batch, the number of private players that learn from it.

    ``accounting.compute_epsilon`` takes it. DCGAN's is ``(1,)``: the discriminator learns from the only slice.

    Args:
      game: a ``Game`` or a ``PrivateGame``.
      batch: the batch of a turn, or its shapes: [B, ...].
    """
    names = players_that_see_data(game, batch)
    turns = [sum(turn.count(name) for turn in game.unwrapped.turns) for name in names]
    return tuple(sum(count > n for count in turns) for n in range(game.batch_multiple))


class _Noised(NamedTuple):
    """``key`` is that of the noise to come; the noise drawn before cannot be computed from it."""

    key: jax.Array
    inner: Any


def _add_noise(optimizer: optax.GradientTransformation, scale: float, key: jax.Array, name: str):
    """The optimizer, which gets gradients plus Gaussian noise of standard deviation ``scale``."""

    def init(params):
        # A copy, because a step that donates its state would donate the caller's own buffer.
        own = jax.random.wrap_key_data(jnp.array(jax.random.key_data(key), copy=True), impl=jax.random.key_impl(key))
        return _Noised(own, optimizer.init(params))

    def update(updates, state, params=None, **terms):
        del terms  # They are computed on the data, without noise.
        following, now = jax.random.split(state.key)
        leaves, tree = jax.tree.flatten(updates)
        keys = jax.random.split(now, len(leaves))
        noisy = [x + (scale * jax.random.normal(k, x.shape)).astype(x.dtype) for k, x in zip(keys, leaves)]
        try:
            updates, inner = optimizer.update(jax.tree.unflatten(tree, noisy), state.inner, params)
        except TypeError as error:
            if "'terms'" not in str(error) and "'value'" not in str(error):
                raise
            raise ValueError(
                f"private: the optimizer of player {name!r} asks for terms of its loss, which are computed on the data "
                "and have no noise. Use an optimizer that does not ask for them."
            ) from error
        return updates, _Noised(following, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _of_turns(gradient, size):
    """``gradient``, which refuses turns of another size than the one that the noise was computed for."""

    def checked(loss, own, batch, keys):
        examples = keys.shape[0] * axis.size()
        if examples != size:
            raise ValueError(
                f"private: the noise is for turns of {size} examples over all devices, got a turn of {examples}."
            )
        return gradient(loss, own, batch, keys)

    return checked


def _check_networks(game: Game) -> None:
    for net, collections in jax.eval_shape(game.init, jax.random.key(0)).stats.items():
        if "batch_stats" in collections:
            raise ValueError(
                f"private: network {net!r} has BatchNorm, which mixes the examples of a batch, so the gradient of one "
                "example alone cannot be clipped. Use networks without it, as dcgan's are with `norm` none."
            )


def _sees(game: Game, name: str, state: State, batch: Any) -> bool:
    """Whether any result of a step of this player alone depends on the batch."""
    player = dataclasses.replace(game.players[name], optimizer=optax.identity(), gradient=full_batch)
    alone = Game(game.nets, {name: player}, ((name,),))
    state = dataclasses.replace(state, opt_states={name: optax.EmptyState()}, ema={})
    jaxpr = jax.make_jaxpr(alone.step)(state, batch).jaxpr
    of_state = len(jax.tree.leaves(state))
    return any(_depends(jaxpr, [i >= of_state for i in range(len(jaxpr.invars))]))


def _depends(jaxpr, chosen: list[bool]) -> list[bool]:
    """Which outputs of a program depend on the inputs that are ``chosen``."""
    reached = {id(variable) for variable, is_chosen in zip(jaxpr.invars, chosen) if is_chosen}
    for equation in jaxpr.eqns:
        inputs = [id(x) in reached for x in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        inner = equation.params.get("jaxpr")
        if any(inputs) and equation.primitive.name in ("jit", "pjit") and inner is not None:
            outputs = _depends(inner.jaxpr, inputs)
        reached |= {id(variable) for variable, is_reached in zip(equation.outvars, outputs) if is_reached}
    return [id(x) in reached for x in jaxpr.outvars]
