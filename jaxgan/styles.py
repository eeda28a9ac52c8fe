"""Styles: what a generator in two halves, of latents to styles and of styles to images, lets one do with samples."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

Noise = jax.Array | tuple[jax.Array, ...] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Styles:
    """A generator's two halves, as functions of its networks: ``experiment.styles``.

    Attributes:
      map: ``(nets, z, *label, psi=1.0, cutoff=None) -> ws``, [B, ...] to [B, layers, w]. With ``psi`` they are drawn
        towards the average, to so much of their distance: those of the first ``cutoff`` layers, or of all.
      average: ``nets -> w``, [w], the moving average of w.
      images: ``(nets, ws, noise) -> images``, [B, layers, w] to [B, height, width, C]. ``noise`` is None; or maps, as
        ``noise()``; or keys, [B], of each of which its example's is drawn.
      noise: ``() -> maps``, the constant noise that samples have, the same for all images.
      weights: ``nets -> matrices``, of each layer the affine map of its style, [w, channels].
      layers: how many styles an image has.
    """

    map: Callable[..., jax.Array]
    average: Callable[[Any], jax.Array]
    images: Callable[[Any, jax.Array, Noise], jax.Array]
    noise: Callable[[], tuple[jax.Array, ...]]
    weights: Callable[[Any], tuple[jax.Array, ...]]
    layers: int
