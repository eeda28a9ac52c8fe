"""Convolution and transposed convolution that are fast on CPUs, including reverse-mode derivatives of any order.

A convolution of stride s maps a large image x to a small image y, which has about 1 / s of its height and width. This
module defines three maps between x, y and the kernel w::

    conv(x, w) -> y              the strided convolution
    conv_transpose(y, w) -> x    the transposed convolution
    kernel_gradient(x, y) -> w   the gradient with respect to the kernel

They belong to one trilinear form: <conv(x, w), y> = <x, conv_transpose(y, w)> = <w, kernel_gradient(x, y)>. Therefore
the derivatives of each map are the other two maps. R1 and gradient penalties, which differentiate twice, need no other
operation. The derivatives that XLA defines for its convolution need other operations, which run 10 to 100 times slower
on its CPU backend. Forward-mode differentiation (``jax.jvp``) is not supported.

On accelerators, each map is XLA's native convolution. On CPUs, each map is computed with one of these algorithms:

- im2col: a matrix product with the patches under the kernel. ``conv_transpose`` adds the overlapping patches in blocks
  of stride x stride pixels, so in n dimensions and with kernels of k pixels there are (k / stride)^n additions instead
  of k^n. With a stride of 1, a convolution is equal to the transposed convolution with the flipped kernel. In this
  case, the patches are taken from the small image if it has at most half the channels of the large image.
- Winograd's F(2 x 2, 3 x 3), see ``winograd``: for 3 x 3 kernels with many channels or pixels.
- XLA's native convolution: for large images with few channels. There is one exception: if one of the two images has
  very few channels, ``kernel_gradient`` is a matrix product with im2col along the rows only.
- Space-to-depth: for maps with a stride of 2 and a large image that is blurred first. The blur filter and the 3 x 3
  kernel are composed to a 6 x 6 kernel, which becomes a 3 x 3 kernel after space-to-depth by 2. The blurred image is
  never computed.

``python -m experiments.benchmarks.convolution`` measures the time of a training step with some of these algorithms, and
``python -m experiments.benchmarks.maps`` measures the time of each algorithm for 3 x 3 kernels.

The number n of spatial dimensions is arbitrary. Images are [B, *space, channels], and kernels are [*widths, channels of
x, channels of y].
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.core import precision
from jaxgan.nn import winograd
from jaxgan.nn.resampling import FILTER, blur

# The following limits were measured with the benchmarks above.
_WINOGRAD_MIN_CHANNELS = 16  # minimum number of channels of both images for Winograd; im2col is faster below it
# Winograd is used if the number of channels times the square root of the number of pixels is at least this. Winograd is
# then at least 50 % faster than im2col, which justifies its longer compilation.
_WINOGRAD_MIN_SIZE = 512
# If the small image has at least this number of pixels, copying the patches for im2col takes more than 1.8 times as
# long as the matrix product.
_LARGE_IMAGE = 32 * 32
_NATIVE_CHANNELS = (8, 32)  # minimum and maximum number of channels of both images for XLA's convolution
# For the gradient with respect to the kernel, im2col along the rows is faster than Winograd if two conditions hold: the
# large and the small image both have 8 to 32 channels (_NATIVE_CHANNELS), and one of these images has at most
# _ROW_IM2COL_MAX_CHANNELS channels.
_ROW_IM2COL_MAX_CHANNELS = 16
_EIGEN_MAX_CHANNELS = 16  # if both images have at most this number of channels, XLA uses Eigen, not YNNPACK
_UNKNOWN_SIDE = 16  # side of an image in pixels, assumed where an export has symbolic sizes
_NARROW_CHANNELS = 32  # number of channels below which gathering patches along one axis after the other is faster


class Geometry(NamedTuple):
    """Shapes of the images and the kernel of the three maps.

    In each dimension, ``stride * (small - 1) + kernel == large + low + high``, where low and high are the padding. If
    the large image is blurred first, the filter removes 3 pixels in each dimension, so the right side of the equation
    is ``large + low + high - 3``.

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
    """

    stride: int
    kernel: tuple[int, ...]
    large: tuple[int, ...]
    small: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    blur: bool = False
    precision: str | None = None


def same(size: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> Geometry:
    """Return the geometry of a convolution with TensorFlow's "SAME" padding, where ``small = ceil(size / stride)``.

    Args:
      size: size of the large image in each dimension, in pixels.
      kernel: size of the kernel in each dimension, in pixels.
      stride: stride in every dimension.
    """
    small = tuple(-(-n // stride) for n in size)
    excess = [stride * (m - 1) + k - n for n, m, k in zip(size, small, kernel)]
    # A negative excess crops pixels that no patch contains. They are cropped only at the high side.
    padding = tuple((max(e, 0) // 2, e - max(e, 0) // 2) for e in excess)
    return Geometry(stride, tuple(kernel), tuple(size), small, padding)


def padded(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int) -> Geometry:
    """Return the geometry of a convolution with PyTorch's argument ``padding``.

    The size of the small image is ``(large + 2 * padding - kernel) // stride + 1`` in each dimension.

    Args:
      size: size of the large image in each dimension.
      kernel: size of the kernel in each dimension.
      stride: stride in every dimension.
      padding: number of zeros on each side of the large image.

    Raises:
      ValueError: if the kernel is larger than the padded image.
    """
    small = tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel))
    if any(n < 1 for n in small):  # not min(), because JAX may not know the order of symbolic sizes in an export
        raise ValueError(
            f"The image must be at least as large as the kernel, got an image of {size} with a padding of {padding} on "
            f"each side and a kernel of {kernel}."
        )
    # As in ``same``, the high side crops the pixels that no patch contains.
    sides = tuple((padding, stride * (m - 1) + k - n - padding) for n, m, k in zip(size, small, kernel))
    return Geometry(stride, tuple(kernel), tuple(size), small, sides)


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


def conv(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Return the convolution of stride ``g.stride``, from [B, *large, C] and [*kernel, C, D] to [B, *small, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
    """
    return _conv(g._replace(precision=precision.current()), x, w)


