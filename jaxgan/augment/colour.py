"""Affine maps of colours: Karras et al. 2020 (2006.06676), appendix B.

A colour is the grey of its luma, the mean of its channels, and its chroma, the rest, in the plane across the grey axis.
Every map here moves the first along its axis and turns and stretches the second.
"""

import jax
import jax.numpy as jnp
import numpy as np


def transform(
    images: jax.Array,
    brightness: jax.Array,
    contrast: jax.Array,
    lumaflip: jax.Array,
    hue: jax.Array,
    saturation: jax.Array,
) -> jax.Array:
    """Images, [B, H, W, 1] or [B, H, W, 3], whose colours are moved in this order; grey ones have no chroma.

    Args:
      images: in [-1, 1], which the result may leave.
      brightness: [B], added to each channel.
      contrast: [B], what each channel is multiplied by.
      lumaflip: [B], 1 where luma changes its sign, 0 where not.
      hue: [B], an angle in radians about the grey axis.
      saturation: [B], what the chroma is multiplied by.

    Raises:
      ValueError: images have other than 1 or 3 channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"colours of {channels} channels: these augmentations are of grey or RGB images, 1 or 3")
    brightness, contrast, lumaflip, hue, saturation = (
        x.reshape(-1, 1, 1, 1) for x in (brightness, contrast, lumaflip, hue, saturation)
    )
    luma = images.mean(-1, keepdims=True)
    moved = (1 - 2 * lumaflip) * contrast * (luma + brightness)
    if channels == 1:
        return moved
    chroma = images - luma
    # The vector product with the unit vector of the grey axis: a quarter turn of the chroma.
    turned = (jnp.roll(chroma, 1, -1) - jnp.roll(chroma, -1, -1)) / np.sqrt(3)
    return moved + contrast * saturation * (jnp.cos(hue) * chroma + jnp.sin(hue) * turned)
