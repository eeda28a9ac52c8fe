"""Frequency bands, noise and cutout: Karras et al. 2020 (2006.06676), appendix B."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The Daubechies wavelet with two vanishing moments, its low-pass filter.
SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
BANDS = 4
_POWER = np.array([10, 1, 1, 1]) / 13  # the power of natural images in each band, from the lowest: 1 / f


def amplify(images: jax.Array, gains: jax.Array) -> jax.Array:
    """Images, [B, H, W, C], with each of four octaves amplified.

    After the gain of each band, all bands are scaled so that a natural image would keep its power.

    Args:
      images: [B, H, W, C], padded by their reflection.
      gains: [B, 4], positive, from the lowest octave; 1 leaves a band as it is.
    """
    each = jnp.where(np.eye(BANDS, dtype=bool)[None], gains[:, :, None], 1.0)  # the gain of one band at a time
    power = (jnp.square(each) * _POWER.astype(np.float32)[None, None]).sum(-1, keepdims=True)
    bands = (each * lax.rsqrt(power)).prod(1)
    product = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    rows, columns = (product("bf,fij->bij", bands, jnp.asarray(_filters(n))) for n in images.shape[1:3])
    return product("bwx,bhxc->bhwc", columns, product("bhy,byxc->bhxc", rows, images)).astype(images.dtype)


@functools.cache
def bank() -> np.ndarray:
    """[4, 43]: symmetric filters of four octaves, from the lowest, that add up to the identity.

    With L(z) = H(z) H(1/z) / 2 and its mirror M(z) = L(-z), L + M = 1: they are M(z), L(z) M(z^2), L(z) L(z^2) M(z^4)
    and L(z) L(z^2) L(z^4).
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
    """A filter with ``n - 1`` zeros between its taps."""
    dilated = np.zeros(n * (len(taps) - 1) + 1)
    dilated[::n] = taps
    return dilated


@functools.cache
def _filters(n: int) -> np.ndarray:
    """[4, n, n]: the bank as matrices on signals of n pixels padded by their reflection."""
    taps = bank().shape[1]
    reflected = np.pad(np.eye(n), ((taps // 2,) * 2, (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(reflected, taps, 0)  # [n, n, taps]
    return np.einsum("ijt,ft->fij", windows, bank()).astype(np.float32)


def noise(keys: jax.Array, images: jax.Array, std: jax.Array) -> jax.Array:
    """Images, [B, H, W, C], plus white noise with standard deviations ``std``, [B]; ``keys`` are [B]."""
    white = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:], images.dtype))(keys)
    return images + white * std.reshape(-1, 1, 1, 1)


def cutout(images: jax.Array, size: jax.Array, center: jax.Array) -> jax.Array:
    """Images, [B, H, W, C], with a rectangle of 0 in each, which covers the pixels whose centres are inside.

    Args:
      images: [B, H, W, C].
      size: [B], the height and width of the rectangle as a share of the image's; 0 leaves the image as it is.
      center: [B, 2], its centre, right and down, as a share of the image's width and height.
    """
    _, height, width, _ = images.shape
    across, down = (
        jnp.abs((jnp.arange(n) + 0.5)[None] / n - center[:, i, None]) < size[:, None] / 2
        for i, n in enumerate((width, height))
    )
    hole = down[:, :, None] & across[:, None, :]
    return jnp.where(hole[..., None], 0, images)
