"""Convolutions of 3 x 3 in 16 products instead of 36: Lavin and Gray 2016 (1509.09308), F(2 x 2, 3 x 3).

An image is cut into tiles of 4 x 4 pixels, each two further than the last, that give 2 x 2. Image, kernel and what
comes out are each transformed by sums; between them is a product of channels for each of the 16 places of a tile. As a
convolution is a trilinear form (see ``convolution``), its gradients are the same transforms and their transposes.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

# The paper's B, G and A, transposed as it has them: of a row of an image, of a kernel, and of what comes out.
_IMAGE = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
_KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
_OUTPUT = ((1, 0), (1, 1), (1, -1), (0, -1))


def down(x: jax.Array, w: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, C] and [3, 3, C, D] to [B, 2h, 2w, D]: the convolution without padding."""
    tiles, kernel = _of_image(x), _of_kernel(w)
    products = lax.dot_general(_flat(tiles), _flat(kernel), (((2,), (1,)), ((0,), (0,))))
    batch, height, width = tiles.shape[2:5]
    to_output = _transposed(_of_output, (batch, 2 * height, 2 * width, w.shape[-1]), x.dtype)
    return to_output(products.reshape(4, 4, batch, height, width, -1))


def kernel_gradient(x: jax.Array, y: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, C] and [B, 2h, 2w, D] to [3, 3, C, D]: their correlation."""
    products = lax.dot_general(_flat(_of_image(x)), _flat(_of_output(y)), (((1,), (1,)), ((0,), (0,))))
    to_kernel = _transposed(_of_kernel, (3, 3, x.shape[-1], y.shape[-1]), x.dtype)
    return to_kernel(products.reshape(4, 4, x.shape[-1], -1))


def _of_image(x: jax.Array) -> jax.Array:
    """[B, 2h + 2, 2w + 2, C] to [4, 4, B, h, w, C]."""
    for axis in (1, 3):  # each sum brings an axis to the front
        x = _sums(_IMAGE, _strided(x, axis, x.shape[axis] // 2 - 1, 4))
    return x


def _of_kernel(w: jax.Array) -> jax.Array:
    """[3, 3, C, D] to [4, 4, C, D]."""
    for axis in (0, 1):
        w = _sums(_KERNEL, [lax.index_in_dim(w, i, axis, keepdims=False) for i in range(3)])
    return w


def _of_output(y: jax.Array) -> jax.Array:
    """[B, 2h, 2w, D] to [4, 4, B, h, w, D]."""
    for axis in (1, 3):
        y = _sums(_OUTPUT, _strided(y, axis, y.shape[axis] // 2, 2))
    return y


def _strided(x: jax.Array, axis: int, length: int, count: int) -> list[jax.Array]:
    """Every second pixel, so many, from the first on, from the second on, and so forth."""
    return [lax.slice_in_dim(x, i, i + 2 * length - 1, 2, axis) for i in range(count)]


def _sums(weights: Sequence[Sequence[float]], parts: Sequence[jax.Array]) -> jax.Array:
    """Of each row of weights the weighted sum of the parts, one after the other in a new first axis."""
    return jnp.stack(
        [functools.reduce(jnp.add, [weight * part for weight, part in zip(row, parts) if weight]) for row in weights]
    )


def _flat(x: jax.Array) -> jax.Array:
    """[4, 4, ..., C] to [16, N, C]."""
    return x.reshape(16, -1, x.shape[-1])


def _transposed(f: Callable, shape: tuple[int, ...], dtype: jnp.dtype) -> Callable[[jax.Array], jax.Array]:
    transpose = jax.linear_transpose(f, jax.ShapeDtypeStruct(shape, dtype))
    return lambda x: transpose(x)[0]
