"""Everything that can be trained: a ``Game``, or a wrapper that plays a game in another way.

The loop, ``jaxgan.parallel``, sampling and checkpoints ask for ``GameLike`` and for nothing more: ``init`` and ``step``
over a ``State``, ``batch_multiple`` for the size of a batch, ``summary`` to describe it, and ``unwrapped``, the game
whose networks and players these are. ``unwrapped`` is where ``functions``, ``with_variables``, ``nets``, ``players``,
``turns`` and ``ema`` are found.

To play a game in another way, subclass ``GameWrapper``, add fields, and override ``step``::

    @dataclasses.dataclass(frozen=True, eq=False)
    class Repeat(GameWrapper):
        \"\"\"Takes each step ``times`` times, on the same batch.\"\"\"

        times: int = 2

        def step(self, state, batch):
            for _ in range(self.times):
                state, metrics = self.game.step(state, batch)
            return state, metrics

    step = jax.jit(Repeat(game, 3).step)

A wrapper follows three rules. ``step`` is pure, and its state has the structure that ``init`` returned. A wrapper that
is correct only over some games refuses the others when it is made (``require_game``, ``find_wrapper``). A wrapper holds
no arrays that change: those belong in ``State``.
"""

import dataclasses
from typing import Any, Protocol, TypeVar

import jax

from jaxgan.core.game import Game
from jaxgan.core.representation import show_wrapper
from jaxgan.core.state import State
from jaxgan.core.summary import Summary, summarize


class GameLike(Protocol):
    """What is trained. See the module's docstring."""

    @property
    def unwrapped(self) -> Game:
        """The game inside all wrappers, which has the networks and players; a ``Game`` is its own."""
        ...

    @property
    def batch_multiple(self) -> int:
        """The number of slices into which a step splits its batch: it must divide the size of a batch."""
        ...

    def init(self, key: jax.Array, /) -> State:
        """The state before the first step."""
        ...

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """One step: the new state, and scalars by name."""
        ...

    def summary(self, depth: int | None = None) -> Summary:
        """The networks' layers, and the memory of the state."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class GameWrapper:
    """Plays ``game`` as it is; a subclass overrides what it does in another way, usually ``step``.

    Attributes:
      game: the game inside, or another wrapper.
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
        """``Game.batch_multiple``."""
        return self.game.batch_multiple

    def init(self, key: jax.Array, /) -> State:
        """``Game.init``."""
        return self.game.init(key)

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """``Game.step``."""
        return self.game.step(state, batch)

    def summary(self, depth: int | None = None) -> Summary:
        """``Game.summary``, of the networks of the game inside and of the state of this wrapper."""
        return summarize(self, depth=depth)


W = TypeVar("W", bound=GameWrapper)


def find_wrapper(game: GameLike, kind: type[W]) -> W | None:
    """The outermost wrapper of this kind around a game, or None."""
    while isinstance(game, GameWrapper):
        if isinstance(game, kind):
            return game
        game = game.game
    return None


def require_game(game: GameLike, function: str) -> Game:
    """``game``, for a function that replaces players or turns, which only a ``Game`` has.

    Raises:
      ValueError: ``game`` is a wrapper, whose own way to play would be lost.
    """
    if not isinstance(game, Game):
        raise ValueError(
            f"{function}: `game` must be a `Game`, got the wrapper {type(game).__name__}. These two ways to play do "
            f"not combine. Apply {function} to the `Game` itself."
        )
    return game
