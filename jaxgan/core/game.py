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
``Game.step`` is pure; everything that changes is in ``State``.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.core import axis
from jaxgan.core.gradients import full_batch
from jaxgan.core.lazy import LazyTerm
from jaxgan.core.networks import Function, Net, Nets, format_names, takes_train

RESERVED = ("loss", "grad_norm")  # what the game itself logs for each player


@flax.struct.dataclass
class State:
    """Everything that training changes, arrays only: a checkpoint is this, whole.

    ``params`` and ``stats`` are by network, ``stats`` then by collection (``batch_stats``, ...);
    ``opt_states`` by player; ``ema`` by network, holding ``params`` and ``batch_stats``.
    """

    step: jax.Array
    key: jax.Array
    params: dict[str, Any]
    stats: dict[str, Any]
    opt_states: dict[str, Any]
    ema: dict[str, Any]


@flax.struct.dataclass
class Terms:
    """What a loss returns, made by ``total``: the scalar to minimise, and its parts by name.

    ``due`` says for each lazy term whether it counted in this step.
    """

    loss: jax.Array
    terms: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    metrics: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    stats: dict[str, Any] = flax.struct.field(default_factory=dict)
    due: dict[str, jax.Array] = flax.struct.field(default_factory=dict)


def total(*, metrics: Mapping | None = None, stats: Mapping | None = None, **terms: Any) -> Terms:
    """The sum of named terms, each averaged over its examples.

    Args:
      **terms: scalars, arrays of one value per example, or ``losses.lazy(...)``; logged by name.
      metrics: by name, what is averaged and logged and not minimised; booleans give a share.
      stats: by network, the moving statistics that its ``with_stats`` returned, to be kept.

    Raises:
      TypeError: a term is no array.
      ValueError: a name is given twice, or is one that the game logs itself.
    """
    metrics = metrics or {}
    for name in (*terms, *metrics):
        if name in RESERVED or (name in terms and name in metrics):
            raise ValueError(f"total({name}=...): that name is taken; the game itself logs {format_names(RESERVED)}")
    due = {name: term.due for name, term in terms.items() if isinstance(term, LazyTerm)}
    averaged = {name: _average(name, term) for name, term in terms.items()}
    logged = {name: _average(name, metric) for name, metric in metrics.items()}
    loss = sum(averaged.values(), jnp.float32(0))
    return Terms(loss, averaged, logged, dict(stats or {}), due)


