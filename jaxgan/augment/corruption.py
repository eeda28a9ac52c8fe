"""Amplify frequency bands, add noise and cut out rectangles, as in appendix B of Karras et al. 2020 (2006.06676)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Low-pass filter of the Daubechies wavelet with two vanishing moments.
SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
BANDS = 4  # number of frequency bands, each an octave wide
# Fraction of the power of natural images that is in each band, from the lowest band to the highest. The power spectrum
# is assumed to fall as 1 / f.
_POWER = np.array([10, 1, 1, 1]) / 13


def amplify(images: jax.Array, gains: jax.Array) -> jax.Array:
    """Amplify each of four frequency bands of images.

    The four gains are applied one after the other. After each gain, all bands are scaled by a common factor, so that a
    natural image would keep its power.

    Args:
      images: [B, H, W, C]; they are extended beyond their borders by reflection.
      gains: the positive factor of each band, [B, 4], from the lowest octave to the highest; 1 leaves a band unchanged.

    Returns:
      The amplified images, [B, H, W, C].
    """
    each = jnp.where(np.eye(BANDS, dtype=bool)[None], gains[:, :, None], 1.0)  # the gain of one band at a time
    power = (jnp.square(each) * _POWER.astype(np.float32)[None, None]).sum(-1, keepdims=True)
    bands = (each * lax.rsqrt(power)).prod(1)
    product = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    rows, columns = (product("bf,fij->bij", bands, jnp.asarray(_filters(n))) for n in images.shape[1:3])
    return product("bwx,bhxc->bhwc", columns, product("bhy,byxc->bhxc", rows, images)).astype(images.dtype)


@functools.cache
def bank() -> np.ndarray:
    """Return the filters of the four octaves, [4, 43], from the lowest octave to the highest.

    The filters are symmetric, and their sum is the identity. H(z) is the z-transform of ``SYM2``. The low-pass filter
    L(z) = H(z) H(1/z) / 2 and the high-pass filter M(z) = L(-z) add up to 1. From the highest octave to the lowest, the
    filters are M(z), L(z) M(z^2), L(z) L(z^2) M(z^4) and L(z) L(z^2) L(z^4).
    """
    lowpass = np.convolve(SYM2, SYM2[::-1]) / 2
    highpass = lowpass * (-1.0) ** np.arange(-3, 4)
    filters, below = [], np.ones(1)
    for octave in range(BANDS - 1):
        filters.append(np.convolve(below, _dilate(highpass, 2**octave)))
        below = np.convolve(below, _dilate(lowpass, 2**octave))
    filters.append(below)
    longest = len(below)
    return np.stack([np.pad(f, (longest - len(f)) // 2) for f in filters[::-1]])


def _dilate(taps: np.ndarray, n: int) -> np.ndarray:
    """Insert ``n - 1`` zeros between the taps of a filter."""
    dilated = np.zeros(n * (len(taps) - 1) + 1)
    dilated[::n] = taps
    return dilated


@functools.cache
def _filters(n: int) -> np.ndarray:
    """Return the filters of ``bank`` as matrices, [4, n, n], for signals of n pixels with reflected borders."""
    taps = bank().shape[1]
    reflected = np.pad(np.eye(n), ((taps // 2,) * 2, (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(reflected, taps, 0)  # [n, n, taps]
    return np.einsum("ijt,ft->fij", windows, bank()).astype(np.float32)


def noise(keys: jax.Array, images: jax.Array, std: jax.Array) -> jax.Array:
    """Add white noise to images, [B, H, W, C].

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C].
      std: standard deviation of the noise, [B].

    Returns:
      The noisy images, [B, H, W, C].
    """
    white = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:], images.dtype))(keys)
    return images + white * std.reshape(-1, 1, 1, 1)


def cutout(images: jax.Array, size: jax.Array, center: jax.Array) -> jax.Array:
    """Set a rectangle of each image to 0, namely all pixels with a centre inside the rectangle.

    Args:
      images: [B, H, W, C].
      size: [B], the height and width of the rectangle, divided by the height and width of the image; 0 leaves the image
        unchanged.
      center: [B, 2], the centre of the rectangle: its horizontal position divided by the width of the image, and its
        vertical position divided by the height.

    Returns:
      The images with the rectangles set to 0, [B, H, W, C].
    """
    _, height, width, _ = images.shape
    across, down = (
        jnp.abs((jnp.arange(n) + 0.5)[None] / n - center[:, i, None]) < size[:, None] / 2
        for i, n in enumerate((width, height))
    )
    hole = down[:, :, None] & across[:, None, :]
    return jnp.where(hole[..., None], 0, images)
