"""Describe a GAN as a differentiable game: networks, players that train them, and the order of the players' turns.

A ``Game`` describes a complete GAN. Its networks are ``Net`` objects with names, such as a generator and a
discriminator. A ``Player`` owns one or more networks. It has a loss and an optimizer, and it updates the parameters of
its own networks to minimise its loss. In a turn, one player makes one update, or several players make one update each
at the same time. A step takes all turns of the game, one after the other, on one batch of examples. ``State`` holds
everything that a step changes, such as parameters and optimizer states.

    game = Game(
        nets={"g": Net(Generator(), z), "d": Net(Discriminator(), image)},
        players={"d": Player(("d",), discriminator_loss, optax.adam(2e-4, b1=0.5)),
                 "g": Player(("g",), generator_loss, optax.adam(2e-4, b1=0.5))},
        turns=(("d",), ("g",)),
        ema={"g": 0.999},
    )
    state = game.init(jax.random.key(0))
    state, metrics = jax.jit(game.step)(state, batch)

The gradient of a player is taken with respect to the parameters of its own networks only. A loss therefore does not
need ``jax.lax.stop_gradient`` for the networks of other players. ``Game.step`` is a pure function of the state and the
batch. ``jaxgan.core.wrappers`` explains how to change the way a game is trained, for example to take extra-gradient
steps.
"""

