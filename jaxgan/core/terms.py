"""What a player's loss returns: named terms, their sum, and what is logged or kept beside them."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.lazy import LazyTerm
from jaxgan.core.networks import format_array, format_names

RESERVED = ("loss", "grad_norm")  # the game itself logs these for each player


@flax.struct.dataclass
class Terms:
    """What a loss returns, made by ``total``: the scalar to minimise, and its parts by name.

    Attributes:
      loss: the sum of ``terms``, a scalar.
      terms: the mean of each term over its examples, a scalar.
      metrics: the mean of each metric, a scalar.
      stats: moving statistics to keep, by network and collection.
      due: for each lazy term, whether it was computed in this step.
    """

    loss: jax.Array
    terms: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    metrics: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    stats: dict[str, Any] = flax.struct.field(default_factory=dict)
    due: dict[str, jax.Array] = flax.struct.field(default_factory=dict)


def total(*, metrics: Mapping | None = None, stats: Mapping | None = None, **terms: Any) -> Terms:
    """The sum of named terms, each averaged over its examples.

    Args:
      metrics: values by name that are averaged and logged, but not minimised. The mean of booleans is a share.
      stats: by network, the moving statistics that its ``with_stats`` returned. The game keeps them.
      **terms: scalars, arrays of one value per example, or ``losses.lazy(...)``. Each is logged by its name.

    Raises:
      TypeError: a term or metric is not an array.
      ValueError: a term or metric is neither a scalar nor an array [B]; a name is used twice, or is one that the game
        itself logs.
    """
    metrics = metrics or {}
    for name in (*terms, *metrics):
        if name in RESERVED or (name in terms and name in metrics):
            raise ValueError(
                f"total({name}=...): the name {name!r} is taken. Use a name that is neither a term nor a metric "
                f"already, nor one that the game itself logs: {format_names(RESERVED)}."
            )
    due = {name: term.due for name, term in terms.items() if isinstance(term, LazyTerm)}
    averaged = {name: _average(f"total({name}=...)", term) for name, term in terms.items()}
    logged = {name: _average(f"total(metrics={{{name!r}: ...}})", metric) for name, metric in metrics.items()}
    loss = sum(averaged.values(), jnp.float32(0))
    return Terms(loss, averaged, logged, dict(stats or {}), due)


def _average(what: str, value: Any) -> jax.Array:
    value = value.value if isinstance(value, LazyTerm) else value
    if not isinstance(value, (jax.Array, np.ndarray, np.generic, float, int)):
        raise TypeError(f"{what} must be a scalar or an array [B], got a {type(value).__name__}.")
    if jnp.ndim(value) > 1:
        raise ValueError(
            f"{what} must be a scalar or one value per example, [B], got {format_array(value)}. Take the mean "
            "or the sum over the other axes, which decides how much an example counts."
        )
    return jnp.mean(jnp.asarray(value, jnp.float32))
