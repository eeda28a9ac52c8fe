"""Sums over pixels and their transpose, which layers use for channel statistics, scales and biases::

    sum_over_space(x) -> v          the sum over the spatial axes
    broadcast_over_space(v) -> x    the same value at every pixel

Each function is the derivative of the other, like the maps in ``convolution``. Only reverse-mode differentiation is
supported. On CPUs the sum is computed as a matrix product with ones. XLA's own sum over columns is slow there. In
addition, XLA would recompute ``x`` from other values for this sum, which is expensive in a backward pass.

Callers pass the statistics of a single image as [C] instead of [1, C]. With this shape, XLA recognises equal forward
passes over the same batch, and computes them only once for the losses of the discriminator and the generator.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import precision

_BLOCK = 1024  # maximum number of pixels in a partial sum


def sum_over_space(x: jax.Array, keep_axes: int = 0) -> jax.Array:
    """Return the sum over the spatial axes, from [*kept, *space, C] to [*kept, C].

    Args:
      x: an array, [*kept, *space, C].
      keep_axes: number of leading axes to keep, such as 1 for the batch axis.
    """
    return jnp.asarray(_sum_over_space(x, keep_axes))


def broadcast_over_space(v: jax.Array, space: tuple[int, ...]) -> jax.Array:
    """Repeat a vector at every pixel, from [*kept, C] to [*kept, *space, C].

    Args:
      v: vectors, [*kept, C].
      space: sizes of the spatial axes.
    """
    return jnp.asarray(_broadcast_over_space(v, space))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_over_space(x, keep_axes):
    space = tuple(range(keep_axes, x.ndim - 1))
    by_product, by_sum = functools.partial(_sum_by_product, keep_axes), functools.partial(jnp.sum, axis=space)
    return precision.by_platform(None, by_product, by_sum, x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _broadcast_over_space(v, space):
    shape = (*v.shape[:-1], *space, v.shape[-1])
    return lax.broadcast_in_dim(v, shape, (*range(v.ndim - 1), len(shape) - 1))


def _sum_forward(x, keep_axes):
    return _sum_over_space(x, keep_axes), x.shape[keep_axes:-1]


def _sum_backward(keep_axes, space, v):
    return (_broadcast_over_space(v, space),)


def _broadcast_forward(v, space):
    return _broadcast_over_space(v, space), v.ndim - 1


def _broadcast_backward(space, keep_axes, x):
    return (_sum_over_space(x, keep_axes),)


_sum_over_space.defvjp(_sum_forward, _sum_backward)
_broadcast_over_space.defvjp(_broadcast_forward, _broadcast_backward)


def _sum_by_product(keep_axes, x):
    x = x.reshape(*x.shape[:keep_axes], -1, x.shape[-1])
    block = _block_size(x.shape[keep_axes])
    if block is None:
        return _multiply_by_ones(keep_axes, x)
    parts = x.reshape(*x.shape[:keep_axes], -1, block, x.shape[-1])
    return _multiply_by_ones(keep_axes + 1, parts).sum(-2)


def _multiply_by_ones(keep_axes, x):
    """Return the product of a row of ones with each matrix of ``x``, from [*kept, count, C] to [*kept, C]."""
    batch = tuple(range(keep_axes))
    return lax.dot_general(jnp.ones(x.shape[:-1], x.dtype), x, (((keep_axes,), (keep_axes,)), (batch, batch)))


def _block_size(count):
    """Return the number of pixels in a partial sum, or None if the sum is not split.

    In a single float32 sum over 2**20 pixels, the fourth digit of a variance is wrong, so long sums are split into
    blocks of equal size. A sum is not split if it is short, or if it can only be split into blocks of fewer than 32
    pixels.
    """
    if not isinstance(count, int) or count <= _BLOCK:  # the count may be symbolic in an export
        return None
    largest = next(n for n in range(_BLOCK, 0, -1) if count % n == 0)
    return largest if largest >= 32 else None
