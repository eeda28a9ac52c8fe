"""All forms of the three maps on CPUs. A form is an algorithm, possibly applied to an equal map of another geometry.

The names of the forms are composed of these words:

- ``im2col``: a matrix product with the patches under the kernel.
- ``winograd M``: Winograd's F(m, r), where tiles have M output pixels per side.
- ``native``: XLA's convolution, computed by Eigen. For the kernel gradient, im2col along the rows.
- ``swapped``: only for the kernel gradient, the matrix product computes its transpose.
- ``exchanged``: with a stride of 1, a convolution is equal to the transposed convolution with the flipped kernel. The
  form computes the other map.
- ``cells``: a convolution of stride s is equal to a convolution of stride 1 with a smaller kernel, in which each pixel
  is a cell of s x s pixels (space-to-depth).
- ``dilated``: for dilated kernels only, im2col with patches of distant pixels. No other form supports dilation.
- ``composed``: the blur filter and the kernel are composed to a larger kernel, so that the blurred image is never
  computed. In the other forms, the image is blurred first (``filter``).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.nn.convolution import geometry, im2col, native, winograd
from jaxgan.nn.convolution.geometry import Geometry, pad
from jaxgan.nn.resampling import FILTER

Map = Callable[[Geometry, jax.Array, jax.Array], jax.Array]


class Form(NamedTuple):
    """An implementation of the three maps.

    Attributes:
      conv: function ``(g, x, w) -> y``.
      conv_transpose: function ``(g, y, w) -> x``.
      kernel_gradient: function ``(g, x, y) -> w``.
      suits: function ``(g, dtype) -> bool``, whether the form can compute the maps of a geometry.
    """

    conv: Map
    conv_transpose: Map
    kernel_gradient: Map
    suits: Callable[[Geometry, jnp.dtype], bool]


def create(name: str) -> Form:
    """Return the form with a name, such as ``cells winograd 2``.

    Args:
      name: a name of ``names()``.

    Raises:
      KeyError: if there is no form of this name.
    """
    return _forms()[name]


def names(g: Geometry, dtype: jnp.dtype) -> list[str]:
    """Return the names of all forms that can compute the maps of a geometry.

    Args:
      g: the geometry.
      dtype: the data type of the images and of the kernel.
    """
    return [name for name, form in _forms().items() if form.suits(g, dtype)]


@functools.cache
def _forms() -> dict[str, Form]:
    simple = {}
    for swap, suffix in ((False, ""), (True, " swapped")):
        simple[f"im2col{suffix}"] = _im2col(swap)
        simple |= {f"winograd {m}{suffix}": _winograd(m, swap) for m in (2, 3)}
    simple["native"] = _NATIVE
    without_blur = {
        **simple,
        **{f"exchanged {name}": _exchanged(form) for name, form in simple.items()},
        **{f"cells {name}": _in_cells(form) for name, form in simple.items()},
    }
    return {
        **without_blur,
        **{f"filter {name}": _filter_first(form) for name, form in without_blur.items()},
        **{f"composed {name}": _composed(form) for name, form in without_blur.items()},
        "dilated": _DILATED,
    }


def _im2col(swap):
    gradient = functools.partial(im2col.kernel_gradient, swap=swap)
    return Form(im2col.conv, im2col.conv_transpose, gradient, lambda g, dtype: not g.blur and g.dilation == 1)


def _winograd(m, swap):
    return Form(
        functools.partial(winograd.conv, m=m),
        functools.partial(winograd.conv_transpose, m=m),
        functools.partial(winograd.kernel_gradient, m=m, swap=swap),
        lambda g, dtype: winograd.suits(g, m, dtype),
    )


def _conv_transpose_by_eigen(g, y, w):
    return native.conv_by_eigen(geometry.exchanged(g), y, _flip(w))


def _suits_native(g, dtype):
    is_plain = g.stride == g.dilation == 1 and not g.blur
    return is_plain and len(g.kernel) == 2 and max(g.kernel) > 1 and dtype == jnp.float32


_NATIVE = Form(native.conv_by_eigen, _conv_transpose_by_eigen, im2col.kernel_gradient_by_rows, _suits_native)


def _conv_transpose_dilated(g, y, w):
    """Return the transposed convolution: with a stride of 1 the exchanged one by im2col, and else XLA's."""
    if g.stride == 1:
        return im2col.conv(geometry.exchanged(g), y, _flip(w))
    return native.conv_transpose(g, y, w)


_DILATED = Form(im2col.conv, _conv_transpose_dilated, im2col.kernel_gradient, lambda g, dtype: g.dilation > 1)


def _exchanged(form):
    """Return the form that exchanges the small and the large image."""
    return Form(
        lambda g, x, w: form.conv_transpose(geometry.exchanged(g), x, _flip(w)),
        lambda g, y, w: form.conv(geometry.exchanged(g), y, _flip(w)),
        lambda g, x, y: _flip(form.kernel_gradient(geometry.exchanged(g), y, x)),
        lambda g, dtype: g.stride == 1 and not g.blur and form.suits(geometry.exchanged(g), dtype),
    )


