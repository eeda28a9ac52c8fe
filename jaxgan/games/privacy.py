"""Train GANs with differential privacy: DP-SGD (Abadi et al. 2016) for the players that use the data.

    # `batch` is the batch of one turn, or its shapes.
    private_game = private(game, batch, noise_multiplier=1.0, l2_clip=1.0)
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
import functools
import math
import secrets
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils

from jaxgan.core import axis
from jaxgan.core.game import Game
from jaxgan.core.gradients import accumulate, check_clip, full_batch, per_example_clipped
from jaxgan.core.networks import format_array
from jaxgan.core.numbers import refuse_traced
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike, GameWrapper, find_wrapper, require_game


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrivateGame(GameWrapper):
    """A wrapper that trains a game with private players; see ``private``.

    Everything that determines the noise is an attribute, so ``dataclasses.replace`` returns a game that is private in
    the new way. Functions that would compute unclipped gradients of the batch, or train several games with one key,
    refuse this wrapper.

    Attributes:
      game: the original game, which is not private.
      batch: the shapes of the batch of one turn over all devices.
      noise_multiplier: the standard deviation of the noise in the sum of the gradients, divided by ``l2_clip``.
      l2_clip: the largest L2 norm of an example's gradient.
      key: the secret random key of the noise.
      micro_batches: the number of micro-batches that a turn is split into.

    Raises:
      TypeError, ValueError: as ``private``.
    """

    game: Game
    batch: Any = dataclasses.field(repr=False)
    noise_multiplier: float = dataclasses.field(repr=False)
    l2_clip: float = dataclasses.field(repr=False)
    key: jax.Array = dataclasses.field(repr=False)
    micro_batches: int = dataclasses.field(default=1, repr=False)

    def __post_init__(self):
        _check_noise(self.noise_multiplier)
        check_clip(self.l2_clip)
        _check_key(self.key)
        if is_private(self.game):
            raise ValueError("`game` is already private. Apply `private` to the original game.")
        require_game(self.game, "private")
        _ = self.noised  # Creating the players raises an error if the game cannot be private.

    @functools.cached_property
    def private_players(self) -> tuple[str, ...]:
        """The names of the players that are trained with DP-SGD."""
        return players_that_see_data(self.game, self.batch)

    @functools.cached_property
    def noised(self) -> Game:
        """The same game with private players, which is initialised and trained.

        Raises:
          ValueError: if the game cannot be private. Creating the ``PrivateGame`` already raises this error.
        """
        gradient = accumulate(self.micro_batches, per_example_clipped(self.l2_clip))
        players, names, size = dict(self.game.players), self.private_players, _batch_size(self.batch)
        _check_networks(self.game)
        # Two games with the same key and another scale of the noise must not draw multiples of the same noise.
        key = _absorb(self.key, np.array([self.noise_multiplier, self.l2_clip, size], np.float32).view(np.uint32))
        for i, name in enumerate(names):
            scale = self.noise_multiplier * self.l2_clip / size
            players[name] = dataclasses.replace(
                players[name],
                gradient=_with_checked_size(gradient, size),
                optimizer=_add_noise(players[name].optimizer, scale, jax.random.fold_in(key, i), name),
            )
        return dataclasses.replace(self.game, players=players)

    def init(self, key: jax.Array, /) -> State:
        return self._absorb_into_keys(self.noised.init(key), jax.random.key_data(key).ravel())

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        return self.noised.step(self._absorb_into_keys(state, _digest(batch)), batch)

    def _absorb_into_keys(self, state: State, words: jax.Array) -> State:
        """Return the state with keys of the next noise that also depend on ``words``, unsigned integers [n]."""
        noises = {name: state.opt_states[name] for name in self.private_players}
        noises = {name: noise._replace(key=_absorb(noise.key, words)) for name, noise in noises.items()}
        return dataclasses.replace(state, opt_states={**state.opt_states, **noises})


def private(
    game: Game,
    batch: Any,
    *,
    noise_multiplier: float,
    l2_clip: float,
    key: jax.Array | None = None,
    micro_batches: int = 1,
) -> PrivateGame:
    """Return a game that trains every player with DP-SGD if its loss depends on the batch.

    The gradient of each example is scaled down to an L2 norm of at most ``l2_clip``, and the gradients are averaged
    over all devices. Gaussian noise with the standard deviation ``noise_multiplier * l2_clip / B`` is added to the
    average. All devices add the same noise. The player's optimizer receives the noisy average. It does not receive the
    extra arguments ``value`` and ``terms``, because these are computed from the data without noise. Other players do
    not change: a trace of their losses shows that their gradients, logged metrics and statistics do not depend on the
    batch.

    The noise of a turn depends on ``key``, on the numbers below, on the key that initialises the game, and on all
    examples and turns so far. Trainings with the same ``key`` that differ in any of these therefore have independent
    noise. Otherwise, the difference of their updates would not contain the noise. Trainings that differ in the losses,
    networks or optimizers only have the same noise, so they need different keys.

    Args:
      game: a ``Game``. None of its networks may contain BatchNorm, because BatchNorm mixes the examples of a batch.
      batch: the batch of one turn over all devices, [B, ...], or its shapes.
      noise_multiplier: the standard deviation of the noise in the sum of the gradients, divided by ``l2_clip``. It is
        at least 0. With 0, gradients are clipped but not private.
      l2_clip: the largest L2 norm of an example's gradient, above 0.
      key: the secret random key of the noise, a typed key. Do not derive other random numbers from this key. By
        default, the key comes from the operating system's random number generator; see ``random_key``.
      micro_batches: the number of micro-batches that a turn is split into, as in ``gradients.accumulate``. The
        attribute ``gradient`` of a private player is replaced.

    Raises:
      TypeError: if a number varies between the members of a population, or ``key`` is not a random key.
      ValueError: if a number is outside its range, or the game cannot be private. The message explains the reason.
    """
    shapes = jax.tree.map(_shape, batch)
    return PrivateGame(game, shapes, noise_multiplier, l2_clip, random_key() if key is None else key, micro_batches)


def random_key(entropy: bytes | None = None) -> jax.Array:
    """Return a secret key for the noise of ``private``, which is the same on every host.

    Args:
      entropy: at least 8 secret bytes, of which the first 8 are used. By default, they come from the operating system's
        random number generator.
    """
    words = np.frombuffer(entropy or secrets.token_bytes(8), np.uint32, 2)
    if entropy is None and jax.process_count() > 1:
        words = np.asarray(multihost_utils.broadcast_one_to_all(words))
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def is_private(game: GameLike) -> bool:
    """Return whether a player of a game is trained with DP-SGD.

    The function also returns True for ``PrivateGame.noised`` and for wrappers around a private game.

    Args:
      game: a game or a wrapper.
    """
    players = game.unwrapped.players.values()
    return bool(find_wrapper(game, PrivateGame)) or any(isinstance(p.optimizer, _NoisyOptimizer) for p in players)


def require_not_private(game: GameLike, function: str) -> None:
    """Raise a ``ValueError`` if a player of a game is trained with DP-SGD.

    Args:
      game: a game or a wrapper.
      function: the name of the calling function, for the error message.
    """
    if is_private(game):
        raise ValueError(
            f"`game` is private, and `{function}` would compute further gradients of the batch, which are neither "
            f"counted by the privacy accounting nor have noise of their own. `{function}` cannot be combined with "
            "private training."
        )


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
    _batch_size(batch)
    state = jax.eval_shape(game.init, jax.random.key(0))
    shapes = jax.tree.map(_shape, batch)
    return tuple(name for name in game.players if _uses_batch(game, name, state, shapes))


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    x = x if hasattr(x, "shape") else np.asarray(x)
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


def is_noise_key(name: str) -> bool:
    """Return whether a leaf of a state is the key of the next noise of a private player.

    >>> is_noise_key("opt_states.d.key"), is_noise_key("opt_states.d.inner.0.count"), is_noise_key("key")
    (True, False, False)

    Args:
      name: the path of the leaf, with dots between its parts.
    """
    return name.startswith("opt_states.") and name.endswith(".key")


class _NoisyOptimizer(optax.GradientTransformationExtraArgs):
    """The optimizer of a private player. ``is_private`` recognises private players by this class."""


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
        noisy = [_with_noise(k, x, scale) for k, x in zip(keys, leaves)]
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

    return _NoisyOptimizer(init, update)


def _with_noise(key, x, scale):
    """Return ``x`` plus Gaussian noise with the standard deviation ``scale``.

    The sum is rounded to a type of lower precision last. A noise that is rounded before would lose its distribution.
    """
    noise = scale * jax.random.normal(key, x.shape)
    return (x.astype(jnp.promote_types(x.dtype, noise.dtype)) + noise).astype(x.dtype)


def _absorb(key: jax.Array, words: Any) -> jax.Array:
    """Derive a key from a key and unsigned integers, [n]."""
    for i in range(len(words)):
        key = jax.random.fold_in(key, words[i])
    return key


def _digest(batch: Any) -> jax.Array:
    """Return two unsigned integers, [2], that depend on all bits of a batch and on their order.

    The result does not depend on the number of devices that share the batch, because sums of integers are exact.
    """
    sums = jnp.zeros(2, jnp.uint32)
    for number, leaf in enumerate(jax.tree.leaves(batch)):
        words = _as_words(jnp.asarray(leaf))
        places = axis.index() * words.size + jnp.arange(words.size, dtype=jnp.uint32)
        for i in range(2):
            salts = _mix(jnp.uint32(places) + jnp.uint32(2 * number + i + 1) * jnp.uint32(0x9E3779B9))
            sums = sums.at[i].add(_mix(words ^ salts).sum(dtype=jnp.uint32))
    return axis.add(sums)


def _as_words(x: jax.Array) -> jax.Array:
    """Return the bits of an array as unsigned integers, [n]."""
    if x.dtype == jnp.bool_:
        x = x.astype(jnp.uint8)
    word = {1: jnp.uint8, 2: jnp.uint16}.get(x.dtype.itemsize, jnp.uint32)
    return jax.lax.bitcast_convert_type(x, word).astype(jnp.uint32).ravel()


def _mix(x: jax.Array) -> jax.Array:
    """Return a pseudorandom permutation of unsigned integers, the finaliser of MurmurHash3."""
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    return x ^ (x >> 16)


def _check_noise(noise_multiplier: Any) -> None:
    refuse_traced("noise_multiplier", noise_multiplier)
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(f"`noise_multiplier` must be a finite number of at least 0, got {noise_multiplier}.")


def _check_key(key: Any) -> None:
    if not (hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()):
        got = format_array(key)  # not the value, which is secret
        raise TypeError(f"`key` must be a single typed random key, such as jax.random.key(secret), got {got}.")


def _batch_size(batch: Any) -> int:
    """Return the number of examples of a batch, after checking that all of its arrays have the same number."""
    sizes = {x.shape[0] if x.shape else 0 for x in jax.tree.leaves(batch)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            "`batch` must contain arrays [B, ...] with the same number of examples, at least 1, got the shapes "
            f"{jax.tree.map(lambda x: x.shape, batch)}."
        )
    return sizes.pop()


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
    state = jax.eval_shape(game.init, jax.random.key(0))
    for net, params in state.params.items():
        for x in jax.tree.leaves(params):
            if not jnp.issubdtype(x.dtype, jnp.floating):
                raise ValueError(
                    f"Network {net!r} has parameters of type {x.dtype}, but private training clips real gradients and "
                    "adds real noise. Use networks with real floating-point parameters."
                )
    for net, collections in state.stats.items():
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
