"""Train GANs with differential privacy: DP-SGD (Abadi et al. 2016) for the players that use the data.

    # `batch` is the batch of one turn, or its shapes.
    private_game = private(game, batch, noise_multiplier=1.0, l2_clip=1.0, key=jax.random.key(secret))
    uses = count_uses(game, batch)  # for jaxgan.games.accounting.compute_epsilon

Players with a loss that depends on the data are trained with clipped per-example gradients and Gaussian noise. In a
GAN, the discriminator is usually the only such player. The generator learns about the data only through the
discriminator. Differential privacy is preserved under post-processing, so the generator and its samples are as private
as the discriminator (Xie et al. 2018, DPGAN).

The parameters, their moving averages, and samples drawn with them are private. Everything else that is computed from
the data and published is not private: logged losses and accuracies, the score that selects a checkpoint, and statistics
of real data that a metric compares with. The noise can be subtracted if it is known. Keep ``key`` secret, and also keep
checkpoints secret, because they contain the key of the next noise.
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
    """A wrapper that trains a game with private players; see ``private``.

    Functions that would compute unclipped gradients of the batch, or share noise between games, refuse this wrapper.

    Attributes:
      game: the original game, which is not private.
      noised: the same game with private players, which is initialised and trained.
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
    """Return a game that trains every player with DP-SGD if its loss depends on the batch.

    The gradient of each example is scaled down to an L2 norm of at most ``l2_clip``, and the gradients are averaged
    over all devices. Gaussian noise with the standard deviation ``noise_multiplier * l2_clip / B`` is added to the
    average. All devices add the same noise. The player's optimizer receives the noisy average. It does not receive the
    extra arguments ``value`` and ``terms``, because these are computed from the data without noise. Other players do
    not change: a trace of their losses shows that their gradients, logged metrics and statistics do not depend on the
    batch.

    Args:
      game: a ``Game``. None of its networks may contain BatchNorm, because BatchNorm mixes the examples of a batch.
      batch: the batch of one turn over all devices, [B, ...], or its shapes.
      noise_multiplier: the standard deviation of the noise in the sum of the gradients, divided by ``l2_clip``. It is
        at least 0. With 0, gradients are clipped but not private.
      l2_clip: the largest L2 norm of an example's gradient, above 0.
      key: the random key of the noise. Do not derive other random numbers from this key.
      micro_batches: the number of micro-batches that a turn is split into, as in ``gradients.accumulate``. The
        attribute ``gradient`` of a private player is replaced.

    Raises:
      ValueError: if a number is outside its range, or the game cannot be private. The message explains the reason.
    """
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(f"`noise_multiplier` must be a finite number of at least 0, got {noise_multiplier}.")
    gradient = accumulate(micro_batches, per_example_clipped(l2_clip))
    if isinstance(game, PrivateGame):
        raise ValueError("`game` is already private. Apply `private` to the original game.")
    names = players_that_see_data(game, batch)
    _check_networks(game)
    (size,) = {x.shape[0] for x in jax.tree.leaves(batch)}
    scale = noise_multiplier * l2_clip / size
    players = dict(game.players)
    for i, name in enumerate(names):
        players[name] = dataclasses.replace(
            game.players[name],
            gradient=_with_checked_size(gradient, size),
            optimizer=_add_noise(game.players[name].optimizer, scale, jax.random.fold_in(key, i), name),
        )
    return PrivateGame(game, dataclasses.replace(game, players=players))


