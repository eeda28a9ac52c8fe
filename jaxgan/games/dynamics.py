"""Ways to play a game other than by every player's plain descent.

    game = extragradient(game)            # looks ahead, then steps from where it stood
    game = consensus(game, 10.0)          # every player also lowers the norm of all gradients
    game = unrolled(game, "g", "d", 5, optax.sgd(0.1))  # the generator looks through five steps of the discriminator

``extragradient`` and ``consensus`` return wrappers (see ``jaxgan.core.wrappers``), ``unrolled`` returns a ``Game``. All
of them have the networks, players and state of the game that they are made of, so they are trained, spread over
devices, resumed and sampled like it. Optimistic descent needs none of this, because it is an optimizer:
``optax.optimistic_gradient_descent`` or ``optax.optimistic_adam_v2``.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxgan.core import axis
from jaxgan.core.game import Game
from jaxgan.core.networks import Nets, format_names
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameWrapper, require_game


def extragradient(game: Game, *, remember: bool = True) -> "ExtraGradient":
    """Every player looks ahead by a step, and moves from where it stood by the gradient found there.

    w' = w - eta v(w), then w - eta v(w'), where v are the gradients of all players (Korpelevich 1976). With Adam it is
    ExtraAdam (Gidel et al. 2019, algorithm 4). Both gradients are of the same examples and latents, for which
    convergence also holds with noise (Mishchenko et al. 2020); algorithm 4 draws new ones. Moving statistics change
    once a step, by the second gradient.

    Args:
      game: a ``Game`` whose players have one turn, the same.
      remember: whether the look-ahead updates the optimizers' states, as in ExtraAdam; a learning-rate schedule then
        counts two for a step. If false, those updates are discarded, and schedules count steps.

    Raises:
      ValueError: ``game`` is a wrapper, or its players do not move at the same time.
    """
    return ExtraGradient(_require_simultaneous(game, "extragradient"), remember)


def consensus(game: Game, gamma: float | jax.Array) -> "Consensus":
    """Every player's gradient gets gamma times its part of the gradient of || v ||^2 / 2, v being all gradients.

    Mescheder, Nowozin, Geiger 2017, equation 12 and algorithm 2. The metric ``consensus`` is || v ||^2 / 2.

    Args:
      game: a ``Game`` whose players have one turn, the same.
      gamma: the weight, at least 0; the paper uses 10 for images. It may be traced, as in a population that varies it,
        and its sign is then not checked.

    Raises:
      ValueError: ``game`` is a wrapper, or its players do not move at the same time; or ``gamma`` is negative.
    """
    if not isinstance(gamma, Tracer) and gamma < 0:
        raise ValueError(
            f"consensus: `gamma` must be at least 0, got {gamma}. The players would raise the norm of their gradients."
        )
    return Consensus(_require_simultaneous(game, "consensus"), gamma)


def unrolled(game: Game, player: str, through: str, steps: int, optimizer: optax.GradientTransformation) -> Game:
    """The loss of ``player`` sees the networks of ``through`` as they will be after ``steps`` more of its moves.

    Metz et al. 2017, equations 4 to 6: the gradient passes through those moves, by whose second derivatives the
    generator knows how the discriminator will answer. The moves are of the same examples and latents, and forgotten.

    Args:
      game: a ``Game``. To combine with other ways to play, or with privacy, apply those to what this returns.
      player: the player whose loss looks ahead: the generator.
      through: the player whose moves are foreseen: the discriminator.
      steps: the number of moves, at least 1.
      optimizer: makes them, from a new state each time; ``optax.sgd(rate)`` is the paper's equation 4. Give Adam an
        ``eps_root`` above 0, because otherwise its square root has no derivative where a gradient is 0.

    Raises:
      ValueError: ``game`` is a wrapper, a player does not exist, both own a network, or ``steps`` is below 1.
    """
    game = require_game(game, "unrolled")
    for name in (player, through):
        if name not in game.players:
            raise ValueError(f"unrolled: {name!r} is no player of the game. It has {format_names(game.players)}.")
    if steps < 1:
        raise ValueError(f"unrolled: `steps` must be at least 1, got {steps}.")
    mover, foreseen = game.players[player], game.players[through]
    if set(mover.owns) & set(foreseen.owns):
        shared = format_names(set(mover.owns) & set(foreseen.owns))
        raise ValueError(
            f"unrolled: {player!r} and {through!r} both own {shared}, so {player!r} would look through its own moves."
        )

    def loss(nets, batch, keys, step):
        def at(own):
            return Nets({**nets, **{name: nets[name].replace(params=params) for name, params in own.items()}})

        own = {name: nets[name].params for name in foreseen.owns}
        state = optimizer.init(own)
        for _ in range(steps):
            # The foreseen moves are those of the whole batch, on any number of devices.
            grads = axis.mean(jax.grad(lambda own: foreseen.loss(at(own), batch, keys, step).loss)(own))
            updates, state = optimizer.update(grads, state, own)
            own: Any = optax.apply_updates(own, updates)
        return mover.loss(at(own), batch, keys, step)

    return dataclasses.replace(game, players={**game.players, player: dataclasses.replace(mover, loss=loss)})


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExtraGradient(GameWrapper):
    """See ``extragradient``.

    Attributes:
      game: the game whose players look ahead.
      remember: whether the look-ahead updates the optimizers' states.
    """

    game: Game
    remember: bool = True

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        ahead, _ = dataclasses.replace(self.game, ema={}).step(state, batch)
        opt_states = ahead.opt_states if self.remember else state.opt_states
        players = {}
        for name, player in self.game.players.items():
            start = {net: state.params[net] for net in player.owns}
            players[name] = dataclasses.replace(player, optimizer=_from_start(player.optimizer, start))
        from_start = dataclasses.replace(self.game, players=players)
        return from_start.step(dataclasses.replace(state, params=ahead.params, opt_states=opt_states), batch)


def _from_start(optimizer: optax.GradientTransformation, start: Any) -> optax.GradientTransformation:
    """The optimizer, which moves the parameters from ``start`` whatever they were when the gradient was taken."""

    def update(updates, state, params=None, **extra):
        updates, state = optax.with_extra_args_support(optimizer).update(updates, state, start, **extra)
        return jax.tree.map(lambda at, update, here: at + update - here, start, updates, params), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Consensus(GameWrapper):
    """See ``consensus``.

    Attributes:
      game: the game whose players agree.
      gamma: the weight of the norm of all gradients.
    """

    game: Game
    gamma: float | jax.Array = 0.0

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        recording = {
            name: dataclasses.replace(p, optimizer=_record_gradient()) for name, p in self.game.players.items()
        }
        recorded = dataclasses.replace(self.game, players=recording, ema={})
        opt_states = dict.fromkeys(recording, ())

        def half_square(own):
            at = dataclasses.replace(state, params={**state.params, **own}, opt_states=opt_states)
            return 0.5 * optax.tree.norm(recorded.step(at, batch)[0].opt_states, squared=True)

        own = {net: state.params[net] for player in self.game.players.values() for net in player.owns}
        # A device computes its own part of this gradient; the game averages it together with the players' gradients.
        value, downhill = jax.value_and_grad(half_square)(own)
        players = {}
        for name, player in self.game.players.items():
            added = {net: downhill[net] for net in player.owns}
            players[name] = dataclasses.replace(player, gradient=_add_gradient(player.gradient, self.gamma, added))
        state, metrics = dataclasses.replace(self.game, players=players).step(state, batch)
        return state, {**metrics, "consensus": value}


def _record_gradient() -> optax.GradientTransformation:
    """An optimizer that moves nothing, and keeps the gradient as its state."""

    def update(updates, state, params=None):
        return jax.tree.map(jnp.zeros_like, updates), updates

    return optax.GradientTransformation(lambda params: (), update)


def _add_gradient(gradient, weight, added):
    """``gradient``, plus ``weight`` times a gradient that is known already."""

    def combined(loss, own, batch, keys):
        grads, terms = gradient(loss, own, batch, keys)
        return jax.tree.map(lambda x, y: x + weight * y, grads, added), terms

    return combined


def _require_simultaneous(game: Game, function: str) -> Game:
    """``game``, if it is a ``Game`` whose players all move in one turn."""
    game = require_game(game, function)
    if len(game.turns) > 1:
        together = (tuple(game.players),)
        raise ValueError(
            f"{function}: the players must move at the same time. Set `turns` to {together}; they are {game.turns}."
        )
    return game
