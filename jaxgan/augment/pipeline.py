"""Apply the augmentations of ADA, each with a probability, as in appendix B of Karras et al. 2020 (2006.06676)."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment import colour, corruption, geometry
from jaxgan.core.keys import check_key_count, fold_in_keys
from jaxgan.core.networks import format_names

# Each dictionary contains one group of transforms. The probability of a transform is p times the factor given here.
BLIT = {"xflip": 1.0, "rotate90": 1.0, "xint": 1.0}
GEOMETRY = {"scale": 1.0, "rotate": 1.0, "aniso": 1.0, "xfrac": 1.0}
COLOUR = {"brightness": 1.0, "contrast": 1.0, "lumaflip": 1.0, "hue": 1.0, "saturation": 1.0}
FILTER = {"filter": 1.0}
CORRUPTION = {"noise": 1.0, "cutout": 1.0}
BGC = {**BLIT, **GEOMETRY, **COLOUR}
"""The choice of the paper: all transforms that move pixels or change colours."""

_DRAWS, _NOISE = 0xADA0, 0xADA1  # constants that are folded into the keys


def _normal(t):
    """Convert numbers that are uniform in (-1, 1) to numbers with a standard normal distribution."""
    return np.float32(np.sqrt(2)) * jax.scipy.special.erfinv(t)


class Draw(NamedTuple):
    """The distribution of the random values that a transform uses for an example.

    A gate decides at random whether a value is used for an example. If the gate is closed, the value is replaced by 0,
    which leaves the example unchanged.

    Attributes:
      values: number of values.
      gates: number of gates; either one gate for each value, or one gate for all values.
      transform: function that converts random numbers with a uniform distribution in (-1, 1), [B, values], to values.
    """

    values: int
    gates: int
    transform: Callable[[jax.Array], jax.Array]


# A value of x octaves means that a size or an amplitude is multiplied by 2^x.
DRAWS = {
    "xflip": Draw(1, 1, lambda t: jnp.where(t > 0, 1.0, 0.0)),
    "rotate90": Draw(1, 1, lambda t: jnp.floor(2 * (t + 1))),  # number of rotations by 90 degrees
    "xint": Draw(2, 1, lambda t: 0.125 * t),  # fraction of the width and the height, to be rounded to pixels
    "scale": Draw(1, 1, lambda t: 0.2 * _normal(t)),  # octaves
    "rotate": Draw(2, 2, lambda t: np.float32(np.pi) * t),  # radians, before and after the anisotropic scaling
    "aniso": Draw(1, 1, lambda t: 0.2 * _normal(t)),  # octaves
    "xfrac": Draw(2, 1, lambda t: 0.125 * _normal(t)),  # fraction of the width and the height
    "brightness": Draw(1, 1, lambda t: 0.2 * _normal(t)),
    "contrast": Draw(1, 1, lambda t: 0.5 * _normal(t)),  # octaves
    "lumaflip": Draw(1, 1, lambda t: jnp.where(t > 0, 1.0, 0.0)),
    "hue": Draw(1, 1, lambda t: np.float32(np.pi) * t),  # radians
    "saturation": Draw(1, 1, _normal),  # octaves
    "filter": Draw(corruption.BANDS, corruption.BANDS, _normal),  # octaves for each band, from the lowest band
    "noise": Draw(1, 1, lambda t: 0.1 * jnp.abs(_normal(t))),
    "cutout": Draw(3, 1, lambda t: jnp.stack([jnp.full_like(t[:, 0], 0.5), *((t[:, 1:] + 1) / 2).T], -1)),
}


def ada(keys: jax.Array, images: jax.Array, p: jax.Array | float, transforms: Mapping[str, float] = BGC) -> jax.Array:
    """Apply each transform of ADA to images, with a probability of ``p`` times the factor of the transform.

    If p is 0, the images are returned bitwise unchanged. The result is differentiable with respect to ``images`` to any
    order, but not with respect to ``p``.

    Args:
      keys: PRNG keys, [B], one per example. The augmentation of an example depends only on its key.
      images: [B, H, W, C] in [-1, 1], with H and W at least 8. Transforms of colours require 1 or 3 channels.
      p: the probability, a scalar. If ``p`` times a factor is above 1, the probability of the transform is 1.
      transforms: a dictionary from the names of transforms to factors: ``BGC``, ``BLIT``, ``GEOMETRY``, ``COLOUR``,
        ``FILTER``, ``CORRUPTION``, or a dictionary with some of their entries. Transforms are applied in the order of
        the paper.

    Returns:
      The augmented images, [B, H, W, C], which may leave [-1, 1].

    Raises:
      ValueError: if a transform is unknown, if there is not one key per image, if images are smaller than 8 x 8, or if
        images have another number of channels and ``transforms`` contains transforms of colours.
    """
    check_key_count(keys, len(images))
    return apply(keys, images, draw(keys, p, transforms))


def draw(keys: jax.Array, p: jax.Array | float, transforms: Mapping[str, float]) -> dict[str, jax.Array]:
    """Draw the values of each transform for each example.

    The random numbers of a transform depend neither on ``p`` nor on the other transforms.

    Args:
      keys: PRNG keys, [B], one per example.
      p: the probability, a scalar. If ``p`` times a factor is above 1, the probability of the transform is 1.
      transforms: a dictionary from the names of transforms to the factors by which ``p`` is multiplied.

    Returns:
      A dictionary from the names of transforms to their values, [B, values]. The value 0 leaves an image unchanged.

    Raises:
      ValueError: if a transform is unknown.
    """
    unknown = [name for name in transforms if name not in DRAWS]
    if unknown:
        raise ValueError(f"`transforms` must contain only {format_names(DRAWS)}, got {unknown[0]!r}.")
    count = sum(d.values + d.gates for d in DRAWS.values())
    uniform = functools.partial(jax.random.uniform, shape=(count,), minval=np.nextafter(np.float32(-1), 0), maxval=1.0)
    numbers = jax.vmap(uniform)(fold_in_keys(keys, _DRAWS))
    drawn, at = {}, 0
    for name, (values, gates, transform) in DRAWS.items():
        if name in transforms:
            chance = jnp.clip(p * transforms[name], 0, 1)
            if name == "rotate":
                chance = 1 - jnp.sqrt(1 - chance)  # at least one of two rotations happens with the original chance
            opens = numbers[:, at + values : at + values + gates] < 2 * chance - 1
            drawn[name] = jnp.where(opens, transform(numbers[:, at : at + values]), 0.0)
        at += values + gates
    return drawn


def apply(keys: jax.Array, images: jax.Array, drawn: Mapping[str, jax.Array]) -> jax.Array:
    """Apply transforms with given values to images.

    Args:
      keys: PRNG keys, [B], one per example, for the noise.
      images: [B, H, W, C], with H and W at least 8.
      drawn: the values of each transform, as ``draw`` returns them.

    Returns:
      The transformed images, [B, H, W, C].

    Raises:
      ValueError: if the images are smaller than 8 x 8.
    """
    if images.ndim != 4 or min(images.shape[1:3]) < 8:
        raise ValueError(f"`images` must be [B, H, W, C] with H and W at least 8, got shape {images.shape}.")
    moves = [x for name, x in drawn.items() if name in BLIT | GEOMETRY]
    if moves:
        moved = geometry.warp(images, inverse(drawn, len(images), *images.shape[1:3]))
        still = (jnp.concatenate(moves, -1) == 0).all(-1)
        images = jnp.where(still.reshape(-1, 1, 1, 1), images, moved)
    if any(name in drawn for name in COLOUR):
        images = _recolour(images, drawn)
    if "filter" in drawn:
        images = _where_any(drawn["filter"], corruption.amplify(images, jnp.exp2(drawn["filter"])), images)
    if "noise" in drawn:
        images = corruption.noise(fold_in_keys(keys, _NOISE), images, drawn["noise"][:, 0])
    if "cutout" in drawn:
        images = corruption.cutout(images, drawn["cutout"][:, 0], drawn["cutout"][:, 1:])
    return images


def inverse(drawn: Mapping[str, jax.Array], examples: int, height: int, width: int) -> geometry.Affine:
    """Return the map from pixels of transformed images to points of the original images.

    The map applies the inverse of each transform, in reverse order.

    Args:
      drawn: a dictionary from the names of transforms to their values, [B, 1] or [B, 2], as ``draw`` returns it. A
        transform that is missing is not applied.
      examples: the number B of images.
      height: the height of the images in pixels.
      width: the width of the images in pixels.
    """
    zeros = jnp.zeros((examples, 2))

    def one(name):
        return drawn.get(name, zeros)[:, 0]

    def two(name):
        return drawn.get(name, zeros).T

    zoom, stretch, rotations = jnp.exp2(-one("scale")), jnp.exp2(-one("aniso")), two("rotate")
    pixels, shift = two("xint"), two("xfrac")
    at = geometry.identity(examples)
    at = at.scaled(1 - 2 * one("xflip"), jnp.ones(examples))
    at = at.rotated(one("rotate90") * np.float32(np.pi / 2))
    at = at.translated(-jnp.round(pixels[0] * width), -jnp.round(pixels[1] * height))
    at = at.scaled(zoom, zoom).rotated(rotations[0]).scaled(stretch, 1 / stretch).rotated(rotations[1])
    return at.translated(-shift[0] * width, -shift[1] * height)


def _recolour(images, drawn):
    zeros = jnp.zeros((len(images), 1))

    def one(name):
        return drawn.get(name, zeros)[:, 0]

    contrast, saturation = jnp.exp2(one("contrast")), jnp.exp2(one("saturation"))
    new = colour.transform(images, one("brightness"), contrast, one("lumaflip"), one("hue"), saturation)
    changes = jnp.stack([one(name) for name in COLOUR], -1)
    return _where_any(changes, new.astype(images.dtype), images)


def _where_any(values, new, images):
    """Return the new image of an example if any of its values, [B, n], is not 0, and the old image otherwise."""
    return jnp.where((values != 0).any(-1).reshape(-1, 1, 1, 1), new, images)
