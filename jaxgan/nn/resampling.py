"""Upsampling and downsampling by 2 with a smooth filter, as sums of shifted slices: cheap in every order of derivative.

The filter is [1, 3, 3, 1] in each direction, which is the [1, 2, 1] filter of StyleGAN2 (Karras et al. 2020) and R3GAN
(Huang et al. 2024) applied to an image of doubled pixels. Pixels outside of an image are 0.
"""

import jax
import jax.numpy as jnp

FILTER = (0.125, 0.375, 0.375, 0.125)


def upsample(x: jax.Array) -> jax.Array:
    """[B, h, w, C] to [B, 2h, 2w, C]: in each direction a pixel is 3/4 of the nearest input pixel and 1/4 of the next.

    It equals ``upsample2d`` of the official StyleGAN code with the filter [1, 3, 3, 1].
    """
    for axis in (1, 2):
        before, after = _shift(x, axis, 1), _shift(x, axis, -1)
        pairs = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
    return x


def downsample(x: jax.Array) -> jax.Array:
    """[B, 2h, 2w, C] to [B, h, w, C]; a quarter of the adjoint of ``upsample``."""
    for axis in (1, 2):
        pairs = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
        even, odd = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
        x = 0.375 * (even + odd) + 0.125 * (_shift(odd, axis, 1) + _shift(even, axis, -1))
    return x


def blur(x: jax.Array, padding: int) -> jax.Array:
    """The filter alone: [B, h, w, C], with ``padding`` zeros on each side, to [B, h + 2 * padding - 3, ..., C].

    StyleGAN2 blurs images before a convolution of stride 2, and after a transposed one.
    """
    for axis in (1, 2):
        # The four slices are those at offsets 0 to 3 of the padded image; a negative width crops.
        a, b, c, d = (_pad(x, axis, padding - i, padding - 3 + i) for i in range(4))
        x = FILTER[0] * (a + d) + FILTER[1] * (b + c)
    return x


def _shift(x, axis, by):
    """The image shifted by ``by`` pixels along an axis; zeros fill the gap."""
    return _pad(x, axis, by, -by)


def _pad(x, axis, low, high):
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (low, high, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), config)
