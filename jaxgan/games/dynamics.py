"""Replace plain gradient descent by other training dynamics: extra-gradient, consensus optimization and unrolling.

    game = extragradient(game)            # updates with the gradients computed one step ahead
    game = consensus(game, 10.0)          # each player also reduces the norm of the gradients of all players
    game = unrolled(game, "g", "d", 5, optax.sgd(0.1))  # g's loss uses the discriminator after 5 more updates

``extragradient`` and ``consensus`` return wrappers (see ``jaxgan.core.wrappers``), and ``unrolled`` returns a ``Game``.
All of them have the same networks, players and state as the original game. You can therefore train, distribute, resume
and sample them in the same way. Optimistic gradient descent does not need a function here, because it is an optimizer:
``optax.optimistic_gradient_descent`` or ``optax.optimistic_adam_v2``.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.game import Game
from jaxgan.core.networks import Nets, format_names
from jaxgan.core.numbers import check_at_least
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameWrapper, require_game
from jaxgan.games.privacy import require_not_private


def extragradient(game: Game, *, remember: bool = True) -> "ExtraGradient":
    """Return a wrapper that takes extra-gradient steps.

    A step first computes a look-ahead w' = w - eta v(w), where w are the parameters of all players, v are their
    gradients, and eta is the learning rate. It then updates the original parameters with the gradients at the
    look-ahead: w - eta v(w') (Korpelevich 1976). With Adam, this is ExtraAdam (Gidel et al. 2019, algorithm 4). Both
    gradients use the same examples and latents. Convergence is proven for this choice even with noisy gradients
    (Mishchenko et al. 2020). Algorithm 4 of Gidel et al. 2019 makes another choice: it draws new examples and latents
    for the second gradient. Moving statistics are updated once per step, with the second gradient.

    Args:
      game: a ``Game`` with a single turn, in which all players make their updates simultaneously.
      remember: whether the look-ahead updates the states of the optimizers, as in ExtraAdam. A learning-rate schedule
        then advances by two per step. If false, these updates are discarded, and schedules advance by one per step.

    Raises:
      ValueError: if ``game`` is a wrapper, or has more than one turn.
    """
    return ExtraGradient(_require_simultaneous(game, "extragradient"), remember)


def consensus(game: Game, gamma: float | jax.Array) -> "Consensus":
    """Return a wrapper that adds the gradient of a penalty on the gradients of all players.

    The penalty is || v ||^2 / 2, where v are the gradients of all players. The wrapper adds gamma times the gradient of
    the penalty to the gradients of the players (Mescheder, Nowozin, Geiger 2017, equation 12 and algorithm 2). Each
    player receives the part that belongs to its own parameters. The metric ``consensus`` is the penalty.

    Args:
      game: a ``Game`` with a single turn, in which all players make their updates simultaneously.
      gamma: the weight of the penalty, at least 0. The paper uses 10 for images. The weight can be a tracer, for
        example in a population with a different weight for each member. The sign of a tracer is not checked.

    Raises:
      ValueError: if ``gamma`` is negative, or ``game`` is a wrapper or has more than one turn.
    """
    check_at_least("gamma", gamma, 0, "A negative weight would increase the norm of the gradients.")
    return Consensus(_require_simultaneous(game, "consensus"), gamma)


def unrolled(game: Game, player: str, through: str, steps: int, optimizer: optax.GradientTransformation) -> Game:
    """Return a game in which ``player``'s loss uses the networks of player ``through`` after ``steps`` more updates.

    These updates use the same examples and latents as the loss, and are discarded after the loss is computed. The
    gradient of the loss passes through these updates, so a generator takes into account how the discriminator will
    react to its change (Metz et al. 2017, equations 4 to 6). This requires second derivatives of the loss of
    ``through``.

    Args:
      game: a ``Game``. To combine unrolling with the wrappers of this module or with private training, apply these to
        the returned game.
      player: the name of the player with the unrolled loss, usually the generator.
      through: the name of the player that makes the additional updates, usually the discriminator.
      steps: the number of additional updates, at least 1.
      optimizer: the optimizer for the additional updates, which starts from a new state in every step.
        ``optax.sgd(rate)`` is equation 4 of the paper. Adam needs an ``eps_root`` above 0, because otherwise its square
        root has no finite derivative where a gradient is 0.

    Raises:
      ValueError: if ``game`` is a wrapper, a player does not exist, both players own the same network, or ``steps`` is
        below 1.
    """
    game = _require_plain(game, "unrolled")
    for name in (player, through):
        if name not in game.players:
            raise ValueError(f"The game has no player {name!r}. Its players are {format_names(game.players)}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}.")
    unrolling, opponent = game.players[player], game.players[through]
    if set(unrolling.owns) & set(opponent.owns):
        shared = format_names(set(unrolling.owns) & set(opponent.owns))
        raise ValueError(
            f"The players {player!r} and {through!r} both own {shared}. Choose two players without common networks, "
            f"because the additional updates of {through!r} must not change the networks of {player!r}."
        )

    def loss(nets, batch, keys, step):
        def at(own):
            return Nets({**nets, **{name: nets[name].replace(params=params) for name, params in own.items()}})

        own = {name: nets[name].params for name in opponent.owns}
        state = optimizer.init(own)
        for _ in range(steps):
            # The updates use the mean gradient of the complete batch, so they are the same on every device.
            grads = axis.mean(jax.grad(lambda own: opponent.loss(at(own), batch, keys, step).loss)(own))
            updates, state = optimizer.update(grads, state, own)
            own: Any = optax.apply_updates(own, updates)
        return unrolling.loss(at(own), batch, keys, step)

    return dataclasses.replace(game, players={**game.players, player: dataclasses.replace(unrolling, loss=loss)})


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExtraGradient(GameWrapper):
    """A wrapper that takes extra-gradient steps; see ``extragradient``.

    Attributes:
      game: the wrapped game.
      remember: whether the look-ahead updates the states of the optimizers.
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
    """Return an optimizer that updates the parameters ``start``, not the parameters at which the gradient was computed.

    The game adds the updates to the parameters at which the gradient was computed, and the sum is the updated
    ``start``.
    """

    def update(updates, state, params=None, **extra):
        updates, state = optax.with_extra_args_support(optimizer).update(updates, state, start, **extra)
        return jax.tree.map(lambda at, update, here: at + update - here, start, updates, params), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Consensus(GameWrapper):
    """A wrapper that adds a penalty on the gradients of all players; see ``consensus``.

    Attributes:
      game: the wrapped game.
      gamma: the weight of the penalty.
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
        # Each device computes this gradient for its own examples. The game averages it over the devices together with
        # the players' gradients.
        value, downhill = jax.value_and_grad(half_square)(own)
        players = {}
        for name, player in self.game.players.items():
            added = {net: downhill[net] for net in player.owns}
            players[name] = dataclasses.replace(player, gradient=_add_gradient(player.gradient, self.gamma, added))
        state, metrics = dataclasses.replace(self.game, players=players).step(state, batch)
        return state, {**metrics, "consensus": value}


def _record_gradient() -> optax.GradientTransformation:
    """Return an optimizer that does not change the parameters, and stores the gradient in its state."""

    def update(updates, state, params=None):
        return jax.tree.map(jnp.zeros_like, updates), updates

    return optax.GradientTransformation(lambda params: (), update)


def _add_gradient(gradient, weight, added):
    """Return a gradient function that adds ``weight`` times the precomputed gradient ``added`` to ``gradient``."""

    def combined(loss, own, batch, keys):
        grads, terms = gradient(loss, own, batch, keys)
        return jax.tree.map(lambda x, y: x + weight * y, grads, added), terms

    return combined


def _require_plain(game: Game, function: str) -> Game:
    """Return ``game`` if it is a ``Game`` without private players; raise a ``ValueError`` otherwise."""
    game = require_game(game, function)
    require_not_private(game, function)
    return game


def _require_simultaneous(game: Game, function: str) -> Game:
    """Return ``game`` if it is a ``Game`` with a single turn; raise a ``ValueError`` otherwise."""
    game = _require_plain(game, function)
    if len(game.turns) > 1:
        together = (tuple(game.players),)
        raise ValueError(
            f"All players must update in the same turn for `{function}`. Set `turns` to {together} instead of "
            f"{game.turns}."
        )
    return game