def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """Return the transposed convolution, from [B, *small, D] and [*kernel, C, D] to [B, *large, C].

    Args:
      g: the shapes of the images and the kernel.
      y: the small image, [B, *small, D].
      w: the kernel, [*kernel, C, D].
    """
    return _conv_transpose(g._replace(precision=precision.current()), y, w)


def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the correlation of two images, from [B, *large, C] and [B, *small, D] to [*kernel, C, D].

    It is the gradient of <conv(x, w), y> with respect to the kernel w.

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
    """
    return _kernel_gradient(g._replace(precision=precision.current()), x, y)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv(g, x, w):
    cpu, native = (functools.partial(form, g) for form in (_conv_cpu, _conv_native))
    return precision.by_platform(g.precision, cpu, native, x, w)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv_transpose(g, y, w):
    cpu, native = (functools.partial(form, g) for form in (_conv_transpose_cpu, _conv_transpose_native))
    return precision.by_platform(g.precision, cpu, native, y, w)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(g, x, y):
    cpu, native = (functools.partial(form, g) for form in (_kernel_gradient_cpu, _kernel_gradient_native))
    return precision.by_platform(g.precision, cpu, native, x, y)


def _save_inputs(f):
    """Return the forward rule of a map for ``jax.custom_vjp``. It saves the inputs for the backward rule."""

    def forward(g, a, b):
        return f(g, a, b), (a, b)

    return forward


def _conv_backward(g, inputs, y):
    x, w = inputs
    return _conv_transpose(g, y, w), _kernel_gradient(g, x, y)


def _conv_transpose_backward(g, inputs, x):
    y, w = inputs
    return _conv(g, x, w), _kernel_gradient(g, x, y)


def _kernel_gradient_backward(g, inputs, w):
    x, y = inputs
    return _conv_transpose(g, y, w), _conv(g, x, w)


_conv.defvjp(_save_inputs(_conv), _conv_backward)
_conv_transpose.defvjp(_save_inputs(_conv_transpose), _conv_transpose_backward)
_kernel_gradient.defvjp(_save_inputs(_kernel_gradient), _kernel_gradient_backward)


def _conv_native(g, x, w):
    if g.blur:
        return _conv_native(_after_blur(g), _blur_large(g, x), w)
    space = "".join(chr(ord("0") + i) for i in range(len(g.large)))
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(x, w, (g.stride,) * len(space), g.padding, dimension_numbers=numbers)


def _conv_transpose_native(g, y, w):
    if g.blur:
        return _blur_large(g, _conv_transpose_native(_after_blur(g), y, w), transpose=True)
    x = jax.ShapeDtypeStruct((y.shape[0], *g.large, w.shape[-2]), y.dtype)
    return jax.linear_transpose(lambda x: _conv_native(g, x, w), x)(y)[0]


def _kernel_gradient_native(g, x, y):
    if g.blur:
        return _kernel_gradient_native(_after_blur(g), _blur_large(g, x), y)
    w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    return jax.linear_transpose(lambda w: _conv_native(g, x, w), w)(y)[0]


def _conv_cpu(g, x, w):
    if g.blur:
        if _suits_space_to_depth(g, x.shape[-1], w.shape[-1], x.dtype):
            return _conv_cpu(_space_to_depth_geometry(g), _space_to_depth(x), _compose_with_filter(w))
        return _conv_cpu(_after_blur(g), _blur_large(g, x), w)
    if _suits_native(g, x.shape[-1], w.shape[-1], x.dtype):
        return _conv_native_eigen(g, x, w)
    if _suits_winograd(g, x.shape[-1], w.shape[-1], x.dtype):
        return winograd.conv(_pad(x, g.padding), w)
    if _suits_transposed(g, *w.shape[-2:]):
        return _conv_transpose_cpu(_transposed_geometry(g), x, _flip_kernel(w))
    patches = _im2col(g, x)
    y = patches.reshape(-1, patches.shape[-1]) @ w.reshape(-1, w.shape[-1])
    return y.reshape(*patches.shape[:-1], -1)


def _kernel_gradient_cpu(g, x, y):
    if g.blur:
        if _suits_space_to_depth(g, x.shape[-1], y.shape[-1], x.dtype):
            w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
            return jax.linear_transpose(_compose_with_filter, w)(
                _kernel_gradient_cpu(_space_to_depth_geometry(g), _space_to_depth(x), y)
            )[0]
        return _kernel_gradient_cpu(_after_blur(g), _blur_large(g, x), y)
    if (
        _suits_native(g, x.shape[-1], y.shape[-1], x.dtype)
        and min(x.shape[-1], y.shape[-1]) <= _ROW_IM2COL_MAX_CHANNELS
    ):
        return _kernel_gradient_row_im2col(g, x, y)
    if _suits_winograd(g, x.shape[-1], y.shape[-1], x.dtype):
        return winograd.kernel_gradient(_pad(x, g.padding), y)
    if _suits_transposed(g, x.shape[-1], y.shape[-1]):
        return _flip_kernel(_kernel_gradient_cpu(_transposed_geometry(g), y, x))
    patches = _im2col(g, x)
    w = patches.reshape(-1, patches.shape[-1]).T @ y.reshape(-1, y.shape[-1])
    return w.reshape(*g.kernel, x.shape[-1], -1)


def _conv_transpose_cpu(g, y, w):
    if g.blur:
        if _suits_space_to_depth(g, w.shape[-2], w.shape[-1], y.dtype):
            return _depth_to_space(_conv_transpose_cpu(_space_to_depth_geometry(g), y, _compose_with_filter(w)))
        return _blur_large(g, _conv_transpose_cpu(_after_blur(g), y, w), transpose=True)
    if g.stride == 1 and _suits_native(_transposed_geometry(g), w.shape[-1], w.shape[-2], y.dtype):
        return _conv_native_eigen(_transposed_geometry(g), y, _flip_kernel(w))
    if g.stride == 1 and _suits_winograd(_transposed_geometry(g), w.shape[-1], w.shape[-2], y.dtype):
        return winograd.conv_transpose(_pad(y, _transposed_geometry(g).padding), w)
    if _suits_transposed(g, *w.shape[-2:]):
        return _conv_cpu(_transposed_geometry(g), y, _flip_kernel(w))
    n, s = len(g.small), g.stride
    blocks = tuple(math.ceil(k / s) for k in g.kernel)  # size of a patch in each dimension, in blocks of s pixels
    patches = y.reshape(-1, y.shape[-1]) @ w.reshape(-1, w.shape[-1]).T
    patches = patches.reshape(*y.shape[:-1], *w.shape[:-1])

    def place_block(at):
        """Return the block with the index ``at`` of every patch, shifted to its position in the image.

        Before the shift, the blocks are [B, *small, *(s,) * n, C]. A block at the end of the kernel is padded to s
        pixels.
        """
        part = patches[(..., *(slice(i * s, (i + 1) * s) for i in at), slice(None))]
        part = _pad(part, [(0, max(0, (i + 1) * s - k)) for i, k in zip(at, g.kernel)], first=1 + n)
        return _pad(part, [(i, c - 1 - i) for i, c in zip(at, blocks)])

    placed = [place_block(at) for at in itertools.product(*map(range, blocks))]
    image = functools.reduce(jnp.add, placed)  # adds the blocks of neighbouring patches, which overlap
    order = [0, *(axis for i in range(n) for axis in (1 + i, 1 + n + i)), 1 + 2 * n]
    size = [s * (m + c - 1) for m, c in zip(g.small, blocks)]
    image = image.transpose(order).reshape(y.shape[0], *size, -1)
    return _pad(image, [(-low, n + low - m) for (low, _), n, m in zip(g.padding, g.large, size)])


def _conv_native_eigen(g, x, w):
    """Return XLA's convolution, computed by Eigen.

    XLA would compute large convolutions with YNNPACK, which is slower. It does not use YNNPACK if the output has more
    rows than the input. Therefore the image is padded with additional rows, and the additional output rows are cropped.
    """
    rows = max(0, g.large[0] - g.small[0] + 1) if max(w.shape[-2:]) > _EIGEN_MAX_CHANNELS else 0
    (low, high), sides = g.padding

    # vmap would convert the convolution to a grouped convolution, which takes up to twice as long.
    @jax.custom_batching.sequential_vmap
    def native(x, w):
        return _conv_native(g._replace(padding=((low, high + rows), sides)), x, w)

    return native(x, w)[:, : g.small[0]]


def _kernel_gradient_row_im2col(g, x, y):
    """Return the correlation of two images, by im2col along the rows of the large image.

    For the columns of the kernel, shifted copies of the small image are used instead of patches.
    """
    x, (rows, columns) = _pad(x, g.padding), g.kernel
    large = jnp.concatenate([x[:, i : i + g.small[0]] for i in range(rows)], -1)
    small = jnp.concatenate([_pad(y, [(0, 0), (j, columns - 1 - j)]) for j in range(columns)], -1)
    w = large.reshape(-1, large.shape[-1]).T @ small.reshape(-1, small.shape[-1])
    return w.reshape(rows, x.shape[-1], columns, -1).swapaxes(1, 2)


def _suits_native(g, channels, small_channels, dtype):
    """Return whether XLA's convolution is the fastest, because im2col would spend most of its time on copying."""
    is_large = g.stride == 1 and len(g.kernel) == 2 and max(g.kernel) > 1 and _small_image_pixels(g) >= _LARGE_IMAGE
    least, most = _NATIVE_CHANNELS
    return is_large and dtype == jnp.float32 and all(least <= n <= most for n in (channels, small_channels))


