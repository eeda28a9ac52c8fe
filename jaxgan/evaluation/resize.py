"""Images to the size that a feature network takes, in the two ways that published figures were made."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


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
    """[size, count]: which pixels of a line each new one is made of."""
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
