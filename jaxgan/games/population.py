"""Train a population: several games with the same networks, in one compiled step.

    population = Population(game, 8)                                              # eight random seeds
    population = Population(game, 2, make_game, {"rate": jnp.array([1e-4, 4e-4])})  # make_game(rate=...) -> Game
    state = population.init(jax.random.split(jax.random.key(0), population.size))
    state, metrics = jax.jit(population.step)(state, batches)       # batches are [B, members, ...]; metrics [members]
    nets = game.functions(member(state, 3))

Each game of a population is called a member, and takes the same steps as it would take alone. A small game uses only a
fraction of a machine, so several games take little more time than one. ``parallel.members`` distributes the members
over devices.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.state import State
from jaxgan.core.summary import Summary, summarize
from jaxgan.core.wrappers import GameLike, GameWrapper
from jaxgan.games.privacy import is_private

# The axis of members in each field of a state. The field `step` has no such axis, because all members share one step.
# With a separate step for each member, `jax.vmap` would compute both branches of every `lax.cond` on the step.
AXES: Any = State(step=None, key=0, params=0, stats=0, opt_states=0, ema=0)  # pyright: ignore[reportArgumentType]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Population(GameWrapper):
    """A wrapper that trains ``size`` games, which differ in their keys, their batches and optionally in ``settings``.

    The state and the batch have an additional axis of members. In the state, it is the first axis of every leaf except
    ``step``. In the batch, it is the second axis, after the axis of examples. The examples are split into slices for
    the turns as in a single game.

    Attributes:
      game: the game of one member. All members have its networks, players and turns.
      size: the number of members.
      make_game: a function that creates the game of a member from the member's settings, ``make_game(**settings)``. The
        values of the settings are tracers, so ``make_game`` cannot use them in Python conditions. By default, all
        members use ``game``, and ``settings`` is empty.
      settings: a mapping from the names of arguments of ``make_game`` to arrays [size]. The values are float32, so
        numbers close to 1 are inexact. For example, the relative error of 1 - decay is 0.02 % for a decay of 0.9999.

    Raises:
      ValueError: if ``size`` is below 1, an array in ``settings`` does not have ``size`` values, or a member is
        private.
    """

    size: int
    make_game: Callable[..., GameLike] | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"`size`, the number of members of a population, must be at least 1, got {self.size}.")
        _refuse_private(self.game)
        for name, values in self.settings.items():
            if jnp.shape(values)[:1] != (self.size,):
                raise ValueError(
                    f"The entry {name!r} of `settings` must have one value for each of {self.size} members, got an "
                    f"array of shape {jnp.shape(values)}."
                )

    def init(self, keys: jax.Array, /) -> State:
        """Create the state of all members before the first step.

        Args:
          keys: typed random keys, [size], one per member.
        """

        def init(key, settings):
            return self._member(settings).init(key)

        return jax.vmap(init, out_axes=AXES)(keys, dict(self.settings))

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """Take one step of every member; see ``Game.step``.

        Args:
          state: the state of all members.
          batch: an array [B, size, ...] or a pytree of such arrays. Each member has its own examples.

        Returns:
          The new state, and a mapping from names of metrics to arrays [size].

        Raises:
          ValueError: if the second axis of an array of ``batch`` does not have ``size`` members.
        """

        def step(state, batch, settings):
            return self._member(settings).step(state, batch)

        sizes = {x.shape[1] if x.ndim > 1 else 0 for x in jax.tree.leaves(batch)}
        if sizes != {self.size}:
            raise ValueError(
                f"Every array of `batch` must have the shape [B, {self.size}, ...], with an axis of examples and then "
                f"an axis of members, got the shapes {jax.tree.map(jnp.shape, batch)}."
            )
        return jax.vmap(step, in_axes=(AXES, 1, 0), out_axes=(AXES, 0))(state, batch, dict(self.settings))

    def summary(self, depth: int | None = None) -> Summary:
        """Return a table of the networks of one member, and the memory size of the state of all members.

        See ``Game.summary``.

        Args:
          depth: the number of levels of nested layers to show. By default, all layers are shown.
        """
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), self.size))
        title = (
            f"Population of {self.size} members. The tables show the networks of one member; the size of the state is "
            "for all members."
        )
        return summarize(self, keys, depth, title)

    def share(self, i: Any, of: int) -> "Population":
        """Return one part of this population after splitting it into ``of`` equal parts.

        Args:
          i: the index of the part, starting at 0. It can be a tracer.
          of: the number of parts, a divisor of the number of members.
        """
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
    # The members could have independent noise, but the privacy accounting counts the uses of the data by one game.
    if is_private(game):
        raise ValueError(
            "The members of a population cannot be private games. Every member would add to the total privacy loss, "
            "which the accounting of a single game does not count, and members with the same seed and data would add "
            "the same noise. Train private games separately, each with its own key."
        )


def member(state: State, i: int) -> State:
    """Return the state of member ``i`` of a population as the state of a single game.

    Args:
      state: the state of a population.
      i: the index of the member, starting at 0.
    """
    fields = (field.name for field in dataclasses.fields(state) if field.name != "step")
    own = {name: jax.tree.map(lambda x: x[i], getattr(state, name)) for name in fields}
    return State(step=state.step, **own)
