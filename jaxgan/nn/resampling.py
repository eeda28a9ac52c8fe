"""Upsampling, downsampling and blurring with the filter [1, 3, 3, 1] of StyleGAN2 and R3GAN.

The filter is normalised to a sum of 1 and applied in both directions (Karras et al. 2020, Huang et al. 2024).
Upsampling with it is equal to nearest-neighbour upsampling followed by the filter [1, 2, 1]. Pixels outside of an image
are 0. All functions are sums of shifted slices, so that derivatives of every order are cheap.
"""

import jax
import jax.numpy as jnp

FILTER = (0.125, 0.375, 0.375, 0.125)


def upsample(x: jax.Array) -> jax.Array:
    """Double the height and width of an image, from [B, h, w, C] to [B, 2h, 2w, C].

    In each direction, an output pixel is 3/4 of the nearest input pixel plus 1/4 of the second nearest. The function
    equals ``upsample2d`` of the official StyleGAN code with the filter [1, 3, 3, 1].

    Args:
      x: images, [B, h, w, C].
    """
    for axis in (1, 2):
        before, after = _shift(x, axis, 1), _shift(x, axis, -1)
        pairs = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
    return x


def downsample(x: jax.Array) -> jax.Array:
    """Halve the height and width of an image, from [B, 2h, 2w, C] to [B, h, w, C].

    The function is the adjoint (the transpose) of the linear map ``upsample``, divided by 4.

    Args:
      x: images with an even height and width, [B, 2h, 2w, C].
    """
    for axis in (1, 2):
        pairs = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
        even, odd = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
        x = 0.375 * (even + odd) + 0.125 * (_shift(odd, axis, 1) + _shift(even, axis, -1))
    return x


def blur(x: jax.Array, padding: int) -> jax.Array:
    """Apply the filter without resampling.

    StyleGAN2 blurs images before a convolution of stride 2 and after a transposed convolution of stride 2.

    Args:
      x: images, [B, h, w, C].
      padding: number of zeros on each side of the image.

    Returns:
      Images, [B, h + 2 * padding - 3, w + 2 * padding - 3, C].
    """
    for axis in (1, 2):
        # The slices a, b, c and d start at offsets 0, 1, 2 and 3 of the padded image. Negative padding crops.
        a, b, c, d = (_pad(x, axis, padding - i, padding - 3 + i) for i in range(4))
        x = FILTER[0] * (a + d) + FILTER[1] * (b + c)
    return x


def _shift(x, axis, by):
    """Shift the image by ``by`` pixels along an axis, and fill the gap with zeros."""
    return _pad(x, axis, by, -by)


def _pad(x, axis, low, high):
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (low, high, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), config)
