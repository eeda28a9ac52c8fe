"""Sums over pixels, and their transpose: what statistics, scales and biases of channels are made of.

    total(x) -> v       the sum over space
    spread(v) -> x      the same value at every pixel

The derivatives of each are the other, as with ``convolution``'s maps, in reverse mode alone. On the CPU a total is a
product with ones: XLA's own sum down columns is slow there, and computes whatever ``x`` is made of anew, which in a
backward pass is much.

Two passes over one batch stay one to XLA, as a game's players share them, where a single image's statistics are [C] and
not [1, C].
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

BLOCK = 1024  # the most pixels of a partial sum


def total(x: jax.Array, kept: int = 0) -> jax.Array:
    """The sum over all axes but the last and the first ``kept``: [*kept, *space, C] to [*kept, C]."""
    return jnp.asarray(_total(x, kept))


def spread(v: jax.Array, space: tuple[int, ...]) -> jax.Array:
    """The same value at every pixel: [*kept, C] to [*kept, *space, C]."""
    return jnp.asarray(_spread(v, space))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _total(x, kept):
    space = tuple(range(kept, x.ndim - 1))
    return lax.platform_dependent(
        x, cpu=functools.partial(_product, kept), default=functools.partial(jnp.sum, axis=space)
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _spread(v, space):
    shape = (*v.shape[:-1], *space, v.shape[-1])
    return lax.broadcast_in_dim(v, shape, (*range(v.ndim - 1), len(shape) - 1))


_total.defvjp(lambda x, kept: (_total(x, kept), x.shape[kept:-1]), lambda kept, space, v: (_spread(v, space),))
_spread.defvjp(lambda v, space: (_spread(v, space), v.ndim - 1), lambda space, kept, x: (_total(x, kept),))


def _product(kept, x):
    x = x.reshape(*x.shape[:kept], -1, x.shape[-1])
    block = _block(x.shape[kept])
    if block is None:
        return _ones(kept, x)
    parts = x.reshape(*x.shape[:kept], -1, block, x.shape[-1])
    return _ones(kept + 1, parts).sum(-2)


def _ones(kept, x):
    """A product of ones and [*kept, count, C]."""
    batch = tuple(range(kept))
    return lax.dot_general(jnp.ones(x.shape[:-1], x.dtype), x, (((kept,), (kept,)), (batch, batch)))


def _block(count):
    """Of how many pixels partial sums are: in one sum of 2**20, a float32 variance loses its fourth digit.

    None for one sum: of few pixels, or where they are dealt into parts so small that the parts are as many.
    """
    if not isinstance(count, int) or count <= BLOCK:  # an export may not know
        return None
    largest = next(n for n in range(BLOCK, 0, -1) if count % n == 0)
    return largest if largest >= 32 else None
