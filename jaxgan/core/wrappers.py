"""Change how a game is trained by wrapping it, and define the interface that games and wrappers share.

A wrapper contains a ``Game`` and replaces its step, for example by an extra-gradient step. The training loop,
``jaxgan.parallel``, sampling and checkpoints accept any object with the interface ``GameLike``: ``init``, ``step``,
``batch_multiple``, ``summary`` and ``unwrapped``. ``unwrapped`` is the ``Game`` inside all wrappers. Only a ``Game``
has the methods ``functions`` and ``with_variables`` and the attributes ``nets``, ``players``, ``turns`` and ``ema``.
For a wrapper, use those of ``unwrapped``, for example ``wrapper.unwrapped.functions(state)``.

To write a wrapper, subclass ``GameWrapper``, add fields, and override ``step``::

    @dataclasses.dataclass(frozen=True, eq=False)
    class Repeat(GameWrapper):
        \"\"\"A game that takes each step ``times`` times on the same batch.\"\"\"

        times: int = 2

        def step(self, state, batch):
            for _ in range(self.times):
                state, metrics = self.game.step(state, batch)
            return state, metrics

    step = jax.jit(Repeat(game, 3).step)

A wrapper must follow three rules:

- ``step`` is a pure function, and returns a state with the same structure as the state from ``init``.
- A wrapper that supports only some games raises an error for other games when it is created. ``require_game`` and
  ``find_wrapper`` help to check this.
- Arrays that change during training are stored in ``State``, not in the wrapper.
"""

import dataclasses
from typing import Any, Protocol, TypeVar

import jax

from jaxgan.core.game import Game
from jaxgan.core.representation import show_wrapper
from jaxgan.core.state import State
from jaxgan.core.summary import Summary, summarize


class GameLike(Protocol):
    """The interface of everything that can be trained: a ``Game``, or a wrapper around one."""

    @property
    def unwrapped(self) -> Game:
        """The game inside all wrappers, which has the networks and players. For a ``Game`` it is the game itself."""
        ...

    @property
    def batch_multiple(self) -> int:
        """Number of slices that a step splits its batch into. The batch size must be a multiple of this number."""
        ...

    def init(self, key: jax.Array, /) -> State:
        """Create the state before the first step from a typed random key.

        Args:
          key: a typed random key.
        """
        ...

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """Take one step, and return the new state and a mapping from names of metrics to scalars.

        Args:
          state: the state before the step.
          batch: the examples of the step, a pytree of arrays [B, ...].
        """
        ...

    def summary(self, depth: int | None = None) -> Summary:
        """Return a table of each network's layers, and the memory size of the state.

        Args:
          depth: the number of levels of nested layers to show. By default, all layers are shown.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class GameWrapper:
    """The base class of wrappers, which does not change the game. A subclass overrides methods, usually ``step``.

    Attributes:
      game: the wrapped game, or another wrapper.
    """

    game: GameLike

    def __repr__(self) -> str:
        return show_wrapper(self)

    @property
    def unwrapped(self) -> Game:
        """The game inside all wrappers."""
        return self.game.unwrapped

    @property
    def batch_multiple(self) -> int:
        """Number of slices that a step splits its batch into; see ``Game.batch_multiple``."""
        return self.game.batch_multiple

    def init(self, key: jax.Array, /) -> State:
        """Create the state before the first step; see ``Game.init``.

        Args:
          key: a typed random key.
        """
        return self.game.init(key)

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """Take one step; see ``Game.step``.

        Args:
          state: the state before the step.
          batch: the examples of the step, a pytree of arrays [B, ...].
        """
        return self.game.step(state, batch)

    def summary(self, depth: int | None = None) -> Summary:
        """Return a table of the layers of each network, and the memory size of this wrapper's state.

        See ``Game.summary``.

        Args:
          depth: the number of levels of nested layers to show. By default, all layers are shown.
        """
        return summarize(self, depth=depth)


W = TypeVar("W", bound=GameWrapper)


def find_wrapper(game: GameLike, kind: type[W]) -> W | None:
    """Return the outermost wrapper of the class ``kind`` around a game, or None if there is none.

    Args:
      game: a game, a wrapper around a game, or a wrapper around wrappers.
      kind: the class of the wrapper to find.
    """
    while isinstance(game, GameWrapper):
        if isinstance(game, kind):
            return game
        game = game.game
    return None


def require_game(game: GameLike, function: str) -> Game:
    """Return ``game`` if it is a ``Game``, and raise an error otherwise.

    Functions that replace the players or turns of a game call this function first.

    Args:
      game: the game to check.
      function: the name of the calling function, for the error message.

    Raises:
      ValueError: if ``game`` is a wrapper. The calling function would discard the wrapper's own ``step``.
    """
    if not isinstance(game, Game):
        raise ValueError(
            f"`game` must be a `Game`, got the wrapper {type(game).__name__}. The function `{function}` cannot be "
            "combined with this wrapper. Apply the function to the `Game` itself."
        )
    return game