import dataclasses
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.batch import describe_array, reads_a_name, split_batch
from jaxgan.core.gradients import full_batch
from jaxgan.core.keys import example_keys
from jaxgan.core.lazy import LazyTerm
from jaxgan.core.modules import CONSTANTS
from jaxgan.core.networks import Function, Net, Nets, format_array, format_names
from jaxgan.core.notes import note
from jaxgan.core.representation import show_game, show_player
from jaxgan.core.state import State
from jaxgan.core.summary import Summary, summarize
from jaxgan.core.terms import Terms
from jaxgan.core.wiring import (
    check_ema,
    check_kinds,
    check_loss,
    check_names,
    check_optimizer,
    check_owns,
    check_turns,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Player:
    """A player of a game, which minimises a loss over the parameters of the networks that it owns.

    Attributes:
      owns: the names of the networks that the player trains.
      loss: a pure function ``(nets, batch, keys, step) -> total(...)``. ``nets`` holds all networks of the game as
        functions, for example ``nets.g``. ``batch`` is the slice of the batch for this turn. ``keys`` is an array of
        random keys, [B], with one key per example. ``step`` is the number of steps taken before this one, an integer
        scalar.
      optimizer: an optax gradient transformation. If its ``update`` accepts extra arguments, the game passes two of
        them: ``value`` is the value of the loss, and ``terms`` is a mapping from the names of all terms and metrics of
        the loss to scalars.
      gradient: the function that computes the gradient of the loss; see ``jaxgan.core.gradients``. The default computes
        the gradient for all examples of the turn at once.

    Raises:
      TypeError: if ``owns`` is a string or contains anything but strings, or ``optimizer`` is not an optax gradient
        transformation.
      ValueError: if ``owns`` is empty.
    """

    owns: tuple[str, ...]
    loss: Callable[[Nets, Any, jax.Array, jax.Array], Terms]
    optimizer: optax.GradientTransformation
    gradient: Callable = full_batch

    def __post_init__(self):
        check_owns(self.owns)
        check_optimizer(self.optimizer)

    def __repr__(self) -> str:
        return f"Player: {show_player(self)}"


@typing.final
@dataclasses.dataclass(frozen=True, eq=False)
class Game:
    """A GAN: networks, players that own networks, and the order of turns in one step.

    ``Game`` cannot be subclassed. To change how a game is trained, wrap it; see ``jaxgan.core.wrappers``.

    Attributes:
      nets: a mapping from names to networks.
      players: a mapping from names to players. A network that no player owns is not trained.
      turns: the turns of one step, in their order. Each turn is a tuple of the names of the players that make an update
        in it. The updates of one turn are simultaneous: all gradients of the turn are computed before any parameters
        change. ``(("d",), ("g",))`` alternates between two players, ``(("d", "g"),)`` updates both simultaneously, and
        ``(("d",),) * 5 + (("g",),)`` updates a critic five times before the generator. A step splits its batch into
        ``batch_multiple`` slices. The n-th turn of each player uses the n-th slice and the n-th set of random keys. The
        first turns of two players therefore use the same examples and latents, so if both players need the same forward
        pass, XLA can compute it once.
      ema: a mapping from names of networks to decays. The game computes an exponential moving average of each of these
        networks. The decay is the weight of the old average in each step: a number from 0 to 1, or a function that maps
        the index of the step to a number from 0 to 1.

    Raises:
      ValueError: if a turn contains an unknown player, two players of one turn own the same network, a player owns an
        unknown network, a player has no turn, ``ema`` contains an unknown network, or a number in ``ema`` is outside
        [0, 1].
      TypeError: if ``nets``, ``players`` or ``ema`` is not a mapping or has values of another type, or a loss does not
        accept four arguments.
    """

    nets: Mapping[str, Net]
    players: Mapping[str, Player]
    turns: tuple[tuple[str, ...], ...]
    ema: Mapping[str, float | Callable[[jax.Array], Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_kinds("nets", self.nets, Net, "For example, write {'g': Net(Generator(), jnp.zeros((1, 100)))}.")
        check_kinds(
            "players", self.players, Player, "For example, write {'d': Player(('d',), loss, optax.adam(2e-4))}."
        )
        check_turns(self.turns, self.players)
        for name, player in self.players.items():
            check_names(player.owns, self.nets, f"Player {name!r} owns", "network")
            check_loss(name, player.loss)
            if not any(name in turn for turn in self.turns):
                raise ValueError(f"Player {name!r} has no turn. Add it to `turns`, which is {self.turns}.")
        check_ema(self.ema, self.nets)

    def __repr__(self) -> str:
        return show_game(self)

    def __init_subclass__(cls, **kwargs):
        raise TypeError(
            f"The class {cls.__name__} cannot inherit from `Game`, because private training and the wrappers in "
            "jaxgan.games rely on `Game.step`. Subclass jaxgan.core.wrappers.GameWrapper instead, and override its "
            "`step`."
        )

    @property
    def unwrapped(self) -> "Game":
        """This game itself. A wrapper around a game has the same property; see ``jaxgan.core.wrappers``."""
        return self

    @property
    def batch_multiple(self) -> int:
        """Number of slices that a step splits its batch into: the largest number of turns of any player."""
        return max(sum(turn.count(name) for turn in self.turns) for name in self.players)

    def init(self, key: jax.Array) -> State:
        """Create the state before the first step.

        Args:
          key: a typed random key, ``jax.random.key(seed)``. It determines the initial parameters and the keys that
            losses receive.
        """
        key, *net_keys = jax.random.split(key, 1 + len(self.nets))
        params, stats = {}, {}
        for (name, net), net_key in zip(self.nets.items(), net_keys):
            inputs = ", ".join(map(format_array, net.examples)) or "no input"
            with note(f"The error occurred in the initialisation of network {name!r} with {inputs}."):
                variables = net.init(net_key)
            params[name] = variables.pop("params", {})
            stats[name] = dict(variables)
        opt_states = {name: p.optimizer.init(_pick(params, p.owns)) for name, p in self.players.items()}
        ema = {name: jax.tree.map(_copy, _ema_variables(params, stats, name)) for name in self.ema}
        return State(jnp.int32(0), key, params, stats, opt_states, ema)

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """Take every turn of the game once, and update the moving averages.

        Args:
          state: the state from ``init`` or from the previous step.
          batch: an array [B, ...] or a pytree of such arrays. B must be a multiple of ``batch_multiple``.

        Returns:
          The new state, and the metrics of the step: a mapping from names to scalars. For each player, the mapping
          contains the terms and metrics of the player's loss as ``<player>/<name>``, the loss as ``<player>/loss``, and
          the L2 norm of the gradient as ``<player>/grad_norm``. Each scalar is averaged over the player's turns. A term
          that is computed in some steps only is a ``LazyTerm``, which records whether the term was computed in this
          step.

        Raises:
          ValueError: if the batch cannot be split into slices of equal size, or a loss returns moving statistics of a
            network or a collection that does not exist.
          TypeError: if a loss does not return ``total(...)``.
        """
        slices = split_batch(batch, self.batch_multiple)
        step_key = jax.random.fold_in(state.key, state.step)
        params, stats, opt_states = dict(state.params), dict(state.stats), dict(state.opt_states)
        logs: dict[str, list] = {name: [] for name in self.players}
        due: dict[str, jax.Array] = {}
        for turn in self.turns:
            moves = {}
            for name in turn:
                n = len(logs[name])
                keys = example_keys(jax.random.fold_in(step_key, n), slices[n])
                moves[name] = self._gradient(name, params, stats, slices[n], keys, state.step)
            for name, (grads, terms) in moves.items():
                player, own = self.players[name], _pick(params, self.players[name].owns)
                scalars = {**terms.terms, **terms.metrics}
                updates, opt_states[name] = optax.with_extra_args_support(player.optimizer).update(
                    grads, opt_states[name], own, value=terms.loss, terms=scalars
                )
                params |= cast(dict, optax.apply_updates(own, updates))
                logs[name].append({**scalars, "loss": terms.loss, "grad_norm": optax.tree.norm(grads)})
                due.update({f"{name}/{term}": is_due for term, is_due in terms.due.items()})
            self._merge_stats(stats, {name: terms.stats for name, (_, terms) in moves.items()})
        ema = {name: self._update_ema(name, state, params, stats) for name in self.ema}
        metrics = {f"{name}/{k}": v for name, log in logs.items() for k, v in _mean(log).items()}
        metrics |= {name: LazyTerm(metrics[name], is_due) for name, is_due in due.items()}
        return State(state.step + 1, state.key, params, stats, opt_states, ema), metrics

    def summary(self, depth: int | None = None) -> Summary:
        """Return a table of each network's layers, with parameters and FLOPs, and the memory size of the state.

        Print the result to read it. The method uses shapes only: it runs and compiles nothing on a device.

        Args:
          depth: the number of levels of nested layers to show. By default, all layers are shown.

        Raises:
          ValueError: if ``depth`` is below 1.
        """
        return summarize(self, depth=depth)

    def functions(self, state: State, *, train: bool = False, ema: bool = True) -> Nets:
        """Return the networks as functions, for example to draw samples: ``functions(state).g(z)``.

        By default, the functions run in evaluation mode and use the averaged parameters.

        Args:
          state: a state of this game, or of a wrapper around it.
          train: whether the networks run in training mode. The value is passed to networks that accept an argument
            ``train``. In training mode, ``with_stats`` returns updated moving statistics.
          ema: whether a network that has a moving average uses the averaged parameters.
        """
        averages = state.ema if ema else {}
        params = {n: averages[n]["params"] if n in averages else state.params[n] for n in self.nets}
        stats = {n: {**state.stats[n], **averages.get(n, {})} for n in self.nets}
        return self._bind(params, {n: _without(s, "params") for n, s in stats.items()}, train)

    def with_variables(self, state: State, variables: Mapping[str, Mapping[str, Any]]) -> State:
        """Return a copy of a state with other weights, for example weights that were loaded from a file.

        ``functions`` reads the weights of a state, and this method replaces them. The moving averages of the networks
        are set to the same weights.

        Args:
          state: a state of this game, or of a wrapper around it. Optimizer states, and networks that are not in
            ``variables``, do not change.
          variables: a mapping from names of networks to dictionaries of variables. Each dictionary contains ``params``
            and every collection of moving statistics of the network, with the same shapes as in ``state``.
        """
        stats = {name: _without(collections, "params") for name, collections in variables.items()}
        ema = {name: _pick(variables[name], average) for name, average in state.ema.items() if name in variables}
        params = {**state.params, **{name: collections["params"] for name, collections in variables.items()}}
        return dataclasses.replace(state, params=params, stats={**state.stats, **stats}, ema={**state.ema, **ema})

    def _bind(self, params, stats, train=True) -> Nets:
        return Nets({n: Function(params[n], stats[n], net, train, n) for n, net in self.nets.items()})

    def _gradient(self, name, params, stats, batch, keys, step):
        """Return the player's gradient and terms, averaged over devices.

        Moving statistics are not averaged here. The statistics that a loss returns must already be equal on all
        devices. Layers such as BatchNorm compute them over the examples of all devices.
        """
        player = self.players[name]

        def loss(own, batch, keys):
            is_array = hasattr(batch, "shape")
            with (
                note(f"The error occurred in the loss of player {name!r}."),
                note(describe_array(batch), when=lambda error: is_array and reads_a_name(error)),
            ):
                terms = player.loss(self._bind({**params, **own}, stats), batch, keys, step)
            if not isinstance(terms, Terms):
                raise TypeError(
                    f"The loss of player {name!r} must return the result of jaxgan.total, got {format_array(terms)}. "
                    f"Give the loss a name, for example `return jaxgan.total({name}_loss=...)`."
                )
            check_names(terms.stats, self.nets, f"The loss of player {name!r} returns stats of", "network")
            return terms.loss, terms

        grads, terms = player.gradient(loss, _pick(params, player.owns), batch, keys)
        for net in player.owns:
            moving = sorted(set(stats[net]) - {CONSTANTS})
            if moving and net not in terms.stats:
                warnings.warn(
                    f"Player {name!r} owns network {net!r}, but its loss does not return the network's moving "
                    f"statistics ({format_names(moving)}), so they will never change. Call the network once as "
                    f"`out, stats = nets.{net}.with_stats(...)` and return total(..., stats={{{net!r}: stats}}).",
                    stacklevel=2,
                )
        grads, scalars = axis.mean((grads, (terms.loss, terms.terms, terms.metrics)))
        loss_value, named, metrics = scalars
        return grads, terms.replace(loss=loss_value, terms=named, metrics=metrics)

    def _merge_stats(self, stats, returned):
        """Update the dictionary ``stats`` in place with the collections that the losses of a turn returned."""
        for name, by_net in returned.items():
            for net, collections in by_net.items():
                if any(net in other for n, other in returned.items() if n != name):
                    raise ValueError(
                        f"The losses of two players of one turn return stats of network {net!r}. Return them from the "
                        "loss of the network's owner only."
                    )
                where = f"The stats of network {net!r} that the loss of player {name!r} returns contain"
                check_names(collections, stats[net], where, "collection")
                stats[net] = {**stats[net], **collections}

    def _update_ema(self, name, state, params, stats):
        decay = self.ema[name]
        decay = decay(state.step) if callable(decay) else decay
        new = jax.tree.map(lambda x: x.astype(jnp.float32), _ema_variables(params, stats, name))
        return optax.incremental_update(new, state.ema[name], 1 - decay)


def _ema_variables(params, stats, name):
    """Return the variables of a network that enter its moving average: parameters and BatchNorm's running statistics.

    Other collections, such as the vectors of spectral normalisation or an image pool, are not averaged.
    """
    return {"params": params[name], **_pick(stats[name], {"batch_stats"} & set(stats[name]))}


def _copy(x):
    # The average is float32 for parameters of any type. It must not share a buffer with the parameters, because a step
    # that donates its state would donate this buffer twice.
    return jnp.array(x, jnp.float32, copy=True)


def _mean(logs):
    return jax.tree.map(lambda *values: sum(values) / len(values), *logs)


def _pick(tree, names):
    return {name: tree[name] for name in names}


def _without(tree, name):
    return {k: v for k, v in tree.items() if k != name}