def _suits_winograd(g, channels, small_channels, dtype):
    """Return whether Winograd's convolution is faster than im2col.

    Winograd's convolution needs fewer multiplications and copies, but additional sums. It is not used with float16,
    because the sums could overflow.
    """
    is_even = g.stride == 1 and g.kernel == (3, 3) and all(n % 2 == 0 for n in g.small)
    fewest = min(channels, small_channels)
    is_large = fewest >= _WINOGRAD_MIN_CHANNELS and fewest * math.sqrt(_small_image_pixels(g)) >= _WINOGRAD_MIN_SIZE
    return is_even and is_large and dtype in (jnp.float32, jnp.bfloat16)


def _small_image_pixels(g):
    return math.prod(n if isinstance(n, int) else _UNKNOWN_SIDE for n in g.small)


def _suits_space_to_depth(g, channels, small_channels, dtype):
    """Return whether space-to-depth is faster, because blurring would take longer than the multiplications."""
    if g.kernel != (3, 3) or _small_image_pixels(g) < _LARGE_IMAGE:
        return False
    inner = _space_to_depth_geometry(g)
    suits_native = _suits_native(inner, 4 * channels, small_channels, dtype)
    return suits_native or _suits_winograd(inner, channels, small_channels, dtype)


def _after_blur(g):
    """Return the geometry of the same map, applied to a large image that is already blurred."""
    large = tuple(n + low + high - (len(FILTER) - 1) for n, (low, high) in zip(g.large, g.padding))
    return Geometry(g.stride, g.kernel, large, g.small, ((0, 0),) * len(large))