def players_that_see_data(game: GameLike, batch: Any) -> tuple[str, ...]:
    """Return the names of the players with gradients, metrics or statistics that depend on any array of the batch.

    Labels are part of the batch, so a conditional generator that uses the labels of the batch is included. A player is
    also included if its loss multiplies an array of the batch by 0.

    Args:
      game: a ``Game`` or a ``PrivateGame``.
      batch: the batch of one turn, [B, ...], or its shapes.

    Raises:
      ValueError: if ``game`` is another wrapper. The wrapper could pass the batch to other players.
    """
    game = require_game(game.game if isinstance(game, PrivateGame) else game, "private")
    state = jax.eval_shape(game.init, jax.random.key(0))
    shapes = jax.tree.map(_shape, batch)
    return tuple(name for name in game.players if _uses_batch(game, name, state, shapes))


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    # JAX converts the array to this type. For example, labels in NumPy are often int64, which becomes int32.
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def count_uses(game: GameLike, batch: Any) -> tuple[int, ...]:
    """Return the number of private players that train on each slice of a step's batch.

    The result has one number for each slice. It is an argument of ``accounting.compute_epsilon``. For DCGAN, it is
    ``(1,)``, because the discriminator trains on the only slice.

    Args:
      game: a ``Game`` or a ``PrivateGame``.
      batch: the batch of one turn, [B, ...], or its shapes.
    """
    names = players_that_see_data(game, batch)
    turns = [sum(turn.count(name) for turn in game.unwrapped.turns) for name in names]
    return tuple(sum(count > n for count in turns) for n in range(game.batch_multiple))


class _Noised(NamedTuple):
    """The state of a private player's optimizer.

    Attributes:
      key: the random key of the next noise. Earlier noise cannot be computed from it.
      inner: the state of the original optimizer.
    """

    key: jax.Array
    inner: Any


def _add_noise(optimizer: optax.GradientTransformation, scale: float, key: jax.Array, name: str):
    """Return an optimizer that adds Gaussian noise with the standard deviation ``scale`` to its gradients."""

    def init(params):
        # Copy the key, because a step that donates its state would otherwise donate the caller's buffer.
        own = jax.random.wrap_key_data(jnp.array(jax.random.key_data(key), copy=True), impl=jax.random.key_impl(key))
        return _Noised(own, optimizer.init(params))

    def update(updates, state, params=None, **terms):
        del terms  # The terms are computed from the data without noise.
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
                f"The optimizer of the private player {name!r} requires `value` or `terms` of its loss, which are "
                "computed from the data without noise. Use an optimizer that does not require them."
            ) from error
        return updates, _Noised(following, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _with_checked_size(gradient, size):
    """Return a gradient function that raises an error unless a turn has ``size`` examples over all devices."""

    def checked(loss, own, batch, keys):
        examples = keys.shape[0] * axis.size()
        if examples != size:
            raise ValueError(
                f"The noise was computed for turns of {size} examples over all devices, got a turn of {examples} "
                "examples. Use batches of the same size as the argument `batch` of `private`."
            )
        return gradient(loss, own, batch, keys)

    return checked


def _check_networks(game: Game) -> None:
    for net, collections in jax.eval_shape(game.init, jax.random.key(0)).stats.items():
        if "batch_stats" in collections:
            raise ValueError(
                f"Network {net!r} has BatchNorm, which mixes the examples of a batch, so private training cannot clip "
                "the gradient of a single example. Use networks without BatchNorm. For example, set `norm` of dcgan to "
                "none."
            )


def _uses_batch(game: Game, name: str, state: State, batch: Any) -> bool:
    """Return whether a step in which only this player makes an update has a result that depends on the batch."""
    player = dataclasses.replace(game.players[name], optimizer=optax.identity(), gradient=full_batch)
    alone = Game(game.nets, {name: player}, ((name,),))
    state = dataclasses.replace(state, opt_states={name: optax.EmptyState()}, ema={})
    jaxpr = jax.make_jaxpr(alone.step)(state, batch).jaxpr
    of_state = len(jax.tree.leaves(state))
    return any(_depends(jaxpr, [i >= of_state for i in range(len(jaxpr.invars))]))


def _depends(jaxpr, chosen: list[bool]) -> list[bool]:
    """Return one boolean for each output of a traced function: whether it depends on any input that is ``chosen``."""
    reached = {id(variable) for variable, is_chosen in zip(jaxpr.invars, chosen) if is_chosen}
    for equation in jaxpr.eqns:
        inputs = [id(x) in reached for x in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        inner = equation.params.get("jaxpr")
        if any(inputs) and equation.primitive.name in ("jit", "pjit") and inner is not None:
            outputs = _depends(inner.jaxpr, inputs)
        reached |= {id(variable) for variable, is_reached in zip(equation.outvars, outputs) if is_reached}
    return [id(x) in reached for x in jaxpr.outvars]