def _flip(w):
    """Flip a kernel along its spatial axes, and exchange its channel axes, from [*widths, C, D] to [*widths, D, C]."""
    return jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)


def _in_cells(form):
    """Return the form that arranges cells of stride x stride pixels as channels."""

    def to_cells(g, x):
        return _space_to_depth(pad(x, geometry.cell_padding(g)), g.stride)

    def from_cells(g, x):
        widths = [(-low, -high) for low, high in geometry.cell_padding(g)]
        return pad(_depth_to_space(x, g.stride), widths)

    def kernel_to_cells(g, w):
        w = pad(w, [(0, -k % g.stride) for k in g.kernel], first=0)
        return _space_to_depth(w[None], g.stride, trailing=1)[0]

    def kernel_from_cells(g, w):
        w = _depth_to_space(w[None], g.stride, trailing=1)[0]
        return pad(w, [(0, -(-k % g.stride)) for k in g.kernel], first=0)

    return Form(
        lambda g, x, w: form.conv(geometry.cells(g), to_cells(g, x), kernel_to_cells(g, w)),
        lambda g, y, w: from_cells(g, form.conv_transpose(geometry.cells(g), y, kernel_to_cells(g, w))),
        lambda g, x, y: kernel_from_cells(g, form.kernel_gradient(geometry.cells(g), to_cells(g, x), y)),
        lambda g, dtype: g.stride > 1 and g.dilation == 1 and not g.blur and form.suits(geometry.cells(g), dtype),
    )


def _space_to_depth(x, side, trailing=0):
    """Arrange cells of pixels as channels, from [B, *(side * n), C, ...] to [B, *n, side ** dimensions * C, ...].

    Args:
      x: an array with one leading axis, the spatial axes, the channel axis, and ``trailing`` further axes.
      side: number of pixels of a cell in each dimension.
      trailing: number of axes after the channel axis.
    """
    n = x.ndim - 2 - trailing
    x = x.reshape(x.shape[0], *(size for m in x.shape[1 : 1 + n] for size in (m // side, side)), *x.shape[1 + n :])
    outer, inner = range(1, 1 + 2 * n, 2), range(2, 2 + 2 * n, 2)
    x = x.transpose(0, *outer, *inner, *range(1 + 2 * n, x.ndim))
    return x.reshape(*x.shape[: 1 + n], -1, *x.shape[2 + 2 * n :])


def _depth_to_space(x, side, trailing=0):
    """Apply the inverse of ``_space_to_depth``."""
    n = x.ndim - 2 - trailing
    sizes = x.shape[1 : 1 + n]
    x = x.reshape(x.shape[0], *sizes, *(side for _ in sizes), -1, *x.shape[2 + n :])
    order = [axis for i in range(n) for axis in (1 + i, 1 + n + i)]
    x = x.transpose(0, *order, *range(1 + 2 * n, x.ndim))
    return x.reshape(x.shape[0], *(side * m for m in sizes), *x.shape[1 + 2 * n :])


def _filter_first(form):
    """Return the form that blurs the large image first, or with ``conv_transpose`` last."""
    return Form(
        lambda g, x, w: form.conv(geometry.after_blur(g), geometry.blur_large(g, x), w),
        lambda g, y, w: geometry.blur_large(g, form.conv_transpose(geometry.after_blur(g), y, w), transpose=True),
        lambda g, x, y: form.kernel_gradient(geometry.after_blur(g), geometry.blur_large(g, x), y),
        lambda g, dtype: g.blur and form.suits(geometry.after_blur(g), dtype),
    )


def _composed(form):
    """Return the form that composes the kernel with the filter."""

    def kernel_gradient(g, x, y):
        w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
        return jax.linear_transpose(_compose, w)(form.kernel_gradient(geometry.composed(g), x, y))[0]

    return Form(
        lambda g, x, w: form.conv(geometry.composed(g), x, _compose(w)),
        lambda g, y, w: form.conv_transpose(geometry.composed(g), y, _compose(w)),
        kernel_gradient,
        lambda g, dtype: g.blur and form.suits(geometry.composed(g), dtype),
    )


def _compose(w):
    """Return the composition of the filter and a square kernel, from [k, k, C, D] to [k + 3, k + 3, C, D]."""
    k = w.shape[0]
    rows = np.zeros(
        (k + len(FILTER) - 1, k)
    )  # rows[i, j] is the weight of kernel row j in row i of the composed kernel
    for j in range(k):
        rows[j : j + len(FILTER), j] = FILTER
    weights = jnp.asarray(np.kron(rows, rows), w.dtype)
    composed = jnp.dot(weights, w.reshape(k * k, -1), precision=lax.Precision.HIGHEST)
    return composed.reshape(len(rows), len(rows), *w.shape[2:])
