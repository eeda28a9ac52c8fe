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
      key: a typed random key. All random draws of all steps are derived from this key and from ``step``. The key never
        changes.
      params: a dictionary from names of networks to their parameters.
      stats: a nested dictionary with the moving statistics, ``stats[network][collection]``. Moving statistics are
        arrays that a network updates in its forward pass and not by gradients. For example, BatchNorm has the
        collection ``batch_stats``, and spectral normalisation has the collection ``spectral``.
      opt_states: a dictionary from names of players to the states of their optimizers.
      ema: a dictionary from names of networks to their exponential moving averages. The averages of a network are a
        dictionary with the entry ``params`` and, for a network with BatchNorm, the entry ``batch_stats``.
    """

    step: jax.Array
    key: jax.Array
    params: dict[str, Any]
    stats: dict[str, Any]
    opt_states: dict[str, Any]
    ema: dict[str, Any]

    def __repr__(self) -> str:
        return show_state(self)
