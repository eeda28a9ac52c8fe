"""Compute a regularisation term in some steps only: lazy regularisation (Karras et al. 2020, section 3.1)."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.core
import jax.numpy as jnp

from jaxgan.core.average import average


@flax.struct.dataclass
class LazyTerm:
    """A term of a loss that is computed in the steps where ``due`` is true, and is exactly 0 in the other steps.

    ``jaxgan.total`` adds it like any other term. Loggers omit it in steps where ``due`` is false.

    Attributes:
      value: the value of the term, a scalar.
      due: whether the term was computed in this step, a boolean scalar.
    """

    value: jax.Array
    due: jax.Array

    def __float__(self) -> float:
        return float(self.value)


def lazy(n: int, step: jax.Array, term: Callable[[], Any], *, otherwise: Any = None) -> Any:
    """Compute the mean of ``n * term()`` in every ``n``-th step, and return 0 in the other steps without computing it.

    Because of the factor ``n``, the gradient averaged over steps is the same as if the term were computed in every
    step. Multiply by the weight of the term inside ``term``: ``lazy(16, step, lambda: 5.0 * r1(nets.d, real))``.

    The gradient of the term is computed together with its value, inside the branch of the compiled step that computes
    the term. The branch therefore returns arrays of the size of the parameters, and not the activations of the
    networks. If JAX differentiated the branch, both branches would return the activations, in every step.

    Args:
      n: the period in steps, at least 1. The term is computed in the steps that are multiples of ``n``.
      step: the argument ``step`` of the loss, an integer scalar.
      term: a function without arguments that computes the term: a scalar, or an array [B] with one value per example.
        With ``otherwise``, it returns the term and a further result, a pytree of arrays.
      otherwise: the further result in the other steps, a pytree of arrays like the further result of ``term``. No
        gradient passes through this result.

    Returns:
      A ``LazyTerm``. With ``otherwise``, a ``LazyTerm`` and the further result.

    Raises:
      TypeError: if ``term`` does not return an array or a number.
      ValueError: if ``n`` is below 1, or ``term`` returns neither a scalar nor an array [B].
    """
    if n < 1:
        raise ValueError(f"`n`, the period in steps, must be at least 1, got {n}.")
    due = jnp.asarray(step) % n == 0

    def compute():
        value, further = (term(), None) if otherwise is None else term()
        return n * average("The result of `term` in jaxgan.losses.lazy", value), further

    value, further = _branch(due, compute, otherwise)
    lazy_term = LazyTerm(value, due)
    return lazy_term if otherwise is None else (lazy_term, further)


def _branch(due: jax.Array, compute: Callable[[], tuple[jax.Array, Any]], otherwise: Any) -> tuple[jax.Array, Any]:
    """Return ``compute()`` if ``due`` is true, and otherwise 0 and ``otherwise``.

    ``compute`` returns a scalar and a pytree of arrays. Its gradient is computed in the same branch as its value.
    """
    # The arrays that `compute` reads, such as parameters and examples, become the arguments of the differentiated
    # function.
    closed, shapes = jax.make_jaxpr(compute, return_shape=True)()
    structure = jax.tree.structure(shapes)

    def evaluate(arrays):
        return jax.tree.unflatten(structure, jax.core.eval_jaxpr(closed.jaxpr, arrays))

    @jax.custom_vjp
    def branch(due, otherwise, arrays):
        return jax.lax.cond(due, evaluate, lambda _: (jnp.float32(0), otherwise), arrays)

    def forward(due, otherwise, arrays):
        due, otherwise, values = jax.tree.map(lambda x: x.value, (due, otherwise, arrays), is_leaf=_is_primal)
        moving = [i for i, array in enumerate(arrays) if array.perturbed]

        def evaluate_at(moving_values):
            by_index = dict(zip(moving, moving_values))
            return evaluate([by_index.get(i, value) for i, value in enumerate(values)])

        def zeros(moving_values):
            return (jnp.float32(0), otherwise), jax.tree.map(jnp.zeros_like, moving_values)

        value_and_grad = jax.value_and_grad(evaluate_at, has_aux=True)
        result, grads = jax.lax.cond(due, value_and_grad, zeros, [values[i] for i in moving])
        by_index = dict(zip(moving, grads))
        return result, [by_index.get(i) for i in range(len(values))]

    def backward(grads, cotangents):
        scale, _ = cotangents
        return None, None, [None if grad is None else grad * scale.astype(grad.dtype) for grad in grads]

    branch.defvjp(forward, backward, symbolic_zeros=True)
    return branch(due, otherwise, closed.consts)


def _is_primal(x: Any) -> bool:
    return isinstance(x, jax.custom_derivatives.CustomVJPPrimal)
