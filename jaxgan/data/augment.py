"""Augmentation inside the compiled step: pure functions of images and their keys.

    def discriminator_loss(nets, batch, keys, step):
        real = augment.flip(keys, batch["image"])

An example's draw is its own key's, so it does not depend on devices, and differs from its latents'.
"""

import jax
import jax.numpy as jnp
from jax import lax

_FLIP, _CROP = 0xF11B, 0xC409  # of the keys that are folded in


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


def windows(keys: jax.Array, padded: jax.Array, size: tuple[int, int], fold: int) -> jax.Array:
    """Of each image, [B, H, W, C], a window of ``size``, anywhere, drawn from its key, [B], with ``fold`` folded in."""
    places = jnp.array([n - m + 1 for n, m in zip(padded.shape[1:3], size)])

    def window(key, image):
        y, x = jax.random.randint(jax.random.fold_in(key, fold), (2,), 0, places)
        return lax.dynamic_slice(image, (y, x, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(keys, padded)
