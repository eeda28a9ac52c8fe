"""A population: games of one shape, trained side by side by one compiled step.

    population = Population(game, 8)                                              # eight seeds
    population = Population(game, 2, make_game, {"rate": jnp.array([1e-4, 4e-4])})  # make_game(rate=...) -> Game
    state = population.init(jax.random.split(jax.random.key(0), population.size))
    state, metrics = jax.jit(population.step)(state, batches)                     # [B, members, ...]; metrics [members]
    nets = game.functions(member(state, 3))

A member takes the steps that it would take alone. Small games leave most of a machine idle, so several games cost
little more than one. ``parallel.members`` spreads them over devices.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.state import State
from jaxgan.core.summary import Summary, summarize
from jaxgan.core.wrappers import GameLike, GameWrapper, find_wrapper
from jaxgan.games.privacy import PrivateGame

# The axis of members in each field of a state. All members share one step: if each had its own, ``jax.vmap`` would turn
# every ``lax.cond`` on it into the computation of both branches.
AXES: Any = State(step=None, key=0, params=0, stats=0, opt_states=0, ema=0)  # pyright: ignore[reportArgumentType]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Population(GameWrapper):
    """``size`` games that differ in their keys, their batches, and perhaps in ``settings``.

    A state has one more axis, the members': the first of every leaf but ``step``. In a batch it is the second, after
    the examples, which are split into turns as in a single game.

    Attributes:
      game: one member; all members have its networks, players and turns.
      size: the number of members.
      make_game: makes a member's game from its own settings: ``make_game(**settings)``. The settings are traced, so
        their values are not known while the game is made.
      settings: [size] values by name, for ``make_game``. They are float32, in which 1 - 0.9999 is off by 0.02 %.

    Raises:
      ValueError: ``size`` is below 1, ``settings`` have other shapes, or a member is private.
    """

    size: int
    make_game: Callable[..., GameLike] | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"`size`: a population must have at least 1 member, got {self.size}.")
        _refuse_private(self.game)
        for name, values in self.settings.items():
            if jnp.shape(values)[:1] != (self.size,):
                raise ValueError(
                    f"`settings`: {name!r} must have one value for each of {self.size} members, got an array of the "
                    f"shape {jnp.shape(values)}."
                )

    def init(self, keys: jax.Array, /) -> State:
        """The members' states before the first step, from [size] keys."""

        def init(key, settings):
            return self._member(settings).init(key)

        return jax.vmap(init, out_axes=AXES)(keys, dict(self.settings))

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """``Game.step`` of every member, on its own examples: [B, size, ...]. Metrics are [size]."""

        def step(state, batch, settings):
            return self._member(settings).step(state, batch)

        sizes = {x.shape[1] if x.ndim > 1 else 0 for x in jax.tree.leaves(batch)}
        if sizes != {self.size}:
            raise ValueError(
                f"`batch`: every array must be [B, {self.size}, ...], examples first and then the members; got shapes "
                f"{jax.tree.map(jnp.shape, batch)}."
            )
        return jax.vmap(step, in_axes=(AXES, 1, 0), out_axes=(AXES, 0))(state, batch, dict(self.settings))

    def summary(self, depth: int | None = None) -> Summary:
        """``Game.summary``, of the networks of one member and of the state of all members."""
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), self.size))
        title = (
            f"Population of {self.size} members. The tables show the networks of one member; the size of the state is "
            "for all members."
        )
        return summarize(self, keys, depth, title)

    def share(self, i: Any, of: int) -> "Population":
        """The ``i``-th of ``of`` equal parts; ``i`` may be traced."""
        size = self.size // of
        settings = {name: lax.dynamic_slice_in_dim(x, i * size, size) for name, x in self.settings.items()}
        return dataclasses.replace(self, size=size, settings=settings)

    def _member(self, settings) -> GameLike:
        if self.make_game is None:
            return self.game
        game = self.make_game(**settings)
        _refuse_private(game)
        return game


def _refuse_private(game: GameLike) -> None:
    if find_wrapper(game, PrivateGame):
        raise ValueError(
            "Population: the members cannot be private games. All of them would add the same noise, which cancels in "
            "the difference of two members, so none would be private. Train private games one by one, each with a key "
            "of its own."
        )


def member(state: State, i: int) -> State:
    """The state of member ``i`` alone, as its own game has it."""
    fields = (field.name for field in dataclasses.fields(state) if field.name != "step")
    own = {name: jax.tree.map(lambda x: x[i], getattr(state, name)) for name in fields}
    return State(step=state.step, **own)
