"""Matrix products that are accumulated in float32 (or in float64), also if their factors are in bfloat16."""

import jax
import jax.numpy as jnp
from jax import lax


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return the product of the last axis of ``a`` with the first axis of a matrix, in float32 or float64.

    Args:
      a: an array [..., K].
      b: a matrix [K, N].
    """
    # On CPUs with AVX512_BF16, a bfloat16 product that is accumulated in float32 takes half as long as one in bfloat16.
    y = jnp.matmul(a.reshape(-1, a.shape[-1]), b, preferred_element_type=accumulator(a.dtype))
    return y.reshape(*a.shape[:-1], -1)


def correlation(a: jax.Array, b: jax.Array, swap: bool) -> jax.Array:
    """Return the sum of outer products over all axes but the last, [..., M] and [..., N] to [M, N].

    Args:
      a: an array [..., M].
      b: an array with the same leading axes, [..., N].
      swap: whether to compute the transpose of the result first. For long sums, this is faster on CPUs.
    """
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    if not swap:
        return product(a.T, b)
    return lax.optimization_barrier(product(b.T, a)).T  # without the barrier, XLA exchanges the factors again


def accumulator(dtype: jnp.dtype) -> jnp.dtype:
    """Return the data type in which products of arrays are summed: float32 or, for float64, float64.

    Args:
      dtype: the data type of the arrays.
    """
    return jnp.promote_types(dtype, jnp.float32)
