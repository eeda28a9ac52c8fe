"""Affine maps of colours: Karras et al. 2020 (2006.06676), appendix B.

A colour is split into luma, the mean of its channels, and chroma, the rest, which lies in the plane orthogonal to the
grey axis. Every map here changes luma along that axis, and rotates and scales chroma.
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
    """Images, [B, H, W, 1] or [B, H, W, 3], with these changes in this order; grey images have no chroma.

    Args:
      images: in [-1, 1], which the result may leave.
      brightness: [B], added to each channel.
      contrast: [B], a factor of each channel.
      lumaflip: [B], 1 where luma changes its sign, else 0.
      hue: [B], an angle in radians about the grey axis.
      saturation: [B], a factor of the chroma.

    Raises:
      ValueError: images have other than 1 or 3 channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(
            f"Colour augmentations need grey or RGB images, with 1 or 3 channels, got {channels} channels."
        )
    brightness, contrast, lumaflip, hue, saturation = (
        x.reshape(-1, 1, 1, 1) for x in (brightness, contrast, lumaflip, hue, saturation)
    )
    luma = images.mean(-1, keepdims=True)
    moved = (1 - 2 * lumaflip) * contrast * (luma + brightness)
    if channels == 1:
        return moved
    chroma = images - luma
    # The cross product with the unit vector of the grey axis rotates chroma by a quarter turn.
    turned = (jnp.roll(chroma, 1, -1) - jnp.roll(chroma, -1, -1)) / np.sqrt(3)
    return moved + contrast * saturation * (jnp.cos(hue) * chroma + jnp.sin(hue) * turned)
