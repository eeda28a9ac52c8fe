"""Winograd's minimal filtering F(m, r) in any number of dimensions: Lavin and Gray 2016 (arXiv:1509.09308).

In one dimension, m output pixels of a convolution with a kernel of r pixels need m + r - 1 multiplications instead of
m * r. In two dimensions, F(2 x 2, 3 x 3) needs 16 multiplications instead of 36 for 2 x 2 output pixels, and F(2 x 2,
2 x 2) needs 9 instead of 16. The image is divided into overlapping tiles of m + r - 1 pixels per side at intervals of m
pixels. The image, the kernel and the output are transformed by weighted sums. Between the transforms there is one
matrix product over channels for each position in a tile. A convolution is a trilinear form (see
``jaxgan.nn.convolution``), so its gradients use the transposes of the same transforms.

In bfloat16, the sums are computed in float32, and the factors of the products are rounded once. The relative error of a
result of F(2 x 2, 3 x 3) is 0.4 %, compared with 0.2 % for a direct bfloat16 convolution.

The positions are separate arrays, so that XLA's CPU backend computes each sum in one pass over the image. With one
array for all positions and a batched matrix product, it would need several passes.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.nn.convolution.geometry import Geometry, pad
from jaxgan.nn.convolution.products import accumulator, correlation, product

# The rational numbers at which the polynomials of the algorithm are evaluated, in addition to infinity. With more than
# three of them, the weights are large, and rounding errors grow by a factor of up to 10.
_POINTS = (0, 1, -1)

_Weights = Sequence[Sequence[float]]
_Grid = dict[tuple[int, ...], jax.Array]  # one array for each position in a tile


class Transforms(NamedTuple):
    """The weights of the three transforms, with n = m + r - 1 rows each.

    Attributes:
      image: weights of the n pixels of a tile, B^T in the paper.
      kernel: weights of the r pixels of the kernel, G in the paper.
      output: weights of the m pixels of the output, A in the paper.
    """

    image: _Weights
    kernel: _Weights
    output: _Weights


@functools.cache
def transforms(m: int, r: int) -> Transforms:
    """Return the weights of F(m, r).

    A polynomial of degree n - 1 = m + r - 2 is determined by its values at n points, one of which is infinity. The
    product of two polynomials is therefore computed with n multiplications of their values. The convolution is the
    transpose of this product with respect to one of the polynomials.

    Args:
      m: number of output pixels of a tile.
      r: number of pixels of the kernel, where m + r - 1 is at most 4.
    """
    n = m + r - 1
    points = [Fraction(x) for x in _POINTS[: n - 1]]

    def evaluate(count):
        """Return the matrix that maps ``count`` coefficients of a polynomial to its values at the n points."""
        return [[x**i for i in range(count)] for x in points] + [[Fraction(i == count - 1) for i in range(count)]]

    image, kernel = _transpose(_inverse(evaluate(n))), evaluate(r)
    for i, row in enumerate(image):  # move factors from the image to the kernel, which has fewer pixels
        scale = Fraction(math.lcm(*(x.denominator for x in row)))
        image[i], kernel[i] = [scale * x for x in row], [x / scale for x in kernel[i]]
    return Transforms(*([[float(x) for x in row] for row in rows] for rows in (image, kernel, evaluate(m))))


def suits(g: Geometry, m: int, dtype: jnp.dtype) -> bool:
    """Return whether F(m, r) can compute the maps of a geometry.

    The stride must be 1 and the kernel must have r pixels in every dimension. In float16, the sums could overflow.

    Args:
      g: the geometry.
      m: number of output pixels of a tile per dimension.
      dtype: the data type of the images and of the kernel.
    """
    sizes = (*g.kernel, *g.large, *g.small)
    is_known = all(isinstance(n, int) for n in sizes)  # an export can have symbolic sizes
    r = g.kernel[0]
    is_cube = g.stride == g.dilation == 1 and not g.blur and set(g.kernel) == {r} and 1 < r <= len(_POINTS) + 2 - m
    return is_known and is_cube and dtype in (jnp.float32, jnp.bfloat16)


def conv(g: Geometry, x: jax.Array, w: jax.Array, m: int) -> jax.Array:
    """Return the convolution by F(m, r), [B, *small, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
      m: number of output pixels of a tile per dimension.
    """
    weights, tiles = transforms(m, g.kernel[0]), _tile_counts(g, m)
    images = _transform(weights.image, _split(_pad_large(g, x, m), len(weights.image), m, tiles))
    kernels = _transform(weights.kernel, _split_kernel(w))
    pixels = _weighted_sums(_transpose(weights.output), {at: product(images[at], kernels[at]) for at in images})
    return _crop(_join(pixels, m), g.small).astype(x.dtype)


def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array, m: int) -> jax.Array:
    """Return the transposed convolution, [B, *large, C].

    It is computed by the transpose of F(m, r), which adds overlapping tiles.

    Args:
      g: the shapes of the images and the kernel.
      y: the small image, [B, *small, D].
      w: the kernel, [*kernel, C, D].
      m: number of output pixels of a tile per dimension.
    """
    weights, tiles = transforms(m, g.kernel[0]), _tile_counts(g, m)
    outputs = _transform(weights.output, _split(_pad_small(g, y, m), m, m, tiles))
    kernels = _transform(weights.kernel, _split_kernel(w))
    pixels = _weighted_sums(_transpose(weights.image), {at: product(outputs[at], kernels[at].T) for at in outputs})
    for axis in range(len(tiles)):
        pixels = _add_overlap(pixels, m, axis)
    low = tuple(low for low, _ in g.padding)
    return _crop(_join(pixels, m), g.large, low).astype(y.dtype)


def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array, m: int, swap: bool = False) -> jax.Array:
    """Return the correlation of two images by F(m, r), [*kernel, C, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
      m: number of output pixels of a tile per dimension.
      swap: whether the matrix products compute the transposes of their results; see ``products.correlation``.
    """
    weights, tiles = transforms(m, g.kernel[0]), _tile_counts(g, m)
    images = _transform(weights.image, _split(_pad_large(g, x, m), len(weights.image), m, tiles))
    outputs = _transform(weights.output, _split(_pad_small(g, y, m), m, m, tiles))
    products = {at: correlation(images[at], outputs[at], swap) for at in images}
    w = _weighted_sums(_transpose(weights.kernel), products)
    return jnp.stack([w[at] for at in sorted(w)]).reshape(*g.kernel, x.shape[-1], -1).astype(x.dtype)


def _tile_counts(g, m):
    """Return the number of tiles in each dimension."""
    return tuple(math.ceil(n / m) for n in g.small)


def _pad_large(g, x, m):
    """Return the large image with its padding, extended to complete tiles."""
    sides = zip(g.padding, g.small, _tile_counts(g, m))
    return pad(x, [(low, high + m * count - n) for (low, high), n, count in sides])


def _pad_small(g, y, m):
    """Return the small image, extended to complete tiles."""
    return pad(y, [(0, m * count - n) for n, count in zip(g.small, _tile_counts(g, m))])


def _split(x, side, m, tiles) -> _Grid:
    """Return the pixels of all tiles, as one array [B, *tiles, C] for each position in a tile of ``side`` pixels."""

    def at(position):
        ends = (i + m * (count - 1) + 1 for i, count in zip(position, tiles))
        return lax.slice(x, (0, *position, 0), (x.shape[0], *ends, x.shape[-1]), (1, *(m for _ in tiles), 1))

    return {position: at(position) for position in itertools.product(range(side), repeat=len(tiles))}


def _split_kernel(w) -> _Grid:
    return {at: w[at] for at in itertools.product(*(range(k) for k in w.shape[:-2]))}


def _join(pixels: _Grid, m: int) -> jax.Array:
    """Return the image [B, *size, C] of tiles without overlap, the inverse of ``_split`` with ``side = m``."""
    dimensions = len(next(iter(pixels)))

    def stack(at):
        """Return the image of the positions that begin with ``at``. The other axes are joined already."""
        if len(at) == dimensions:
            return pixels[at]
        axis = 1 + len(at)
        y = jnp.stack([stack((*at, i)) for i in range(m)], axis + 1)
        return y.reshape(*y.shape[:axis], -1, *y.shape[axis + 2 :])

    return stack(())


def _add_overlap(pixels: _Grid, m: int, axis: int) -> _Grid:
    """Add the last pixels of each tile, from position m on, to the first pixels of the next tile along an axis.

    There is one more tile afterwards, which contains the last pixels of the last tile.
    """
    added = {}
    for at, part in pixels.items():
        tile, i = divmod(at[axis], m)
        if tile == 0:
            added[at] = _shift(part, axis, 0)
            if (after := (*at[:axis], m + i, *at[axis + 1 :])) in pixels:
                added[at] += _shift(pixels[after], axis, 1)
    return added


def _shift(part, axis, by):
    """Append one tile of zeros along an axis, or with ``by = 1``, insert it at the beginning."""
    return pad(part, [(by, 1 - by) if i == axis else (0, 0) for i in range(part.ndim - 2)])


def _crop(x, size, low=None):
    low = low or (0,) * len(size)
    return pad(x, [(-start, start + n - m) for start, n, m in zip(low, size, x.shape[1:-1])])


def _transform(weights: _Weights, grid: _Grid) -> _Grid:
    """Return the weighted sums in all directions, computed in float32 and converted to the dtype of the grid."""
    dtype = next(iter(grid.values())).dtype
    sums = _weighted_sums(weights, {at: part.astype(accumulator(dtype)) for at, part in grid.items()})
    return {at: part.astype(dtype) for at, part in sums.items()}


def _weighted_sums(weights: _Weights, grid: _Grid) -> _Grid:
    """Return the weighted sums along all axes of a grid, one axis after the other."""
    for axis in range(len(next(iter(grid)))):
        sums = {}
        for at in (at for at in grid if at[axis] == 0):
            parts = [grid[(*at[:axis], i, *at[axis + 1 :])] for i in range(len(weights[0]))]
            for i, row in enumerate(weights):
                # Do not omit multiplications by 1 and -1. Without them a step of StyleGAN2 takes twice as long on CPUs.
                terms = [weight * part for weight, part in zip(row, parts) if weight]
                sums[(*at[:axis], i, *at[axis + 1 :])] = functools.reduce(jnp.add, terms)
        grid = sums
    return grid


def _transpose(weights):
    return [list(column) for column in zip(*weights)]


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Return the exact inverse of a square matrix, by Gauss-Jordan elimination."""
    n = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(n))] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = next(k for k in range(i, n) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(n):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i])]
    return [row[n:] for row in rows]
