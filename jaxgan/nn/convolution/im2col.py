"""The three maps as matrix products with the patches under the kernel (im2col).

``conv_transpose`` adds the overlapping patches in blocks of stride x stride pixels, so in n dimensions and with kernels
of k pixels there are (k / stride)^n additions instead of k^n.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp

from jaxgan.nn.convolution.geometry import Geometry, pad
from jaxgan.nn.convolution.products import correlation, product

_NARROW_CHANNELS = 32  # number of channels below which gathering patches along one axis after the other is faster


def conv(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Return the convolution, the product of the patches with the kernel, [B, *small, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
    """
    return product(_patches(g, x), w.reshape(-1, w.shape[-1])).astype(x.dtype)


def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """Return the transposed convolution, [B, *large, C].

    It is the sum of overlapping patches, which are the products of the pixels with the kernel.

    Args:
      g: the shapes of the images and the kernel, without dilation.
      y: the small image, [B, *small, D].
      w: the kernel, [*kernel, C, D].
    """
    n, s = len(g.small), g.stride
    blocks = tuple(math.ceil(k / s) for k in g.kernel)  # size of a patch in each dimension, in blocks of s pixels
    patches = product(y, w.reshape(-1, w.shape[-1]).T).astype(y.dtype)
    patches = patches.reshape(*y.shape[:-1], *w.shape[:-1])

    def place_block(at):
        """Return the block with the index ``at`` of every patch, shifted to its position in the image.

        Before the shift, the blocks are [B, *small, *(s,) * n, C]. A block at the end of the kernel is padded to s
        pixels.
        """
        part = patches[(..., *(slice(i * s, (i + 1) * s) for i in at), slice(None))]
        part = pad(part, [(0, max(0, (i + 1) * s - k)) for i, k in zip(at, g.kernel)], first=1 + n)
        return pad(part, [(i, c - 1 - i) for i, c in zip(at, blocks)])

    placed = [place_block(at) for at in itertools.product(*map(range, blocks))]
    image = functools.reduce(jnp.add, placed)  # adds the blocks of neighbouring patches, which overlap
    order = [0, *(axis for i in range(n) for axis in (1 + i, 1 + n + i)), 1 + 2 * n]
    size = [s * (m + c - 1) for m, c in zip(g.small, blocks)]
    image = image.transpose(order).reshape(y.shape[0], *size, -1)
    return pad(image, [(-low, n + low - m) for (low, _), n, m in zip(g.padding, g.large, size)])


def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array, swap: bool = False) -> jax.Array:
    """Return the correlation of the patches with the small image, [*kernel, C, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
      swap: whether the matrix products compute the transposes of their results; see ``products.correlation``.
    """
    w = correlation(_patches(g, x), y, swap)
    return w.reshape(*g.kernel, x.shape[-1], -1).astype(x.dtype)


def kernel_gradient_by_rows(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the correlation of two images by im2col along the rows only, [*kernel, C, D].

    For the columns of the kernel, shifted copies of the small image are used instead of patches. With few channels,
    this needs fewer copies. The images must have two dimensions, and the stride must be 1.

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
    """
    x, (rows, columns) = pad(x, g.padding), g.kernel
    large = jnp.concatenate([x[:, i : i + g.small[0]] for i in range(rows)], -1)
    small = jnp.concatenate([pad(y, [(0, 0), (j, columns - 1 - j)]) for j in range(columns)], -1)
    w = correlation(large, small, swap=False).astype(x.dtype)
    return w.reshape(rows, x.shape[-1], columns, -1).swapaxes(1, 2)


def _patches(g, x):
    """Return the patch under the kernel at each position, from [B, *large, C] to [B, *small, prod(kernel) * C]."""
    x = pad(x, g.padding)
    axes = range(len(g.small))
    # In two cases, gather the patches along one axis after the other, the last axis first. The first case is an image
    # with few channels, because copying every shifted view of the image separately is slow. The second case is 3D,
    # because XLA needs ten seconds to compile the concatenation of 64 views for each convolution.
    one_by_one = len(axes) > 2 or x.shape[-1] < _NARROW_CHANNELS
    for group in [[axis] for axis in reversed(axes)] if one_by_one else [axes]:
        views = []
        for offsets in itertools.product(*(range(g.kernel[axis]) for axis in group)):
            index = [slice(None)] * (1 + len(axes))
            for axis, o in zip(group, offsets):
                first = o * g.dilation
                index[1 + axis] = slice(first, first + g.stride * (g.small[axis] - 1) + 1, g.stride)
            views.append(x[tuple(index)])
        x = jnp.concatenate(views, axis=-1)
    return x
