"""A GAN as a differentiable game: networks, players who own some of them, and an order of turns.

    game = Game(
        nets={"g": Net(Generator(), z), "d": Net(Discriminator(), image)},
        players={"d": Player(("d",), discriminator_loss, optax.adam(2e-4, b1=0.5)),
                 "g": Player(("g",), generator_loss, optax.adam(2e-4, b1=0.5))},
        turns=(("d",), ("g",)),
        ema={"g": 0.999},
    )
    state = game.init(jax.random.key(0))
    state, metrics = jax.jit(game.step)(state, batch)

A player's gradient is taken over what it owns and over nothing else, so there is nothing to detach.
``Game.step`` is pure; everything that changes is in ``State``. ``jaxgan.core.wrappers`` says how to play a game in
another way.
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
    """Minimises ``loss`` over the parameters of the networks that it owns.

    Attributes:
      owns: the names of its networks.
      loss: a pure function ``(nets, batch, keys, step) -> total(...)``; ``keys`` is [B], one per example.
      optimizer: an optax transformation. If it takes extra arguments, it gets ``value``, the loss, and ``terms``, every
        scalar that the loss named.
      gradient: how the gradient is computed; see ``jaxgan.core.gradients``.

    Raises:
      TypeError: ``owns`` is a string or holds no names, or ``optimizer`` is no optax transformation.
      ValueError: ``owns`` is empty.
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
    """Networks, players, and the turns of one step.

    A game is wrapped, not subclassed: see ``jaxgan.core.wrappers``.

    Attributes:
      nets: networks by name.
      players: players by name. Networks that no player owns are never changed by a gradient.
      turns: a sequence of groups of players. Players of one group move at the same time, and groups follow each other:
        ``(("d",), ("g",))`` alternates, ``(("d", "g"),)`` is simultaneous, and ``(("d",),) * 5 + (("g",),)`` gives the
        critic five turns. The n-th turn of every player sees the n-th keys and the n-th slice of the batch, so the
        first turns of two players can share one forward pass.
      ema: the networks whose exponential moving average is kept, each with its decay, the weight of the old average: a
        number, or a function of the step.

    Raises:
      ValueError: names do not match, a player has no turn, two players of one turn own the same network, or a number
        in ``ema`` is outside [0, 1].
      TypeError: ``nets``, ``players`` or ``ema`` is no mapping or holds something else, or a loss does not take four
        arguments.
    """

    nets: Mapping[str, Net]
    players: Mapping[str, Player]
    turns: tuple[tuple[str, ...], ...]
    ema: Mapping[str, float | Callable[[jax.Array], Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_kinds("nets", self.nets, Net, "Write for instance {'g': Net(Generator(), jnp.zeros((1, 100)))}.")
        check_kinds(
            "players", self.players, Player, "Write for instance {'d': Player(('d',), loss, optax.adam(2e-4))}."
        )
        check_turns(self.turns, self.players)
        for name, player in self.players.items():
            check_names(player.owns, self.nets, f"player {name!r} owns", "network")
            check_loss(name, player.loss)
            if not any(name in turn for turn in self.turns):
                raise ValueError(f"player {name!r} never has a turn. Name it in `turns`, which are {self.turns}.")
        check_ema(self.ema, self.nets)

    def __repr__(self) -> str:
        return show_game(self)

    def __init_subclass__(cls, **kwargs):
        raise TypeError(
            f"{cls.__name__}: `Game` cannot be subclassed, because privacy and the ways to play in jaxgan.games rely "
            "on `Game.step`. Subclass jaxgan.core.wrappers.GameWrapper instead, and override its `step`."
        )

    @property
    def unwrapped(self) -> "Game":
        """This game; see ``jaxgan.core.wrappers``."""
        return self

    @property
    def batch_multiple(self) -> int:
        """The largest number of turns that a player has in a step: the number of slices that a batch is split into."""
        return max(sum(turn.count(name) for turn in self.turns) for name in self.players)

    def init(self, key: jax.Array) -> State:
        """The state before the first step, from a typed key: ``jax.random.key(seed)``."""
        key, *net_keys = jax.random.split(key, 1 + len(self.nets))
        params, stats = {}, {}
        for (name, net), net_key in zip(self.nets.items(), net_keys):
            with note(f"In the initialisation of network {name!r}, with {', '.join(map(format_array, net.examples))}."):
                variables = net.init(net_key)
            params[name] = variables.pop("params", {})
            stats[name] = dict(variables)
        opt_states = {name: p.optimizer.init(_pick(params, p.owns)) for name, p in self.players.items()}
        ema = {name: jax.tree.map(_copy, _ema_variables(params, stats, name)) for name in self.ema}
        return State(jnp.int32(0), key, params, stats, opt_states, ema)

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """Every turn, once.

        Args:
          state: from ``init`` or the last step.
          batch: an array or a tree of arrays, examples first. ``batch_multiple`` must divide their number.

        Returns:
          The new state, and scalars by name: ``<player>/<term>``, ``<player>/loss`` and ``<player>/grad_norm``, each
          the mean over the player's turns. A lazy term is a ``LazyTerm``, which says whether it was due.

        Raises:
          ValueError: the batch does not divide, or a loss returns statistics of unknown networks or collections.
          TypeError: a loss does not return ``total(...)``.
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
        """The layers of each network, with their parameters and FLOPs, and the memory of the state; it can be printed.

        Nothing is computed or compiled.

        Args:
          depth: the number of levels of layers that are shown; by default every layer is.

        Raises:
          ValueError: ``depth`` is below 1.
        """
        return summarize(self, depth=depth)

    def functions(self, state: State, *, train: bool = False, ema: bool = True) -> Nets:
        """The networks as functions, by default for sampling: with averaged parameters and ``train=False``.

        Args:
          state: of this game, or of a wrapper around it.
          train: passed to the modules that take it. If true, moving statistics are updated by ``with_stats``.
          ema: whether networks that have a moving average use it.
        """
        averages = state.ema if ema else {}
        params = {n: averages[n]["params"] if n in averages else state.params[n] for n in self.nets}
        stats = {n: {**state.stats[n], **averages.get(n, {})} for n in self.nets}
        return self._bind(params, {n: _without(s, "params") for n, s in stats.items()}, train)

    def with_variables(self, state: State, variables: Mapping[str, Mapping[str, Any]]) -> State:
        """The state with other weights, the inverse of ``functions``. Moving averages become these weights too.

        Args:
          state: of this game, or of a wrapper around it. Optimizer states, and networks that are not in ``variables``,
            stay as they are.
          variables: by network, ``params`` and every collection of moving statistics, with the state's own shapes.
        """
        stats = {name: _without(collections, "params") for name, collections in variables.items()}
        ema = {name: _pick(variables[name], average) for name, average in state.ema.items() if name in variables}
        params = {**state.params, **{name: collections["params"] for name, collections in variables.items()}}
        return dataclasses.replace(state, params=params, stats={**state.stats, **stats}, ema={**state.ema, **ema})

    def _bind(self, params, stats, train=True) -> Nets:
        return Nets({n: Function(params[n], stats[n], net, train, n) for n, net in self.nets.items()})

    def _gradient(self, name, params, stats, batch, keys, step):
        """The player's gradient and terms, averaged over devices. A loss makes its ``stats`` global by itself."""
        player = self.players[name]

        def loss(own, batch, keys):
            of_array = hasattr(batch, "shape")
            with (
                note(f"In the loss of player {name!r}."),
                note(describe_array(batch), when=lambda error: of_array and reads_a_name(error)),
            ):
                terms = player.loss(self._bind({**params, **own}, stats), batch, keys, step)
            if not isinstance(terms, Terms):
                raise TypeError(
                    f"player {name!r}: the loss must return a total, got {format_array(terms)}. Name what is "
                    f"minimised: return jaxgan.total({name}_loss=...)"
                )
            check_names(terms.stats, self.nets, f"player {name!r} returns stats of", "network")
            return terms.loss, terms

        grads, terms = player.gradient(loss, _pick(params, player.owns), batch, keys)
        for net in player.owns:
            moving = sorted(set(stats[net]) - {CONSTANTS})
            if moving and net not in terms.stats:
                warnings.warn(
                    f"player {name!r} owns network {net!r} and drops its moving statistics "
                    f"({format_names(moving)}), so they will never change. Call the network once as "
                    f"`out, stats = nets.{net}.with_stats(...)` and return total(..., stats={{{net!r}: stats}}).",
                    stacklevel=2,
                )
        grads, scalars = axis.mean((grads, (terms.loss, terms.terms, terms.metrics)))
        loss_value, named, metrics = scalars
        return grads, terms.replace(loss=loss_value, terms=named, metrics=metrics)

    def _merge_stats(self, stats, returned):
        """Put the collections that a turn's players returned over the old ones, in place."""
        for name, by_net in returned.items():
            for net, collections in by_net.items():
                if any(net in other for n, other in returned.items() if n != name):
                    raise ValueError(
                        f"Two players of one turn return stats of network {net!r}. Only its owner may return them."
                    )
                check_names(collections, stats[net], f"player {name!r} returns stats of {net!r}:", "collection")
                stats[net] = {**stats[net], **collections}

    def _update_ema(self, name, state, params, stats):
        decay = self.ema[name]
        decay = decay(state.step) if callable(decay) else decay
        new = jax.tree.map(lambda x: x.astype(jnp.float32), _ema_variables(params, stats, name))
        return optax.incremental_update(new, state.ema[name], 1 - decay)


def _ema_variables(params, stats, name):
    """The variables of a network that a moving average covers: parameters, and BatchNorm's running averages.

    Other collections, such as the vectors of spectral normalisation or an image pool, are not averaged.
    """
    return {"params": params[name], **_pick(stats[name], {"batch_stats"} & set(stats[name]))}


def _copy(x):
    # An average is float32 whatever the parameters are. It is never the parameters' own buffer, because a step that
    # donates its state would donate that buffer twice.
    return jnp.array(x, jnp.float32, copy=True)


def _mean(logs):
    return jax.tree.map(lambda *values: sum(values) / len(values), *logs)


def _pick(tree, names):
    return {name: tree[name] for name in names}


def _without(tree, name):
    return {k: v for k, v in tree.items() if k != name}
