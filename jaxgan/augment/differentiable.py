"""Augment images by DiffAugment, as in section 4 of Zhao et al. 2020 (2006.10738), with the authors' settings."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxgan.core.keys import check_key_count, fold_in_keys
from jaxgan.core.networks import format_names
from jaxgan.data.transforms import random_windows

POLICY = ("colour", "translation", "cutout")
"""All augmentations of DiffAugment: the paper's strongest policy. The paper's other policies are subsets of it."""

_COLOUR, _TRANSLATION, _CUTOUT = 0xD1F0, 0xD1F1, 0xD1F2  # constants that are folded into the keys


def diffaugment(keys: jax.Array, images: jax.Array, policy: Sequence[str] = POLICY) -> jax.Array:
    """Apply all augmentations of a policy to images, in the order of the policy.

    The result is differentiable with respect to ``images`` to any order.

    Args:
      keys: PRNG keys, [B], one per example. The augmentation of an example depends only on its key.
      images: [B, H, W, C] in [-1, 1].
      policy: names of augmentations, any of ``"colour"``, ``"translation"`` and ``"cutout"``.

    Returns:
      The augmented images, [B, H, W, C]. Changes of colours may leave [-1, 1].

    Raises:
      ValueError: if ``policy`` contains another name, or there is not one key per image.
    """
    check_key_count(keys, len(images))
    known = {"colour": colour, "translation": translation, "cutout": cutout}
    for name in policy:
        if name not in known:
            raise ValueError(f"`policy` must contain only {format_names(known)}, got {name!r}.")
        images = known[name](keys, images)
    return images


def colour(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Change brightness, saturation and contrast of images at random.

    - Brightness: a number in [-0.5, 0.5) is added to all values.
    - Saturation: the difference between each value and the mean of its pixel is multiplied by a factor in [0, 2).
    - Contrast: the difference between each value and the mean of its image is multiplied by a factor in [0.5, 1.5).

    Args:
      keys: random keys, [B].
      images: images, [B, H, W, C].

    Returns:
      The changed images, [B, H, W, C].
    """
    drawn = jax.vmap(lambda key: jax.random.uniform(key, (3,)))(fold_in_keys(keys, _COLOUR))
    brightness, saturation, contrast = (x.reshape(-1, 1, 1, 1) for x in drawn.T)
    images = images + (brightness - 0.5)
    grey = images.mean(-1, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean((1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translation(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Shift images by random numbers of pixels, by at most an eighth of their size, and set uncovered pixels to 0.

    Args:
      keys: random keys, [B].
      images: images, [B, H, W, C].

    Returns:
      The shifted images, [B, H, W, C].
    """
    size = images.shape[1], images.shape[2]
    reach = [round_half_up(n / 8) for n in size]
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))
    return random_windows(keys, padded, size, _TRANSLATION)


def cutout(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Set a rectangle of each image to 0. The rectangle has half of the image's height and width and a random centre.

    Args:
      keys: random keys, [B].
      images: images, [B, H, W, C].

    Returns:
      The images with a rectangle of zeros, [B, H, W, C].
    """
    sizes = images.shape[1:3]
    holes = [round_half_up(n / 2) for n in sizes]
    # Along an axis of n pixels, the centre of a hole of odd length is at one of the n pixels. The centre of a hole of
    # even length is at one of the n + 1 borders of pixels.
    places = jnp.array([n + 1 - hole % 2 for n, hole in zip(sizes, holes)])

    def mask(key):
        start = jax.random.randint(jax.random.fold_in(key, _CUTOUT), (2,), 0, places)
        down, across = (
            (jnp.arange(n) >= at - hole // 2) & (jnp.arange(n) < at - hole // 2 + hole)
            for n, hole, at in zip(sizes, holes, start)
        )
        return down[:, None] & across[None, :]

    return jnp.where(jax.vmap(mask)(keys)[..., None], 0, images)


def round_half_up(x: float) -> int:
    """Round a number to the nearest whole number; halves are rounded up.

    >>> round_half_up(2.5), round_half_up(2.4)
    (3, 2)

    Args:
      x: a number that is not negative.
    """
    return int(x + 0.5)
