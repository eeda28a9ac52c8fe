"""Images as feature networks take them: as bytes, and resized in the two ways that published figures were made."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.loading import RANGE_TOLERANCE


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images, [N, height, width, C], as uint8: floats in [-1, 1] are rounded to 0 to 255, bytes stay.

    Unlike ``media.to_bytes``, which clips, this refuses values that are out of range: a metric of
    clipped images would be a wrong figure.

    Raises:
      ValueError: the shape or dtype is another, a value is outside [-1, 1] by more than 0.001, or there are no images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"Images must be [N, height, width, C], got shape {images.shape}.")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"Images must be uint8 from 0 to 255, or floats from -1 to 1, got {images.dtype}.")
    limit = 1 + RANGE_TOLERANCE
    if not (images.min() >= -limit and images.max() <= limit):  # NaN also fails this
        raise ValueError(
            f"Float images must be from -1 to 1, got {images.min():.7g} to {images.max():.7g}; divide by 127.5 and "
            "subtract 1, or give uint8."
        )
    return np.rint((images.astype(np.float32) + 1) * 127.5).astype(np.uint8)


def resize_tf1(images: jax.Array, size: int) -> jax.Array:
    """Bilinear as TensorFlow 1 had it, to [N, size, size, C]: corners at 0, no half pixel, and no antialiasing.

    The FID's own (Heusel et al. 2017), though it misses pixels of larger images; float32, unrounded.
    """
    images = jnp.asarray(images, jnp.float32)
    if images.shape[1:3] == (size, size):
        return images
    rows, columns = (jnp.asarray(_bilinear(n, size)) for n in images.shape[1:3])
    exact = jax.lax.Precision.HIGHEST
    high = jnp.einsum("oh,nhwc->nowc", rows, images, precision=exact)
    return jnp.einsum("pw,nowc->nopc", columns, high, precision=exact)


@functools.cache
def _bilinear(count: int, size: int) -> np.ndarray:
    """The matrix of a bilinear resize along one axis, [size, count]."""
    at = np.arange(size, dtype=np.float32) * np.float32(count / size)
    low = np.minimum(at.astype(int), count - 1)
    share = at - low
    matrix = np.zeros((size, count), np.float32)
    np.add.at(matrix, (np.arange(size), low), 1 - share)
    np.add.at(matrix, (np.arange(size), np.minimum(low + 1, count - 1)), share)
    return matrix


def resize_clean(images: np.ndarray, size: int) -> np.ndarray:
    """Bicubic with antialiasing, to float32 [N, size, size, C]. Parmar et al. 2022 (2104.11222).

    Pillow's, each channel by itself, cut to [0, 255] and unrounded, as clean-fid has it.
    """
    from PIL import Image

    images = np.asarray(images, np.float32)
    if images.shape[1:3] == (size, size):
        return images
    result = np.empty((len(images), size, size, images.shape[-1]), np.float32)
    for i, image in enumerate(images):
        for c in range(images.shape[-1]):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c]))
            result[i, ..., c] = np.asarray(channel.resize((size, size), Image.Resampling.BICUBIC))
    return result.clip(0, 255)
