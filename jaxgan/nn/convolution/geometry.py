"""The shapes of a convolution: ``Geometry``, and functions that create one geometry from another."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.nn.resampling import FILTER, blur


class Geometry(NamedTuple):
    """Shapes of the images and the kernel of the three maps.

    In each dimension, ``stride * (small - 1) + dilation * (kernel - 1) + 1 == large + low + high``, where low and high
    are the padding. If the large image is blurred first, the filter removes 3 pixels in each dimension, so the right
    side of the equation is ``large + low + high - 3``.

    Attributes:
      stride: stride in every dimension.
      kernel: size of the kernel in each dimension.
      large: size of the large image in each dimension.
      small: size of the small image in each dimension.
      padding: two numbers for each dimension, the numbers of zeros at the low and at the high side of the large image.
        A negative number crops the image.
      blur: whether the large image is blurred before the convolution, see ``resampling.blur``.
      precision: precision of the products on accelerators, see ``jaxgan.core.precision``. The maps set it, so that
        their derivatives have the precision of the maps.
      dilation: distance of neighbouring elements of the kernel in pixels, in every dimension.
    """

    stride: int
    kernel: tuple[int, ...]
    large: tuple[int, ...]
    small: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    blur: bool = False
    precision: str | None = None
    dilation: int = 1


def same(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, dilation: int = 1) -> Geometry:
    """Return the geometry of a convolution with TensorFlow's "SAME" padding, where ``small = ceil(size / stride)``.

    Args:
      size: size of the large image in each dimension, in pixels.
      kernel: size of the kernel in each dimension, in pixels.
      stride: stride in every dimension.
      dilation: distance of neighbouring elements of the kernel in pixels.
    """
    small = tuple(-(-n // stride) for n in size)
    excess = [stride * (m - 1) + k - n for n, m, k in zip(size, small, extent(kernel, dilation))]
    # A negative excess crops pixels that no patch contains. They are cropped only at the high side.
    padding = tuple((max(e, 0) // 2, e - max(e, 0) // 2) for e in excess)
    return Geometry(stride, tuple(kernel), tuple(size), small, padding, dilation=dilation)


def causal(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, dilation: int = 1) -> Geometry:
    """Return the geometry of a causal convolution, where ``small = ceil(size / stride)``.

    All zeros are at the low side, so the last element of the kernel is over the pixel ``stride * i`` for the small
    image's pixel i, which therefore depends on no later pixel of the large image.

    Args:
      size: size of the large image in each dimension, in pixels.
      kernel: size of the kernel in each dimension, in pixels.
      stride: stride in every dimension.
      dilation: distance of neighbouring elements of the kernel in pixels.
    """
    small = tuple(-(-n // stride) for n in size)
    low = [k - 1 for k in extent(kernel, dilation)]
    # As in ``same``, the high side crops the pixels that no patch contains.
    padding = tuple((k, stride * (m - 1) + 1 - n) for n, m, k in zip(size, small, low))
    return Geometry(stride, tuple(kernel), tuple(size), small, padding, dilation=dilation)


def extent(kernel: tuple[int, ...], dilation: int) -> tuple[int, ...]:
    """Return the size of a dilated kernel in each dimension, in pixels.

    >>> extent((3, 2), 4)
    (9, 5)

    Args:
      kernel: number of elements of the kernel in each dimension.
      dilation: distance of neighbouring elements of the kernel in pixels.
    """
    return tuple(dilation * (k - 1) + 1 for k in kernel)


def padded(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int, dilation: int = 1) -> Geometry:
    """Return the geometry of a convolution with PyTorch's argument ``padding``.

    The size of the small image is ``(large + 2 * padding - extent) // stride + 1`` in each dimension, where the extent
    of the kernel is ``dilation * (kernel - 1) + 1``.

    Args:
      size: size of the large image in each dimension.
      kernel: size of the kernel in each dimension.
      stride: stride in every dimension.
      padding: number of zeros on each side of the large image.
      dilation: distance of neighbouring elements of the kernel in pixels.

    Raises:
      ValueError: if the kernel is larger than the padded image.
    """
    sizes = extent(kernel, dilation)
    small = tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(size, sizes))
    if any(n < 1 for n in small):  # not min(), because JAX may not know the order of symbolic sizes in an export
        raise ValueError(
            f"The image must be at least as large as the kernel, got an image of {size} with a padding of {padding} on "
            f"each side and a kernel of {sizes}."
        )
    # As in ``same``, the high side crops the pixels that no patch contains.
    sides = tuple((padding, stride * (m - 1) + k - n - padding) for n, m, k in zip(size, small, sizes))
    return Geometry(stride, tuple(kernel), tuple(size), small, sides, dilation=dilation)


def blurred(size: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """Return the geometry of StyleGAN2's convolutions of stride 2, which blur the image first; see ``resampling.blur``.

    With this geometry, ``conv`` is the official ``conv2d_resample`` with ``down=2``. ``conv_transpose`` is the official
    function with ``up=2``: a transposed convolution of stride 2 followed by a blur.

    Args:
      size: height and width of the large image, two even numbers.
      kernel: height and width of the kernel, odd and equal.

    Raises:
      ValueError: if the kernel is not square, or its sides are even.
    """
    if len(set(kernel)) > 1 or kernel[0] % 2 == 0:
        raise ValueError(f"`kernel` must be square with odd sides, got {tuple(kernel)}.")
    small = tuple(n // 2 for n in size)
    return Geometry(2, tuple(kernel), tuple(size), small, tuple((k // 2 + 1, k // 2 + 1) for k in kernel), blur=True)


def after_blur(g: Geometry) -> Geometry:
    """Return the geometry of the same map, applied to a large image that is already padded and blurred.

    Args:
      g: a geometry with ``blur``.
    """
    large = tuple(n + low + high - (len(FILTER) - 1) for n, (low, high) in zip(g.large, g.padding))
    return Geometry(g.stride, g.kernel, large, g.small, ((0, 0),) * len(large))


def exchanged(g: Geometry) -> Geometry:
    """Return the geometry of stride 1 after exchanging the small and the large image and flipping the kernel.

    Args:
      g: a geometry of stride 1 without ``blur``.
    """
    sizes = extent(g.kernel, g.dilation)
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(sizes, g.padding))
    return Geometry(1, g.kernel, g.small, g.large, padding, dilation=g.dilation)


def composed(g: Geometry) -> Geometry:
    """Return the geometry of the same map without blur, where the kernel is composed with the filter.

    Args:
      g: a geometry with ``blur``.
    """
    return g._replace(kernel=tuple(k + len(FILTER) - 1 for k in g.kernel), blur=False)


def cells(g: Geometry) -> Geometry:
    """Return the geometry of stride 1 of the same map, in which a pixel is a cell of stride x stride pixels.

    The padding of the large image to complete cells is not part of this geometry, because it is applied before the
    pixels are arranged in cells.

    Args:
      g: a geometry without ``blur``.
    """
    kernel = tuple(math.ceil(k / g.stride) for k in g.kernel)
    large = tuple(n + k - 1 for n, k in zip(g.small, kernel))
    return Geometry(1, kernel, large, g.small, ((0, 0),) * len(kernel))


def cell_padding(g: Geometry) -> list[tuple[int, int]]:
    """Return the padding of the large image before its pixels are arranged in cells.

    Args:
      g: a geometry without ``blur``.
    """
    return [(low, high + -k % g.stride) for k, (low, high) in zip(g.kernel, g.padding)]


def pad(x: jax.Array, widths, first: int = 1) -> jax.Array:
    """Return an array [..., *space, ...] after padding its spatial axes with zeros. Negative widths crop them.

    Args:
      x: an array [..., *space, ...].
      widths: two numbers for each spatial axis, the widths at its low and at its high side.
      first: index of the first spatial axis.
    """
    after = x.ndim - first - len(widths)
    config = [(0, 0, 0)] * first + [(low, high, 0) for low, high in widths] + [(0, 0, 0)] * after
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def blur_large(g: Geometry, x: jax.Array, transpose: bool = False) -> jax.Array:
    """Return the large image after padding and blurring.

    Args:
      g: a geometry with ``blur``.
      x: the large image, [B, *large, C]; with ``transpose``, the blurred image.
      transpose: whether to apply the adjoint map. The filter is symmetric, so only the padding differs.
    """
    low = g.padding[0][0]
    return blur(x, len(FILTER) - 1 - low if transpose else low)
