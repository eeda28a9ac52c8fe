"""Apply affine maps to colours, as in appendix B of Karras et al. 2020 (2006.06676).

A colour is the sum of its luma, which is the mean of the channels, and its chroma, which lies in the plane orthogonal
to the grey axis. Luma is scaled, shifted and inverted. Chroma is scaled and rotated.
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
    """Change the colours of images; the changes are applied in the order of the arguments.

    Grey images have no chroma, so ``hue`` and ``saturation`` do not change them.

    Args:
      images: [B, H, W, 1] or [B, H, W, 3] in [-1, 1].
      brightness: [B], the value that is added to each channel.
      contrast: [B], the factor by which each channel is multiplied.
      lumaflip: [B], 1 to negate the luma, and 0 otherwise.
      hue: [B], the angle of a rotation about the grey axis, in radians.
      saturation: [B], the factor by which the chroma is multiplied.

    Returns:
      The changed images, with the same shape. Values may leave [-1, 1].

    Raises:
      ValueError: if the images do not have 1 or 3 channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(
            f"Images must have 1 channel (grey) or 3 channels (RGB) for augmentations of colours, got {channels}."
        )
    brightness, contrast, lumaflip, hue, saturation = (
        x.reshape(-1, 1, 1, 1) for x in (brightness, contrast, lumaflip, hue, saturation)
    )
    luma = images.mean(-1, keepdims=True)
    moved = (1 - 2 * lumaflip) * contrast * (luma + brightness)
    if channels == 1:
        return moved
    chroma = images - luma
    # The cross product with the unit vector of the grey axis rotates chroma by 90 degrees.
    turned = (jnp.roll(chroma, 1, -1) - jnp.roll(chroma, -1, -1)) / np.sqrt(3)
    return moved + contrast * saturation * (jnp.cos(hue) * chroma + jnp.sin(hue) * turned)
