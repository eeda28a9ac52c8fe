"""Define the state of a game: everything that training changes."""

from typing import Any

import flax.struct
import jax

from jaxgan.core.representation import show_state


@flax.struct.dataclass
class State:
    """The state of a game: a pytree of arrays with everything that training changes.

    ``Game.init`` creates the first state, and ``Game.step`` maps a state and a batch to the next state. A checkpoint
    stores one ``State`` completely.

    Attributes:
      step: the number of steps taken so far, an integer scalar.
      key: a typed random key. All random draws of all steps are derived from it and from ``step``. It never changes.
      params: the parameters of each network, by the network's name.
      stats: the moving statistics of each network, by the network's name and then by collection. Moving statistics are
        arrays that a network updates in its forward pass and not by gradients: ``batch_stats`` for BatchNorm,
        ``spectral`` for spectral normalisation, and so on.
      opt_states: the state of each player's optimizer, by the player's name.
      ema: the exponential moving averages by the network's name: ``params`` and, with BatchNorm, ``batch_stats``.
    """

    step: jax.Array
    key: jax.Array
    params: dict[str, Any]
    stats: dict[str, Any]
    opt_states: dict[str, Any]
    ema: dict[str, Any]

    def __repr__(self) -> str:
        return show_state(self)