def _blur_large(g, x, transpose=False):
    """Return the large image after padding and blurring.

    With ``transpose``, return the result of the adjoint map. The filter is symmetric, so only the padding differs.
    """
    return blur(x, len(FILTER) - 1 - g.padding[0][0] if transpose else g.padding[0][0])


def _space_to_depth_geometry(g):
    """Return the geometry of the same map after space-to-depth by 2, where the composed kernel has 3 x 3 pixels."""
    return same(g.small, g.kernel, 1)


def _space_to_depth(x):
    """Rearrange each block of 2 x 2 pixels into one pixel, from [B, 2h, 2w, C] to [B, h, w, 4 * C]."""
    b, h, w, channels = x.shape
    x = x.reshape(b, h // 2, 2, w // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // 2, w // 2, 4 * channels)


def _depth_to_space(x):
    """Apply the inverse of ``_space_to_depth``, from [B, h, w, 4 * C] to [B, 2h, 2w, C]."""
    b, h, w, channels = x.shape
    return x.reshape(b, h, w, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, channels // 4)


def _compose_with_filter(w):
    """Return the 6 x 6 composition of the filter and a kernel, after space-to-depth by 2.

    It maps a kernel [3, 3, C, D] to a kernel [3, 3, 4 * C, D].
    """
    rows = np.zeros((3, 2, 3))  # rows[i, r, k] is the weight of kernel row k in row 2 * i + r of the composed kernel
    for k in range(3):
        rows.reshape(6, 3)[k : k + len(FILTER), k] = FILTER
    weights = np.einsum("irk,jsl->ijrskl", rows, rows).reshape(-1, 9)
    six = jnp.dot(jnp.asarray(weights, w.dtype), w.reshape(9, -1), precision=lax.Precision.HIGHEST)
    return six.reshape(3, 3, 4 * w.shape[2], w.shape[3])


def _suits_transposed(g, channels, small_channels):
    """Return whether im2col takes its patches from the small image, because they need less memory.

    With a stride of 1, both images have about the same size, so patches of the image with fewer channels need less
    memory. For example, with a 7 x 7 kernel, a patch has 147 numbers for 3 channels and 3136 numbers for 64 channels.
    The small image must have at most half the channels of the large image. If patches of the small image were also
    taken for equal numbers of channels, a step of R3GAN would be slower.
    """
    return g.stride == 1 and channels >= 2 * small_channels


def _transposed_geometry(g):
    """Return the geometry of the same map of stride 1 after exchanging the small and the large image."""
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(g.kernel, g.padding))
    return Geometry(1, g.kernel, g.small, g.large, padding)


def _flip_kernel(w):
    """Return the kernel for ``_transposed_geometry``, [*widths, D, C].

    The kernel [*widths, C, D] is flipped along its spatial axes, and its channel axes are swapped.
    """
    return jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)


def _im2col(g, x):
    """Return the patch under the kernel at each position, from [B, *large, C] to [B, *small, prod(kernel) * C]."""
    x = _pad(x, g.padding)
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
                index[1 + axis] = slice(o, o + g.stride * (g.small[axis] - 1) + 1, g.stride)
            views.append(x[tuple(index)])
        x = jnp.concatenate(views, axis=-1)
    return x


def _pad(x, widths, first=1):
    """Pad the spatial axes, which start at axis ``first``. Negative widths crop them."""
    after = x.ndim - first - len(widths)
    config = [(0, 0, 0)] * first + [(low, high, 0) for low, high in widths] + [(0, 0, 0)] * after
    return lax.pad(x, jnp.zeros((), x.dtype), config)
