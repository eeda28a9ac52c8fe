"""Sums over pixels and their transpose, from which channel statistics, scales and biases are computed.

    sum_over_space(x) -> v          the sum over the spatial axes
    broadcast_over_space(v) -> x    the same value at every pixel

Each of the two is the derivative of the other, as with the maps of ``convolution``; only reverse mode is supported. On
the CPU the sum is a matrix product with ones: XLA's own column sum is slow there, and it recomputes whatever ``x`` is
computed from, which is expensive in a backward pass.

The statistics of a single image are [C] and not [1, C]. With that shape XLA recognises that two passes over one batch
are the same, so the players of a game share them.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

_BLOCK = 1024  # the maximum number of pixels in a partial sum


def sum_over_space(x: jax.Array, keep_axes: int = 0) -> jax.Array:
    """The sum over all axes but the last and the first ``keep_axes``: [*kept, *space, C] to [*kept, C]."""
    return jnp.asarray(_sum_over_space(x, keep_axes))


def broadcast_over_space(v: jax.Array, space: tuple[int, ...]) -> jax.Array:
    """The same value at every pixel: [*kept, C] to [*kept, *space, C]."""
    return jnp.asarray(_broadcast_over_space(v, space))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_over_space(x, keep_axes):
    space = tuple(range(keep_axes, x.ndim - 1))
    return lax.platform_dependent(
        x, cpu=functools.partial(_sum_by_product, keep_axes), default=functools.partial(jnp.sum, axis=space)
    )


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
    """The product of a row of ones with each matrix of [*kept, count, C]: [*kept, C]."""
    batch = tuple(range(keep_axes))
    return lax.dot_general(jnp.ones(x.shape[:-1], x.dtype), x, (((keep_axes,), (keep_axes,)), (batch, batch)))


def _block_size(count):
    """The number of pixels in a partial sum, or None for a single sum.

    A single float32 sum over 2**20 pixels loses the fourth digit of a variance, so long sums are split into equal
    blocks. A short sum is not split, nor one whose only divisors give blocks of fewer than 32 pixels.
    """
    if not isinstance(count, int) or count <= _BLOCK:  # the count may be symbolic in an export
        return None
    largest = next(n for n in range(_BLOCK, 0, -1) if count % n == 0)
    return largest if largest >= 32 else None
