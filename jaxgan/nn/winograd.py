"""Convolutions of 3 x 3 in 16 products instead of 36: Lavin and Gray 2016 (1509.09308), F(2 x 2, 3 x 3).

An image is cut into tiles of 4 x 4 pixels, each two further than the last, that give 2 x 2. Image, kernel and what
comes out are each transformed by sums; between them is a product of channels for each of the 16 places of a tile. As a
convolution is a trilinear form (see ``convolution``), its gradients are the same transforms and their transposes.

In bfloat16 the sums are float32, and what is multiplied is rounded once: a result is 0.4 % of its size off, where a
convolution of bfloat16 is 0.2 %.

The places are 16 arrays and never one: XLA's CPU backend writes each sum in one pass over the image, and an array of
all of them, to be multiplied as a batch, in several.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# The paper's B, G and A, transposed as it has them: of a row of an image, of a kernel, and of what comes out.
_IMAGE = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
_KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
_OUTPUT = ((1, 0), (1, 1), (1, -1), (0, -1))

_TURNED = (3, 1, 2, 0)  # row i of _KERNEL backwards is row _TURNED[i]

Weights = Sequence[Sequence[float]]
Grid = list[list[jax.Array]]  # of a tile's places, row by row


def down(x: jax.Array, w: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, C] and [3, 3, C, D] to [B, 2h, 2w, D]: the convolution without padding."""
    tiles, kernels = _transformed(_IMAGE, _places(x, 4)), _transformed(_KERNEL, [list(row) for row in w])
    return _image(_each(_product, tiles, kernels)).astype(x.dtype)


def up(y: jax.Array, w: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, D] and [3, 3, C, D] to [B, 2h, 2w, C]: ``down`` of the kernel turned around.

    Its transformed places are the kernel's own in another order, so that XLA computes them once for both.
    """
    tiles, kernels = _transformed(_IMAGE, _places(y, 4)), _transformed(_KERNEL, [list(row) for row in w])
    turned = [[kernels[i][j].T for j in _TURNED] for i in _TURNED]
    return _image(_each(_product, tiles, turned)).astype(y.dtype)


def kernel_gradient(x: jax.Array, y: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, C] and [B, 2h, 2w, D] to [3, 3, C, D]: their correlation."""
    products = _each(_correlation, _transformed(_IMAGE, _places(x, 4)), _transformed(_OUTPUT, _places(y, 2)))
    return jnp.stack([jnp.stack(row) for row in _both_ways(_transposed(_KERNEL), products)]).astype(x.dtype)


def _image(products: Grid) -> jax.Array:
    """Of the products at the places of each tile the pixels that come out, [B, 2h, 2w, C]."""
    pixels = _both_ways(_transposed(_OUTPUT), products)
    y = jnp.stack([jnp.stack(row, 3) for row in pixels], 2)  # [B, h, 2, w, 2, D]
    return y.reshape(y.shape[0], 2 * y.shape[1], 2 * y.shape[3], -1)


def _places(x: jax.Array, count: int) -> Grid:
    """Of tiles of so many pixels a side, the pixels at each place, [B, h, w, C]."""
    height, width = (n // 2 - count // 2 + 1 for n in x.shape[1:3])

    def at(i, j):
        end = (x.shape[0], i + 2 * height - 1, j + 2 * width - 1, x.shape[3])
        return lax.slice(x, (0, i, j, 0), end, (1, 2, 2, 1))

    return [[at(i, j) for j in range(count)] for i in range(count)]


def _transformed(weights: Weights, grid: Grid) -> Grid:
    """What is multiplied, of the grid's precision."""
    sums = _both_ways(weights, [[part.astype(jnp.float32) for part in row] for row in grid])
    return [[part.astype(grid[0][0].dtype) for part in row] for row in sums]


def _both_ways(weights: Weights, grid: Grid) -> Grid:
    """The weighted sums down the columns of a grid, then along its rows."""
    columns = [_sums(weights, column) for column in zip(*grid)]
    return [_sums(weights, row) for row in zip(*columns)]


def _sums(weights: Weights, parts: Sequence[jax.Array]) -> list[jax.Array]:
    """Of each row of weights the weighted sum of the parts."""
    # Products with 1 and -1 too: without them XLA makes a step of StyleGAN2 that takes twice as long on CPUs.
    return [functools.reduce(jnp.add, [weight * part for weight, part in zip(row, parts) if weight]) for row in weights]


def _each(f, some: Grid, others: Grid) -> Grid:
    return [[f(a, b) for a, b in zip(*rows)] for rows in zip(some, others)]


def _product(x, y):
    return jnp.matmul(x, y, preferred_element_type=jnp.float32)


def _correlation(x, y):
    """[B, h, w, C] and [B, h, w, D] to [C, D]."""
    return _product(x.reshape(-1, x.shape[-1]).T, y.reshape(-1, y.shape[-1]))


def _transposed(weights: Weights) -> Weights:
    return list(zip(*weights))
