"""Images at twice and half the size by a smooth filter, as sums of shifted slices: cheap to any order of derivative.

The filter is [1, 3, 3, 1] in each direction: the [1, 2, 1] of StyleGAN2 (Karras et al. 2020) and R3GAN (Huang et al.
2024) seen through two pixels that are one. Outside an image is 0.
"""

import jax
import jax.numpy as jnp

FILTER = (0.125, 0.375, 0.375, 0.125)


def enlarged(x: jax.Array) -> jax.Array:
    """[B, h, w, C] to [B, 2h, 2w, C]; each new pixel is 3/4 of the nearest old one and 1/4 of the next, both ways."""
    for axis in (1, 2):
        before, after = _shifted(x, axis, 1), _shifted(x, axis, -1)
        pairs = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
    return x


def reduced(x: jax.Array) -> jax.Array:
    """[B, 2h, 2w, C] to [B, h, w, C]; a quarter of the adjoint of ``enlarged``."""
    for axis in (1, 2):
        pairs = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
        even, odd = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
        x = 0.375 * (even + odd) + 0.125 * (_shifted(odd, axis, 1) + _shifted(even, axis, -1))
    return x


def smoothed(x: jax.Array, padding: int) -> jax.Array:
    """The filter alone: [B, h, w, C], with ``padding`` zeros on each side, to [B, h + 2 * padding - 3, ..., C].

    StyleGAN2's before a convolution of stride 2, and after a transposed one.
    """
    for axis in (1, 2):
        # Those at offsets 0 to 3 of the wider image; a border that is less than nothing is cropped.
        a, b, c, d = (_padded(x, axis, padding - i, padding - 3 + i) for i in range(4))
        x = FILTER[0] * (a + d) + FILTER[1] * (b + c)
    return x


def _shifted(x, axis, by):
    """Moved by one along an axis, zeros moving in."""
    return _padded(x, axis, by, -by)


def _padded(x, axis, low, high):
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (low, high, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), config)
