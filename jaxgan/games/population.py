"""A population: games of one shape, trained side by side by one compiled step.

    population = Population(game, 8)                                              # eight seeds
    population = Population(game, 2, make_game, {"rate": jnp.array([1e-4, 4e-4])})  # make_game(rate=...) -> Game
    state = population.init(jax.random.split(jax.random.key(0), population.size))
    state, metrics = jax.jit(population.step)(state, batches)                     # [B, members, ...]; metrics [members]
    nets = game.functions(member(state, 3))

A member takes the steps that it would take alone. Small games leave most of a machine idle, so several cost little more
than one; ``parallel.members`` spreads them over devices.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.game import Game, State

# The step is one number for all: a step of each member's own would turn every ``lax.cond`` on it into both branches.
AXES: Any = State(step=None, key=0, params=0, stats=0, opt_states=0, ema=0)  # pyright: ignore[reportArgumentType]


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """``size`` games that differ in their keys, their batches, and perhaps in ``settings``.

    What a ``Game`` offers, with one more axis: of every leaf of the state but ``step`` it is the first, of a batch the
    second, after the examples, which are dealt to turns as ever.

    Attributes:
      game: one of them; all have its networks, players and turns.
      size: how many.
      varied: makes a member's game from its own settings, which are traced: numbers, but of no known value.
      settings: by name, [size] each: what ``varied`` is given. They are float32: 1 - 0.9999 is then off by 0.02 %.
    """

    game: Game
    size: int
    varied: Callable[..., Game] | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"a population of {self.size}: at least 1")
        for name, values in self.settings.items():
            if jnp.shape(values)[:1] != (self.size,):
                raise ValueError(
                    f"settings: {name} has the shape {jnp.shape(values)}; one for each of {self.size} members"
                )

    @property
    def batch_multiple(self) -> int:
        """``Game.batch_multiple``."""
        return self.game.batch_multiple

    def init(self, keys: jax.Array) -> State:
        """The members' states before the first step, from a key each, [size]."""
        init = lambda key, settings: self._member(settings).init(key)  # noqa: E731
        return jax.vmap(init, out_axes=AXES)(keys, dict(self.settings))

    def step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """``Game.step`` of every member, on its own examples: [B, size, ...]. Metrics are [size]."""
        step = lambda state, batch, settings: self._member(settings).step(state, batch)  # noqa: E731
        sizes = {x.shape[1] if x.ndim > 1 else 0 for x in jax.tree.leaves(batch)}
        if sizes != {self.size}:
            raise ValueError(f"batch: examples first, then {self.size} members; got {jax.tree.map(jnp.shape, batch)}")
        return jax.vmap(step, in_axes=(AXES, 1, 0), out_axes=(AXES, 0))(state, batch, dict(self.settings))

    def share(self, i: Any, of: int) -> "Population":
        """The ``i``-th of ``of`` equal parts; ``i`` may be traced."""
        size = self.size // of
        settings = {name: lax.dynamic_slice_in_dim(x, i * size, size) for name, x in self.settings.items()}
        return dataclasses.replace(self, size=size, settings=settings)

    def _member(self, settings) -> Game:
        return self.varied(**settings) if self.varied else self.game


def member(state: State, i: int) -> State:
    """One member's state, as its solo game has it."""
    fields = (field.name for field in dataclasses.fields(state) if field.name != "step")
    own = {name: jax.tree.map(lambda x: x[i], getattr(state, name)) for name in fields}
    return State(step=state.step, **own)
