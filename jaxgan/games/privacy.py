"""Differential privacy: players who see the data learn from clipped examples and noise. DP-SGD, Abadi et al. 2016.

    private_game = private(game, batch, noise=1.0, clip=1.0, key=jax.random.key(secret))  # batch: one turn's
    epsilon = spent(noise=1.0, delta=1e-5, examples=60_000, batch_size=64, steps=5000, uses=uses(game, batch))

In a GAN that is the discriminator. The generator sees the data through it alone, so what it learns, and all that it
draws, is as private as the discriminator is (Xie et al. 2018, DPGAN: differential privacy survives post-processing).

What is private are the parameters, their averages, and samples drawn with them. What is computed on the data besides,
and shown, is not: losses and accuracies of the log, a score by which a checkpoint is chosen, statistics of reals that a
metric compares with. Whoever knows the noise can take it away again: ``key`` is a secret, and so are checkpoints,
which hold what the next noise is drawn from.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.game import Game, Player
from jaxgan.core.gradients import accumulate, clipped, full_batch
from jaxgan.core.networks import format_names


@dataclasses.dataclass(frozen=True, eq=False)
class PrivateGame(Game):
    """Played as any; compositions that would look at the batch past what is clipped know it, and refuse."""


def private(game: Game, batch: Any, *, noise: float, clip: float, key: jax.Array, micro_batches: int = 1) -> Game:
    """The game with every player whose loss is shown the batch made private; it learns from nothing else.

    Each example's gradient is scaled down to a norm of ``clip``; to their mean over all devices Gaussian noise of
    standard deviation ``noise * clip / B`` is added, once, the same on each device; the player's optimizer is given the
    sum, and no ``value`` or ``terms``, which are computed on the data. Other players are as they were, and it was made
    sure that nothing of the batch reaches them.

    Args:
      game: without BatchNorm, in any network: it mixes examples.
      batch: a turn's, of all devices, or its shapes: [B, ...].
      noise: the multiplier, at least 0; 0 clips and is not private.
      clip: the norm, above 0.
      key: the noise is drawn from it and nothing else.
      micro_batches: for ``accumulate``; a player's own ``gradient`` is not used.

    Raises:
      ValueError: the game cannot be made private; it says why, and the mend.
    """
    if not 0 <= noise < math.inf:
        raise ValueError(f"private(noise={noise}): a multiplier of the clip, at least 0")
    gradient = accumulate(micro_batches, clipped(clip))
    if isinstance(game, PrivateGame):
        raise ValueError("private: the game is private already")
    names = shown(game, batch)
    _check_networks(game)
    (size,) = {x.shape[0] for x in jax.tree.leaves(batch)}
    players = dict(game.players)
    for i, name in enumerate(names):
        players[name] = dataclasses.replace(
            game.players[name],
            gradient=_of_a_batch(gradient, size),
            optimizer=_noised(game.players[name].optimizer, noise * clip / size, jax.random.fold_in(key, i), name),
        )
    return PrivateGame(game.nets, players, game.turns, game.ema)


def shown(game: Game, batch: Any) -> tuple[str, ...]:
    """The players whose loss is shown the batch: what they learn, log or keep depends on one of its arrays.

    A label is one of them, so a conditional generator which draws the classes of a batch is shown it. What a loss
    multiplies by 0 counts too.

    Args:
      game: any.
      batch: a turn's, or its shapes: [B, ...].
    """
    if type(game) not in (Game, PrivateGame):
        raise ValueError(f"private: the turns of a game played as {type(game).__name__.strip('_')} cannot be counted")
    state = jax.eval_shape(game.init, jax.random.key(0))
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), batch)
    return tuple(name for name in game.players if _sees(game, name, state, shapes))


def uses(game: Game, batch: Any) -> tuple[int, ...]:
    """How many private players learn from each slice of a step's batch: what ``spent`` counts. (1,) is DCGAN's."""
    turns = [sum(turn.count(name) for turn in game.turns) for name in shown(game, batch)]
    return tuple(sum(count > n for count in turns) for n in range(game.batch_multiple))


class Spent(NamedTuple):
    """Epsilon at a given delta.

    Attributes:
      sampled: if every batch had drawn each example with the same probability (Poisson sampling), and a neighbouring
        data set has one example less: what papers and other libraries tell of shuffled batches as well, to which it
        does not strictly apply.
      shuffled: for the batches of a fixed size that are used, each example once an epoch, without any gain from their
        order being secret: an upper bound that holds, if in a neighbouring data set one example is replaced by one
        that teaches nothing, whose gradient is 0 (zero-out adjacency, Kairouz et al. 2021).
    """

    sampled: float
    shuffled: float


def spent(
    *, noise: float, delta: float, examples: int, batch_size: int, steps: int, uses: Sequence[int] | Mapping
) -> Spent:
    """The privacy that training spends, by Rényi differential privacy (Mironov 2017; Mironov et al. 2019).

    Args:
      noise: the multiplier.
      delta: the probability with which epsilon may not hold, in (0, 1); well below 1 / examples.
      examples: of the data, a number that is taken to be known.
      batch_size: of a turn.
      steps: taken.
      uses: from the function of that name; of a game that changes, ``{uses: steps}`` of each kind, as long as the
        longest, which says how much a step draws.

    Raises:
      ValueError: dp-accounting is not installed; or a number is out of its range.
    """
    try:
        import dp_accounting
        from dp_accounting.rdp import RdpAccountant
    except ImportError:
        raise ValueError(
            "private training needs dp-accounting, which tells its epsilon: pip install dp-accounting"
        ) from None
    kinds = dict(uses) if isinstance(uses, Mapping) else {tuple(uses): steps}
    most = max(len(kind) for kind in kinds)
    if not 0 < delta < 1 / examples:
        raise ValueError(
            f"delta {delta:g}: a probability above 0 and well below {1 / examples:.1e}, one of {examples} examples, "
            "whom giving away whole would allow"
        )
    if batch_size * most > examples:
        raise ValueError(
            f"a step's batch of {batch_size * most} from {examples} examples has some twice, which clipping does not "
            f"bound; use batches of at most {examples // most}"
        )
    if not any(count for kind in kinds for count in kind) or not steps:
        return Spent(0.0, 0.0)
    if noise == 0:
        return Spent(math.inf, math.inf)
    gaussian = dp_accounting.GaussianDpEvent(noise)
    sampled, shuffled = RdpAccountant(), RdpAccountant()
    for kind, times in kinds.items():
        for count in filter(None, kind):
            event = dp_accounting.ComposedDpEvent([gaussian] * count) if count > 1 else gaussian
            sampled.compose(dp_accounting.PoissonSampledDpEvent(batch_size / examples, event), times)
    epochs = -(-steps * most * batch_size // examples)
    # A batch that spans two epochs may have an example twice, which counts as 2 * 2; an epoch's one place of an
    # example is in one batch, so at most every second epoch adds such a pair.
    even = examples % (batch_size * most) == 0
    squares = epochs if even else 4 * (epochs // 2) + epochs % 2
    shuffled.compose(gaussian, squares * max(count for kind in kinds for count in kind))
    return Spent(float(sampled.get_epsilon(delta)), float(shuffled.get_epsilon(delta)))


class _Noised(NamedTuple):
    """``key``: of the noise to come; from it what was drawn before cannot be found."""

    key: jax.Array
    inner: Any


def _noised(optimizer: optax.GradientTransformation, scale: float, key: jax.Array, name: str):
    """The optimizer, given gradients plus Gaussian noise of standard deviation ``scale``."""

    def init(params):
        # Never the caller's own buffer: a step that donates its state would donate that.
        own = jax.random.wrap_key_data(jnp.array(jax.random.key_data(key), copy=True), impl=jax.random.key_impl(key))
        return _Noised(own, optimizer.init(params))

    def update(updates, state, params=None, **terms):
        del terms  # of the data, without noise
        following, now = jax.random.split(state.key)
        leaves, tree = jax.tree.flatten(updates)
        keys = jax.random.split(now, len(leaves))
        noisy = [x + (scale * jax.random.normal(k, x.shape)).astype(x.dtype) for k, x in zip(keys, leaves)]
        try:
            updates, inner = optimizer.update(jax.tree.unflatten(tree, noisy), state.inner, params)
        except TypeError as error:
            if not any(f"'{name}'" in str(error) for name in ("terms", "value")):
                raise
            raise ValueError(
                f"private: the optimizer of player {name!r} asks for terms of its loss, which are of the data and have "
                "no noise; use one that does not"
            ) from error
        return updates, _Noised(following, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _of_a_batch(gradient, size):
    """``gradient``, of batches of the size that the noise was measured for."""

    def checked(loss, own, batch, keys):
        given = keys.shape[0] * axis.size()
        if given != size:
            raise ValueError(f"private: the noise is for turns of {size} examples, over all devices, and {given} came")
        return gradient(loss, own, batch, keys)

    return checked


def _check_networks(game: Game) -> None:
    for net, collections in jax.eval_shape(game.init, jax.random.key(0)).stats.items():
        if "batch_stats" in collections:
            raise ValueError(
                f"private: network {net!r} has BatchNorm, which mixes the examples of a batch, so that none can be "
                "clipped alone; use networks without it (experiments.dcgan: --norm none)"
            )


def _sees(game: Game, name: str, state, batch) -> bool:
    player: Player = game.players[name]
    alone = Game(
        game.nets, {name: dataclasses.replace(player, optimizer=optax.identity(), gradient=full_batch)}, ((name,),)
    )
    state = state.replace(opt_states={name: optax.EmptyState()}, ema={})
    jaxpr = jax.make_jaxpr(alone.step)(state, batch).jaxpr
    others = len(jax.tree.leaves(state))
    return any(_reached(jaxpr, [i >= others for i in range(len(jaxpr.invars))]))


def _reached(jaxpr, given: list[bool]) -> list[bool]:
    """Which outputs of a program depend on the inputs ``given``."""
    seen = {id(variable) for variable, is_given in zip(jaxpr.invars, given) if is_given}
    for equation in jaxpr.eqns:
        inputs = [id(x) in seen for x in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        inner = equation.params.get("jaxpr")
        if any(inputs) and equation.primitive.name in ("jit", "pjit") and inner is not None:
            outputs = _reached(inner.jaxpr, inputs)
        seen |= {id(variable) for variable, is_reached in zip(equation.outvars, outputs) if is_reached}
    return [id(x) in seen for x in jaxpr.outvars]


def told(names: Sequence[str], of: Spent, delta: float, noise: float, clip: float, steps: int) -> str:
    """A paragraph for people: what was spent, of whom, and what it rests on."""
    return (
        f"private: {format_names(names)}, clip {clip:g}, noise {noise:g}; after {steps:,} steps epsilon "
        f"{of.sampled:.2f} at delta {delta:g} if batches were Poisson samples, and at most {of.shuffled:.2f} for the "
        "shuffled ones used here. It is of parameters and samples; metrics, logged losses and the choice of a best "
        "checkpoint see reals"
    )
