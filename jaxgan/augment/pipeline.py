"""The augmentations of ADA, each with a probability: Karras et al. 2020 (2006.06676), appendix B."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment import colour, corruption, geometry

# A transform's name and the factor of p that is its probability.
BLIT = {"xflip": 1.0, "rotate90": 1.0, "xint": 1.0}
GEOMETRY = {"scale": 1.0, "rotate": 1.0, "aniso": 1.0, "xfrac": 1.0}
COLOUR = {"brightness": 1.0, "contrast": 1.0, "lumaflip": 1.0, "hue": 1.0, "saturation": 1.0}
FILTER = {"filter": 1.0}
CORRUPTION = {"noise": 1.0, "cutout": 1.0}
BGC = {**BLIT, **GEOMETRY, **COLOUR}
"""What the paper found best and uses: all that moves pixels or colours."""

_DRAWS, _NOISE = 0xADA0, 0xADA1  # of the keys that are folded in


def _normal(t):
    """Standard normal, of a variable that is uniform in (-1, 1)."""
    return np.float32(np.sqrt(2)) * jax.scipy.special.erfinv(t)


class Draw(NamedTuple):
    """How a transform's values are drawn: ``of`` takes [B, values] numbers, uniform in (-1, 1).

    0 stands for no change, of each value for which its gate, or the one gate of all, does not open.
    """

    values: int
    gates: int
    of: Callable[[jax.Array], jax.Array]


DRAWS = {
    "xflip": Draw(1, 1, lambda t: jnp.where(t > 0, 1.0, 0.0)),
    "rotate90": Draw(1, 1, lambda t: jnp.floor(2 * (t + 1))),  # quarter turns
    "xint": Draw(2, 1, lambda t: 0.125 * t),  # of the image's width and height, to be rounded to pixels
    "scale": Draw(1, 1, lambda t: 0.2 * _normal(t)),  # octaves
    "rotate": Draw(2, 2, lambda t: np.float32(np.pi) * t),  # radians, before and after the anisotropic scaling
    "aniso": Draw(1, 1, lambda t: 0.2 * _normal(t)),  # octaves
    "xfrac": Draw(2, 1, lambda t: 0.125 * _normal(t)),  # of the image's width and height
    "brightness": Draw(1, 1, lambda t: 0.2 * _normal(t)),
    "contrast": Draw(1, 1, lambda t: 0.5 * _normal(t)),  # octaves
    "lumaflip": Draw(1, 1, lambda t: jnp.where(t > 0, 1.0, 0.0)),
    "hue": Draw(1, 1, lambda t: np.float32(np.pi) * t),  # radians
    "saturation": Draw(1, 1, _normal),  # octaves
    "filter": Draw(corruption.BANDS, corruption.BANDS, _normal),  # octaves, a band each from the lowest
    "noise": Draw(1, 1, lambda t: 0.1 * jnp.abs(_normal(t))),
    "cutout": Draw(3, 1, lambda t: jnp.stack([jnp.full_like(t[:, 0], 0.5), *((t[:, 1:] + 1) / 2).T], -1)),
}


def ada(keys: jax.Array, images: jax.Array, p: jax.Array | float, transforms: Mapping[str, float] = BGC) -> jax.Array:
    """Images, [B, H, W, C], each transform of which happens with probability ``p`` times its factor.

    At p = 0 they are what they were, to the bit. Differentiable in ``images`` to any order, and not in ``p``.

    Args:
      keys: [B], one per example, whose draws are its key's alone.
      images: in [-1, 1], which the result may leave; sizes from 8. 1 or 3 channels, unless colours are left out.
      p: a scalar; above 1 counts as 1.
      transforms: by name, the factor; the order is the paper's, whatever theirs here. ``BGC``, ``BLIT``,
        ``GEOMETRY``, ``COLOUR``, ``FILTER``, ``CORRUPTION``, or any of their names.

    Raises:
      ValueError: a transform's name is not known, or images are smaller, or of other channels.
    """
    return apply(keys, images, draw(keys, p, transforms))


def draw(keys: jax.Array, p: jax.Array | float, transforms: Mapping[str, float]) -> dict[str, jax.Array]:
    """What each transform does to each example: by name, [B, values], 0 for nothing.

    An example's numbers for a transform are the same whatever ``p`` is and whichever others there are.
    """
    unknown = [name for name in transforms if name not in DRAWS]
    if unknown:
        raise ValueError(f"ada: no transform {unknown[0]!r}; there are {', '.join(map(repr, DRAWS))}")
    count = sum(d.values + d.gates for d in DRAWS.values())
    uniform = functools.partial(jax.random.uniform, shape=(count,), minval=np.nextafter(np.float32(-1), 0), maxval=1.0)
    numbers = jax.vmap(lambda key: uniform(jax.random.fold_in(key, _DRAWS)))(keys)
    drawn, at = {}, 0
    for name, (values, gates, of) in DRAWS.items():
        if name in transforms:
            chance = jnp.clip(p * transforms[name], 0, 1)
            if name == "rotate":
                chance = 1 - jnp.sqrt(1 - chance)  # so that one or the other rotation happens with the chance
            opens = numbers[:, at + values : at + values + gates] < 2 * chance - 1
            drawn[name] = jnp.where(opens, of(numbers[:, at : at + values]), 0.0)
        at += values + gates
    return drawn


def apply(keys: jax.Array, images: jax.Array, drawn: Mapping[str, jax.Array]) -> jax.Array:
    """The images, [B, H, W, C], after what was drawn; ``keys`` [B] are for the noise alone."""
    if images.ndim != 4 or min(images.shape[1:3]) < 8:
        raise ValueError(f"ada of images of shape {images.shape}: want [B, H, W, C], H and W at least 8")
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
        keys = jax.vmap(lambda key: jax.random.fold_in(key, _NOISE))(keys)
        images = corruption.noise(keys, images, drawn["noise"][:, 0])
    if "cutout" in drawn:
        images = corruption.cutout(images, drawn["cutout"][:, 0], drawn["cutout"][:, 1:])
    return images


def inverse(drawn: Mapping[str, jax.Array], examples: int, height: int, width: int) -> geometry.Affine:
    """The map of each pixel of the result to a place in the image: inverses, the last transform's first."""
    nothing = jnp.zeros((examples, 2))
    one = lambda name: drawn.get(name, nothing)[:, 0]  # noqa: E731
    two = lambda name: drawn.get(name, nothing).T  # noqa: E731
    zoom, stretch, rotations = jnp.exp2(-one("scale")), jnp.exp2(-one("aniso")), two("rotate")
    pixels, shift = two("xint"), two("xfrac")
    at = geometry.identity(examples)
    at = at.scaled(1 - 2 * one("xflip"), jnp.ones(examples))
    at = at.rotated(one("rotate90") * np.float32(np.pi / 2))
    at = at.translated(-jnp.round(pixels[0] * width), -jnp.round(pixels[1] * height))
    at = at.scaled(zoom, zoom).rotated(rotations[0]).scaled(stretch, 1 / stretch).rotated(rotations[1])
    return at.translated(-shift[0] * width, -shift[1] * height)


def _recolour(images, drawn):
    one = lambda name: drawn.get(name, jnp.zeros((len(images), 1)))[:, 0]  # noqa: E731
    contrast, saturation = jnp.exp2(one("contrast")), jnp.exp2(one("saturation"))
    new = colour.transform(images, one("brightness"), contrast, one("lumaflip"), one("hue"), saturation)
    changes = jnp.stack([one(name) for name in COLOUR], -1)
    return _where_any(changes, new.astype(images.dtype), images)


def _where_any(values, new, images):
    """The new image where any value, [B, n], is not 0, else the old."""
    return jnp.where((values != 0).any(-1).reshape(-1, 1, 1, 1), new, images)
