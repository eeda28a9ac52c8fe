"""Compute a regularisation term in some steps only: lazy regularisation (Karras et al. 2020, section 3.1)."""

from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class LazyTerm:
    """A term of a loss that is computed in the steps where ``due`` is true, and is exactly 0 in the other steps.

    ``jaxgan.total`` adds it like any other term. Loggers omit it in steps where ``due`` is false.

    Attributes:
      value: the value of the term, a scalar or an array [B] with one value per example.
      due: whether the term was computed in this step, a boolean scalar.
    """

    value: jax.Array
    due: jax.Array

    def __float__(self) -> float:
        return float(self.value)


def lazy(n: int, step: jax.Array, term: Callable[[], jax.Array]) -> LazyTerm:
    """Compute ``n * term()`` in every ``n``-th step, and return 0 in the other steps without computing the term.

    Because of the factor ``n``, the gradient averaged over steps is the same as if the term were computed in every
    step. Multiply by the weight of the term inside ``term``: ``lazy(16, step, lambda: 5.0 * r1(nets.d, real))``.

    Args:
      n: the period in steps, at least 1. The term is computed in the steps that are multiples of ``n``.
      step: the argument ``step`` of the loss, an integer scalar.
      term: a function without arguments that computes the term: a scalar, or an array [B] with one value per example.

    Raises:
      ValueError: if ``n`` is below 1.
    """
    if n < 1:
        raise ValueError(f"`n`, the period in steps, must be at least 1, got {n}.")
    shape = jax.eval_shape(term)
    due = jnp.asarray(step) % n == 0
    value = jax.lax.cond(due, lambda: n * term(), lambda: jnp.zeros(shape.shape, shape.dtype))
    return LazyTerm(value, due)
