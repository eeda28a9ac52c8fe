"""Lazy regularisation: a term that is computed in some steps only (Karras et al. 2020, section 3.1)."""

from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class LazyTerm:
    """A term that counts in the steps where ``due`` is true, and is exactly 0 in the others.

    ``jaxgan.total`` sums it like any other term; a logger writes it only where it was due.

    Attributes:
      value: a scalar, or one value per example, [B].
      due: a boolean scalar.
    """

    value: jax.Array
    due: jax.Array

    def __float__(self) -> float:
        return float(self.value)


def lazy(n: int, step: jax.Array, term: Callable[[], jax.Array]) -> LazyTerm:
    """``n * term()`` in the steps that ``n`` divides; 0 in the others, where it is not computed.

    The factor keeps the expected gradient that of a term computed in every step. A weight goes inside:
    ``lazy(16, step, lambda: 5.0 * r1(nets.d, real))``.

    Args:
      n: the period, at least 1.
      step: the step that the loss was given, an integer scalar.
      term: computes the term: a scalar, or one value per example, [B].

    Raises:
      ValueError: ``n`` is below 1.
    """
    if n < 1:
        raise ValueError(f"lazy: `n`, the period in steps, must be at least 1, got {n}.")
    shape = jax.eval_shape(term)
    due = jnp.asarray(step) % n == 0
    value = jax.lax.cond(due, lambda: n * term(), lambda: jnp.zeros(shape.shape, shape.dtype))
    return LazyTerm(value, due)
