"""The state of a game: everything that training changes."""

from typing import Any

import flax.struct
import jax

from jaxgan.core.representation import show_state


@flax.struct.dataclass
class State:
    """Everything that training changes, arrays only. A checkpoint is a ``State``, whole.

    Attributes:
      step: the number of steps taken, an integer scalar.
      key: a typed key, from which every draw of every step is derived. It does not change.
      params: parameters by network.
      stats: moving statistics by network and collection (``batch_stats``, ``spectral``, ...).
      opt_states: optimizer states by player.
      ema: exponential moving averages by network, holding ``params`` and ``batch_stats``.
    """

    step: jax.Array
    key: jax.Array
    params: dict[str, Any]
    stats: dict[str, Any]
    opt_states: dict[str, Any]
    ema: dict[str, Any]

    def __repr__(self) -> str:
        return show_state(self)
