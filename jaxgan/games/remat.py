"""Save memory in the training step of a game: compute activations again instead of storing them."""

import dataclasses
from typing import Any

from jaxgan.core import remat
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameWrapper


@dataclasses.dataclass(frozen=True, eq=False)
class Rematerialized(GameWrapper):
    """A wrapper whose step stores fewer activations of the networks, and computes the others a second time.

    The step needs less memory and more time, and its result is the same up to rounding. ``jaxgan.core.remat`` describes
    how a network is split. The memory of a network with many similar blocks falls most::

        step = parallel.pmap(Rematerialized(game))
    """

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """Take one step; see ``Game.step``.

        Args:
          state: the state before the step.
          batch: the examples of the step, a pytree of arrays [B, ...].
        """
        with remat.active():
            return self.game.step(state, batch)
