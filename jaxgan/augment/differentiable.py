"""DiffAugment: Zhao et al. 2020 (2006.10738), section 4 and the authors' settings."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxgan.core.keys import fold_in_keys
from jaxgan.core.networks import format_names
from jaxgan.data.transforms import random_windows

POLICY = ("colour", "translation", "cutout")
"""The strongest policy of the paper; its other policies leave out some of these."""

_COLOUR, _TRANSLATION, _CUTOUT = 0xD1F0, 0xD1F1, 0xD1F2  # folded into the keys


def diffaugment(keys: jax.Array, images: jax.Array, policy: Sequence[str] = POLICY) -> jax.Array:
    """Images, [B, H, W, C], after every augmentation of the policy, in its order.

    Differentiable in ``images`` to any order.

    Args:
      keys: [B], one per example; its draws depend on its key alone.
      images: in [-1, 1]; changed colours may leave that range.
      policy: some of ``"colour"``, ``"translation"``, ``"cutout"``.

    Raises:
      ValueError: an augmentation is not known.
    """
    known = {"colour": colour, "translation": translation, "cutout": cutout}
    for name in policy:
        if name not in known:
            raise ValueError(f"diffaugment: `policy` must name some of {format_names(known)}, got {name!r}.")
        images = known[name](keys, images)
    return images


def colour(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Changes brightness by up to +-0.5, saturation by a factor in [0, 2), and contrast by one in [0.5, 1.5).

    Saturation scales around the mean of a pixel's channels, contrast around the mean of the image.
    """
    drawn = jax.vmap(lambda key: jax.random.uniform(key, (3,)))(fold_in_keys(keys, _COLOUR))
    brightness, saturation, contrast = (x.reshape(-1, 1, 1, 1) for x in drawn.T)
    images = images + (brightness - 0.5)
    grey = images.mean(-1, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean((1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translation(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Shifts by whole pixels, uniform up to an eighth of the image's size; pixels that come in are 0."""
    size = images.shape[1], images.shape[2]
    reach = [round_half_up(n / 8) for n in size]
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))
    return random_windows(keys, padded, size, _TRANSLATION)


def cutout(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Sets a rectangle to 0, half as high and wide as the image, whose centre is uniform over the image."""
    sizes = images.shape[1:3]
    holes = [round_half_up(n / 2) for n in sizes]
    # A hole with an even number of pixels is centred on an edge between pixels; there is one more edge than pixels.
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
    """The nearest whole number; halves are rounded up.

    >>> round_half_up(2.5), round_half_up(2.4)
    (3, 2)
    """
    return int(x + 0.5)
