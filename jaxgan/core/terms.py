"""Define the return value of a player's loss: named terms, their sum, metrics and updated moving statistics."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from jaxgan.core.average import average
from jaxgan.core.lazy import LazyTerm
from jaxgan.core.networks import format_names

RESERVED = ("loss", "grad_norm")  # names under which the game itself logs metrics of each player


@flax.struct.dataclass
class Terms:
    """The return value of a player's loss, created by ``total``: the scalar to minimise, its terms, and metrics.

    Attributes:
      loss: the scalar to minimise, the sum of ``terms``.
      terms: a dictionary from the names of the loss's terms to scalars, each averaged over the examples.
      metrics: a dictionary from the names of metrics to scalars, each averaged over the examples.
      stats: a nested dictionary with the updated moving statistics, ``stats[network][collection]``. The game stores
        them in its state.
      due: a dictionary from the names of lazily computed terms to boolean scalars, which are true if the term was
        computed in this step.
    """

    loss: jax.Array
    terms: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    metrics: dict[str, jax.Array] = flax.struct.field(default_factory=dict)
    stats: dict[str, Any] = flax.struct.field(default_factory=dict)
    due: dict[str, jax.Array] = flax.struct.field(default_factory=dict)


def total(*, metrics: Mapping | None = None, stats: Mapping | None = None, **terms: Any) -> Terms:
    """Average each named term over its examples, and return the sum of the terms as the loss of a player.

    Args:
      metrics: a mapping from names to values that are averaged and logged, but not minimised. Each value is a scalar or
        an array [B]. The average of booleans is the fraction of examples for which they are true.
      stats: a mapping from names of networks to the updated moving statistics that ``with_stats`` of the network
        returned. The game stores them in its state.
      **terms: the terms of the loss. Each is a scalar, an array [B] with one value per example, or a result of
        ``losses.lazy``, and is logged under its name.

    Returns:
      The ``Terms`` that a loss returns to the game.

    Raises:
      TypeError: if a term or a metric is not an array or a number.
      ValueError: if a term or a metric is neither a scalar nor an array [B], or a name is used twice or is reserved
        for a metric that the game itself logs.
    """
    metrics = metrics or {}
    for name in (*terms, *metrics):
        if name in RESERVED or (name in terms and name in metrics):
            raise ValueError(
                f"The name {name!r} in jaxgan.total is already used. Choose a name that no other term or metric has. "
                f"The game itself uses the names {format_names(RESERVED)}."
            )
    due = {name: term.due for name, term in terms.items() if isinstance(term, LazyTerm)}
    averaged = {name: average(f"The term {name!r} of jaxgan.total", _value(term)) for name, term in terms.items()}
    logged = {name: average(f"The metric {name!r} of jaxgan.total", _value(metric)) for name, metric in metrics.items()}
    loss = sum(averaged.values(), jnp.float32(0))
    return Terms(loss, averaged, logged, dict(stats or {}), due)


def _value(term: Any) -> Any:
    return term.value if isinstance(term, LazyTerm) else term
