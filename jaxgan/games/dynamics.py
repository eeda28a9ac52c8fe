"""Ways to play a game other than by every player's plain descent: compositions of a game, which are games again.

    game = extragradient(game)            # looks ahead, then steps from where it stood
    game = consensus(game, 10.0)          # every player also lowers the norm of all gradients
    game = unrolled(game, "g", "d", 5, optax.sgd(0.1))  # the generator looks through five steps of the discriminator

Each has the networks, players and state of the game that it is made of, so what trains, spreads, resumes and samples
a game does the same with these. Optimistic descent needs none of this: it is an optimizer,
``optax.optimistic_gradient_descent`` or ``optax.optimistic_adam_v2``.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.game import Game, Player, State
from jaxgan.core.networks import Nets, format_names


def extragradient(game: Game, *, remember: bool = True) -> Game:
    """Every player looks ahead by a step, and moves from where it stood by the gradient found there.

    w' = w - eta v(w), then w - eta v(w'), v being all players' gradients (Korpelevich 1976). With Adam it is ExtraAdam
    (Gidel et al. 2019, algorithm 4). Both gradients are of the same examples and latents, for which convergence holds
    with noise too (Mishchenko et al. 2020); theirs draws new ones. Moving statistics change once a step, by the second.

    Args:
      game: its players have one turn, the same.
      remember: whether the look-ahead moves the optimizers' states, as in ExtraAdam: a learning rate's schedule then
        counts two for a step. Otherwise it is forgotten, and counts are of steps.

    Raises:
      ValueError: the players do not move at the same time.
    """
    return _ExtraGradient(**_parts(game, "extragradient"), remember=remember)


def consensus(game: Game, gamma: float) -> Game:
    """Every player's gradient gets gamma times its part of the gradient of || v ||^2 / 2, v being all players'.

    Mescheder, Nowozin, Geiger 2017, equation 12 and algorithm 2. The metric ``consensus`` is || v ||^2 / 2.

    Args:
      game: its players have one turn, the same.
      gamma: the weight, at least 0; the paper's is 10 for images.

    Raises:
      ValueError: the players do not move at the same time, or gamma is negative.
    """
    if gamma < 0:
        raise ValueError(f"consensus(gamma={gamma}): at least 0; the players would raise the norm of their gradients")
    return _Consensus(**_parts(game, "consensus"), gamma=gamma)


def unrolled(game: Game, player: str, through: str, steps: int, optimizer: optax.GradientTransformation) -> Game:
    """The loss of ``player`` sees the networks of ``through`` as they will be after ``steps`` more of its moves.

    Metz et al. 2017, equations 4 to 6: the gradient passes through those moves, by whose second derivatives the
    generator knows how the discriminator will answer. The moves are of the same examples and latents, and forgotten.

    Args:
      game: a plain one; what is played in another way, or private, is made of the unrolled one.
      player: whose loss looks ahead: the generator.
      through: who is foreseen: the discriminator.
      steps: how many moves, at least 1.
      optimizer: makes them, from a new state each time: ``optax.sgd(rate)`` is the paper's equation 4. With Adam give
        ``eps_root`` above 0, without which its square root has no derivative where a gradient is 0.

    Raises:
      ValueError: there is no such player, or both own a network, or there is no step; or the game is not plain.
    """
    _check_plain(game, "unrolled")
    for name in (player, through):
        if name not in game.players:
            raise ValueError(f"unrolled: {name!r} is no player of the game; it has {format_names(game.players)}")
    if steps < 1:
        raise ValueError(f"unrolled(steps={steps}): at least 1; without, it is the game as it was")
    mover, foreseen = game.players[player], game.players[through]
    if set(mover.owns) & set(foreseen.owns):
        shared = format_names(set(mover.owns) & set(foreseen.owns))
        raise ValueError(f"unrolled: {player!r} and {through!r} both own {shared}; it would look through its own moves")

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


@dataclasses.dataclass(frozen=True, eq=False)
class _ExtraGradient(Game):
    remember: bool = True

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        ahead, _ = _plain(self, {name: player.optimizer for name, player in self.players.items()}).step(state, batch)
        opt_states = ahead.opt_states if self.remember else state.opt_states
        optimizers = {
            name: _from(player.optimizer, {net: state.params[net] for net in player.owns})
            for name, player in self.players.items()
        }
        return _plain(self, optimizers, self.ema).step(
            dataclasses.replace(state, params=ahead.params, opt_states=opt_states), batch
        )


def _from(optimizer: optax.GradientTransformation, start: Any) -> optax.GradientTransformation:
    """The optimizer's moves, made from ``start`` wherever the gradient was taken."""

    def update(updates, state, params=None, **extra):
        updates, state = optax.with_extra_args_support(optimizer).update(updates, state, start, **extra)
        return jax.tree.map(lambda at, update, here: at + update - here, start, updates, params), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)


@dataclasses.dataclass(frozen=True, eq=False)
class _Consensus(Game):
    gamma: float = 0.0

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        recorded = _plain(self, dict.fromkeys(self.players, _RECORD))
        nothing = dict.fromkeys(self.players, ())

        def half_square(own):
            at = dataclasses.replace(state, params={**state.params, **own}, opt_states=nothing)
            return 0.5 * optax.tree.norm(recorded.step(at, batch)[0].opt_states, squared=True)

        own = {net: state.params[net] for player in self.players.values() for net in player.owns}
        # A device's own part, which the game averages with the gradient.
        value, downhill = jax.value_and_grad(half_square)(own)
        players = {
            name: dataclasses.replace(
                player, gradient=_plus(player.gradient, self.gamma, {net: downhill[net] for net in player.owns})
            )
            for name, player in self.players.items()
        }
        state, metrics = Game(self.nets, players, self.turns, self.ema).step(state, batch)
        return state, {**metrics, "consensus": value}


# Moves nothing, and keeps the gradient as its state.
_RECORD = optax.GradientTransformation(
    lambda params: (), lambda updates, state, params=None: (jax.tree.map(jnp.zeros_like, updates), updates)
)


def _plus(gradient, weight, more):
    def added(loss, own, batch, keys):
        grads, terms = gradient(loss, own, batch, keys)
        return jax.tree.map(lambda x, y: x + weight * y, grads, more), terms

    return added


def _plain(game: Game, optimizers: dict[str, optax.GradientTransformation], ema: Any = None) -> Game:
    """The game under a ``Game``'s own step, with other optimizers."""
    players: dict[str, Player] = {
        name: dataclasses.replace(player, optimizer=optimizers[name]) for name, player in game.players.items()
    }
    return Game(game.nets, players, game.turns, ema or {})


def _check_plain(game: Game, what: str) -> None:
    if type(game) is not Game:
        name = type(game).__name__.strip("_")
        raise ValueError(f"{what}: a game that is played as {name} already; {what} of the plain one, before or alone")


def _parts(game: Game, what: str) -> dict[str, Any]:
    """A plain game's fields, if its players move at the same time."""
    _check_plain(game, what)
    if len(game.turns) > 1:
        together = (tuple(dict.fromkeys(name for turn in game.turns for name in turn)),)
        raise ValueError(f"{what}: the players move at the same time; say turns={together}, not {game.turns}")
    return {field.name: getattr(game, field.name) for field in dataclasses.fields(game)}
