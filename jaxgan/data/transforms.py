"""Augmentation inside the compiled step: pure functions of images and their keys.

    def discriminator_loss(nets, batch, keys, step):
        real = augment.flip(keys, batch["image"])

An example's draw is its own key's, so it does not depend on devices, and differs from its latents'. The same keys draw
the same again, so the two of a pair are mirrored, cut and shifted alike by two calls:

        real, given = (augment.flip(keys, batch[name]) for name in ("image", "input"))
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.data.degrade import bicubic

_FLIP, _CROP, _CUT, _JITTER = 0xF11B, 0xC409, 0xC477, 0x3177  # of the keys that are folded in


def flip(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Each image, [B, H, W, C], mirrored left to right with probability 1/2; ``keys`` [B]."""
    mirrored = jax.vmap(lambda key: jax.random.bernoulli(jax.random.fold_in(key, _FLIP)))(keys)
    return jnp.where(mirrored.reshape(-1, 1, 1, 1), images[:, :, ::-1], images)


def crop(keys: jax.Array, images: jax.Array, padding: int) -> jax.Array:
    """Of each image, [B, H, W, C], padded by its reflection, a window of its own size: a shift by up to ``padding``.

    Raises:
      ValueError: ``padding`` is negative, or not below the images' height and width.
    """
    _, height, width, _ = images.shape
    if not 0 <= padding < min(height, width):
        raise ValueError(f"crop(padding={padding}) of images of {height} x {width}: from 0 to {min(height, width) - 1}")
    if not padding:
        return images
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode="reflect")
    return windows(keys, padded, (height, width), _CROP)


def cut(keys: jax.Array, images: jax.Array, size: int, step: int = 1) -> jax.Array:
    """Of each image, [B, H, W, C], a square window of ``size``, at a multiple of ``step`` pixels; ``keys`` [B].

    Of pairs for super-resolution both at one place, inputs 4 times smaller than images:
    ``cut(keys, images, 96, step=4)`` and ``cut(keys, inputs, 24)``.

    Raises:
      ValueError: images are smaller, or ``size`` or ``step`` is below 1.
    """
    height, width = images.shape[1:3]
    if not 1 <= size <= min(height, width) or step < 1:
        raise ValueError(
            f"cut(size={size}, step={step}) of images of {height} x {width}: a size of 1 to the least of them"
        )
    return windows(keys, images, (size, size), _CUT, step)


def jitter(keys: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Of each image, [B, H, W, C], enlarged to the height ``size``, a window of its own size; ``keys`` [B].

    pix2pix's, of 286 for 256 (Isola et al. 2017, 1611.07004); bicubic, cut to [-1, 1].

    Raises:
      ValueError: ``size`` is below the images' height.
    """
    height, width = images.shape[1:3]
    if size < height:
        raise ValueError(f"jitter(size={size}) of images of {height} x {width}: at least {height}")
    enlarged = jnp.clip(bicubic(images, size=(size, round(width * size / height))), -1, 1).astype(images.dtype)
    return windows(keys, enlarged, (height, width), _JITTER)


def windows(keys: jax.Array, padded: jax.Array, size: tuple[int, int], fold: int, step: int = 1) -> jax.Array:
    """Of each image, [B, H, W, C], a window of ``size``, drawn from its key, [B], with ``fold`` folded in.

    It is anywhere, or where both coordinates are multiples of ``step``.
    """
    places = jnp.array([(n - m) // step + 1 for n, m in zip(padded.shape[1:3], size)])

    def window(key, image):
        y, x = step * jax.random.randint(jax.random.fold_in(key, fold), (2,), 0, places)
        return lax.dynamic_slice(image, (y, x, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(keys, padded)