def _average(name: str, value: Any) -> jax.Array:
    value = value.value if isinstance(value, LazyTerm) else value
    if not isinstance(value, (jax.Array, np.ndarray, np.generic, float, int)):
        raise TypeError(f"total({name}=...) got a {type(value).__name__}; a term is a scalar or an array [B]")
    return jnp.mean(jnp.asarray(value, jnp.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class Player:
    """Minimises ``loss`` over the parameters of the networks that it owns.

    Attributes:
      owns: names of networks.
      loss: pure, ``(nets, batch, keys, step) -> total(...)``; ``keys`` is [B], one per example.
      optimizer: an optax transformation; one that takes extra arguments is given ``value``, the loss,
        and ``terms``, every scalar that the loss named.
      gradient: how the gradient is computed; see ``jaxgan.core.gradients``.
    """

    owns: tuple[str, ...]
    loss: Callable[[Nets, Any, jax.Array, jax.Array], Terms]
    optimizer: optax.GradientTransformation
    gradient: Callable = full_batch


@dataclasses.dataclass(frozen=True, eq=False)
class Game:
    """Networks, players, and the turns of one step.

    ``turns`` is a sequence of sets of players: players of one turn move at the same time, turns follow
    each other. ``(("d",), ("g",))`` alternates, ``(("d", "g"),)`` is simultaneous, and
    ``(("d",),) * 5 + (("g",),)`` gives the critic five turns. The n-th turn of every player sees the n-th
    keys and the n-th slice of the batch, so two players' first turns can share one forward pass.

    ``ema`` names networks whose moving average is kept, with its decay or a function of the step.
    """

    nets: Mapping[str, Net]
    players: Mapping[str, Player]
    turns: tuple[tuple[str, ...], ...]
    ema: Mapping[str, float | Callable[[jax.Array], Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for turn in self.turns:
            if isinstance(turn, str):
                raise ValueError(f"turns: {turn!r} is a string; a turn is a tuple of players: ({turn!r},)")
            _known(turn, self.players, "turns", "player")
            owned = [(net, name) for name in turn for net in self.players[name].owns]
            for net, _ in owned:
                others = [other for n, other in owned if n == net]
                if len(others) > 1:
                    raise ValueError(
                        f"turns: {format_names(others)} all move network {net!r} in the turn {turn}; give it to "
                        f"one of them, or give them turns of their own: {tuple((n,) for n in turn)}"
                    )
        for name, player in self.players.items():
            if isinstance(player.owns, str) or not player.owns:
                raise ValueError(f"player {name!r}: owns={player.owns!r}; it is a tuple of networks' names")
            _known(player.owns, self.nets, f"player {name!r} owns", "network")
            if not any(name in turn for turn in self.turns):
                raise ValueError(f"player {name!r} never has a turn; name it in turns={self.turns}")
        _known(self.ema, self.nets, "ema", "network")

    @property
    def batch_multiple(self) -> int:
        """The most turns that any player has in a step: the slices that a batch is dealt into."""
        return max(sum(turn.count(name) for turn in self.turns) for name in self.players)

    def init(self, key: jax.Array) -> State:
        """The state before the first step, from a typed key: ``jax.random.key(seed)``."""
        key, *net_keys = jax.random.split(key, 1 + len(self.nets))
        params, stats = {}, {}
        for (name, net), net_key in zip(self.nets.items(), net_keys):
            train = {"train": False} if takes_train(type(net.module)) else {}
            init = jax.jit(functools.partial(net.module.init, **train))
            variables = init(net_key, *(jnp.zeros(x.shape, x.dtype) for x in net.examples))
            params[name] = variables.pop("params", {})
            stats[name] = dict(variables)
        opt_states = {name: p.optimizer.init(_pick(params, p.owns)) for name, p in self.players.items()}
        ema = {name: jax.tree.map(_copy, _averaged(params, stats, name)) for name in self.ema}
        return State(jnp.int32(0), key, params, stats, opt_states, ema)

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """Every turn, once.

        Args:
          state: from ``init`` or the last step.
          batch: an array or a tree of arrays, examples first; as many as ``batch_multiple`` divides.

        Returns:
          The new state, and scalars by name: ``<player>/<term>``, ``<player>/loss``,
          ``<player>/grad_norm``; the mean over a player's turns. A lazy term is a ``LazyTerm``, which says
          whether it was due.
        """
        slices = self._deal(batch)
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
        ema = {name: self._averages(name, state, params, stats) for name in self.ema}
        metrics = {f"{name}/{k}": v for name, log in logs.items() for k, v in _mean_of(log).items()}
        metrics |= {name: LazyTerm(metrics[name], is_due) for name, is_due in due.items()}
        return State(state.step + 1, state.key, params, stats, opt_states, ema), metrics

    def functions(self, state: State, *, train: bool = False, ema: bool = True) -> Nets:
        """The networks as functions: for sampling, so by default with averages and ``train=False``."""
        averages = state.ema if ema else {}
        params = {n: averages[n]["params"] if n in averages else state.params[n] for n in self.nets}
        stats = {n: {**state.stats[n], **averages.get(n, {})} for n in self.nets}
        return self._bind(params, {n: _without(s, "params") for n, s in stats.items()}, train)

    def with_variables(self, state: State, variables: Mapping[str, Mapping[str, Any]]) -> State:
        """The state with other weights, the inverse of ``functions``: averages are these too.

        Args:
          state: of this game; optimizers, and what is not given, stay as they are.
          variables: by network ``params`` and all collections of moving statistics, of the state's own shapes.
        """
        stats = {name: _without(collections, "params") for name, collections in variables.items()}
        ema = {name: _pick(variables[name], average) for name, average in state.ema.items() if name in variables}
        params = {**state.params, **{name: collections["params"] for name, collections in variables.items()}}
        return dataclasses.replace(state, params=params, stats={**state.stats, **stats}, ema={**state.ema, **ema})

    def _bind(self, params, stats, train=True) -> Nets:
        return Nets({n: Function(params[n], stats[n], net.module, train) for n, net in self.nets.items()})

    def _deal(self, batch) -> list:
        """The n-th slice is every k-th example from the n-th on.

        Strided, so that slice n of a device's share is that device's share of slice n.
        """
        k = self.batch_multiple
        sizes = {x.shape[0] if x.ndim else -1 for x in jax.tree.leaves(batch)}
        if len(sizes) != 1 or -1 in sizes:
            shapes = jax.tree.map(lambda x: x.shape, batch)
            raise ValueError(f"batch: every array has the examples first, as many in each; got {shapes}")
        (size,) = sizes
        if size == 0 or size % k:
            raise ValueError(
                f"batch: {size} examples a device are not dealt into the {k} turns of a step; "
                f"give {max(size // k, 1) * k}, or a multiple of {k} (Game.batch_multiple)"
            )
        return [jax.tree.map(lambda x, n=n: x[n::k], batch) for n in range(k)]

    def _gradient(self, name, params, stats, batch, keys, step):
        """The player's gradient and terms, averaged over devices; its stats are its own to make global."""
        player = self.players[name]

        def loss(own, batch, keys):
            terms = player.loss(self._bind({**params, **own}, stats), batch, keys, step)
            if not isinstance(terms, Terms):
                raise TypeError(
                    f"player {name!r}: its loss returned {_describe(terms)}, not a total; average and "
                    f"name what is minimised: return jaxgan.total({name}_loss=...)"
                )
            _known(terms.stats, self.nets, f"player {name!r} returns stats of", "network")
            return terms.loss, terms

        grads, terms = player.gradient(loss, _pick(params, player.owns), batch, keys)
        for net in player.owns:
            if stats[net] and net not in terms.stats:
                warnings.warn(
                    f"player {name!r} owns network {net!r} and drops its moving statistics "
                    f"({format_names(stats[net])}): they will never change. Call it once as "
                    f"`out, stats = nets.{net}.with_stats(...)` and return "
                    f"total(..., stats={{{net!r}: stats}})",
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
                    raise ValueError(f"two players of one turn return stats of network {net!r}: only its owner should")
                _known(collections, stats[net], f"player {name!r} returns stats of {net!r}:", "collection")
                stats[net] = {**stats[net], **collections}

    def _averages(self, name, state, params, stats):
        decay = self.ema[name]
        decay = decay(state.step) if callable(decay) else decay
        new = _averaged(params, stats, name)
        return optax.incremental_update(jax.tree.map(lambda x: x.astype(jnp.float32), new), state.ema[name], 1 - decay)


def _averaged(params, stats, name):
    """What an average covers: parameters, and the averages that BatchNorm keeps. Not vectors, pools, ..."""
    return {"params": params[name], **_pick(stats[name], {"batch_stats"} & set(stats[name]))}


def _copy(x):
    # Held in float32 whatever the parameters are, and never the parameters' own buffer: a step
    # that donates its state would donate that buffer twice.
    return jnp.array(x, jnp.float32, copy=True)


def example_keys(key, batch):
    """[B] keys by the example's place in the global batch, so that devices do not change a draw."""
    size = jax.tree.leaves(batch)[0].shape[0]
    places = axis.index() * size + jnp.arange(size)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, places)


def _mean_of(logs):
    return jax.tree.map(lambda *values: sum(values) / len(values), *logs)


def _known(names, known, where, kind):
    for name in names:
        if name not in known:
            raise ValueError(f"{where} {name!r}, which is no {kind} of the game; it has {format_names(known)}")


def _describe(x) -> str:
    return f"{x.dtype}{list(x.shape)}" if isinstance(x, jax.Array) else type(x).__name__


def _pick(tree, names):
    return {name: tree[name] for name in names}


def _without(tree, name):
    return {k: v for k, v in tree.items() if k != name}
