"""Prepare images for feature networks: convert them to uint8, and resize them with the methods of published metrics."""

import functools
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.array_checks import RANGE_TOLERANCE


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Convert images, [N, height, width, C], to uint8.

    Floats in [-1, 1] are rounded to integers from 0 to 255, and uint8 images are returned unchanged. Values out of
    range raise an error, because a metric of clipped images would be wrong. ``drawing.to_bytes`` clips them instead.

    Args:
      images: images, [N, height, width, C], uint8 or floating-point numbers in [-1, 1].

    Raises:
      ValueError: if the images have another shape or data type, if a value is outside of [-1, 1] by more than 0.001, or
        if there are no images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"Images must be a non-empty array [N, height, width, C], got the shape {images.shape}.")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"Images must be uint8 from 0 to 255, or floats from -1 to 1, got {images.dtype}.")
    limit = 1 + RANGE_TOLERANCE
    if not (images.min() >= -limit and images.max() <= limit):  # also true for NaN
        raise ValueError(
            f"Float images must be from -1 to 1, got {images.min():.7g} to {images.max():.7g}. If they are from 0 to "
            "255, divide them by 127.5 and subtract 1, or pass uint8 images."
        )
    return np.rint((images.astype(np.float32) + 1) * 127.5).astype(np.uint8)


def resize_tf1(images: jax.Array, size: int) -> jax.Array:
    """Resize images to [N, size, size, C], float32, with the bilinear interpolation of TensorFlow 1.

    The original FID uses this method (Heusel et al. 2017). Output pixel i is interpolated at the input position
    i * (input size / ``size``), without an offset of half a pixel. There is no antialiasing, so some pixels of images
    that are larger than ``size`` are ignored. The result is not rounded.

    Args:
      images: images, [N, H, W, C], of any numeric type.
      size: the height and width of the result in pixels.
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
    """Return the matrix that resizes one axis from ``count`` to ``size`` pixels, [size, count]."""
    low, share = _positions(count, size)
    matrix = np.zeros((size, count), np.float32)
    np.add.at(matrix, (np.arange(size), low), 1 - share)
    np.add.at(matrix, (np.arange(size), np.minimum(low + 1, count - 1)), share)
    return matrix


def resize_clean(images: np.ndarray, size: int) -> np.ndarray:
    """Resize images to [N, size, size, C], float32, as clean-fid does: Parmar et al. 2022 (arXiv:2104.11222).

    Pillow resizes each channel separately, with bicubic interpolation and antialiasing. Rectangles are not cropped, so
    their aspect ratio changes. The result is clipped to [0, 255] and not rounded.

    Args:
      images: images, [N, H, W, C], in [0, 255].
      size: the height and width of the result in pixels.
    """
    from PIL import Image

    images = np.asarray(images)
    if images.shape[1:3] == (size, size):
        return images.astype(np.float32)
    result = np.empty((len(images), size, size, images.shape[-1]), np.float32)
    for i, image in enumerate(images):
        for c in range(images.shape[-1]):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c], np.float32))
            result[i, ..., c] = np.asarray(channel.resize((size, size), Image.Resampling.BICUBIC))
    return result.clip(0, 255)


def resize_tf1_on_host(images: np.ndarray, size: int) -> np.ndarray:
    """Resize images as ``resize_tf1`` does, without compiling a program for each size of the images.

    Args:
      images: images, [N, H, W, C], of any numeric type.
      size: the height and width of the result in pixels.
    """
    images = np.asarray(images)
    for axis in (1, 2):
        count = images.shape[axis]
        low, share = _positions(count, size)
        share = np.expand_dims(share, tuple(n for n in range(4) if n != axis))
        near, far = (images.take(x, axis).astype(np.float32) for x in (low, np.minimum(low + 1, count - 1)))
        images = (1 - share) * near + share * far
    return images


def resize_each(images: Iterable[np.ndarray], resize: Callable[[np.ndarray, int], np.ndarray], size: int) -> np.ndarray:
    """Resize images of any sizes to [N, size, size, C], float32, one after the other.

    Args:
      images: images [height, width, C], uint8 or floats in [-1, 1], which are rounded to uint8 first.
      resize: function of images [1, height, width, C] and ``size``, such as ``resize_clean``.
      size: the height and width of the result in pixels.
    """
    return np.concatenate([resize(as_bytes(image[None]), size) for image in images])


def _positions(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel before the input position of each of ``size`` output pixels, and the fraction beyond it."""
    at = np.arange(size, dtype=np.float32) * np.float32(count / size)
    low = np.minimum(at.astype(int), count - 1)
    return low, at - low
