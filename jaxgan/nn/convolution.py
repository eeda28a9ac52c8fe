"""Convolution and its transpose, fast on CPUs to every order of reverse-mode derivative (no ``jax.jvp``).

With x a large image, y a small one and w a kernel, three maps

    conv(x, w) -> y              the strided convolution
    conv_transpose(y, w) -> x    its transpose
    kernel_gradient(x, y) -> w

belong to one trilinear form, <conv(x, w), y> = <x, conv_transpose(y, w)> = <w, kernel_gradient(x, y)>.
So the derivatives of each are the other two, and R1 or a gradient penalty, which differentiate twice, use no other
operation. XLA's own derivatives of a convolution do, in forms that its CPU backend runs 10 to 100 times slower.

On accelerators each map is XLA's native convolution. On the CPU it has one of these forms:

- im2col: a matrix product with the patches under the kernel. ``conv_transpose`` adds overlapping patches in blocks of
  stride x stride pixels, so there are (k / stride)^n overlaps and not k^n. With a stride of 1 a convolution is also the
  transposed convolution of the other image with the flipped kernel: the patches are taken from the image that has half
  the channels of the other, or fewer.
- Winograd's F(2 x 2, 3 x 3), see ``winograd``: for 3 x 3 kernels with many channels or pixels.
- XLA's native convolution: for large images with few channels. ``kernel_gradient`` then is a matrix product with
  im2col along the rows alone, if one image has very few channels.
- space-to-depth: a map of stride 2 of a large blurred image. The filter and the 3 x 3 kernel are composed to a 6 x 6
  kernel, which is a 3 x 3 kernel after space-to-depth by 2, and the blurred image is never computed.

``python -m experiments.benchmarks.convolution`` times the forms, ``experiments.benchmarks.maps`` those of 3 x 3.

All of it holds for any number n of spatial dimensions; images are [B, *space, channels], kernels
[*widths, channels of x, channels of y].
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.nn import winograd
from jaxgan.nn.resampling import FILTER, blur

_WINOGRAD_MIN_CHANNELS = 16  # with fewer channels the patches of im2col are narrow, and im2col is faster
# Channels times pixels a side from which Winograd is faster by half or more, which is worth its longer compilation.
_WINOGRAD_MIN_SIZE = 512
_LARGE_IMAGE = 32 * 32  # pixels of the small image from which moving patches costs more than 1.8 times the products
_NATIVE_CHANNELS = (8, 32)  # from and to: channels of both images for which XLA's own is fastest on a _LARGE_IMAGE
_ROW_IM2COL_MAX_CHANNELS = (
    16  # of one image: up to which row im2col is faster than Winograd, if both suit the native form
)
_EIGEN_MAX_CHANNELS = 16  # of both images: up to which YNNPACK leaves XLA's own convolution to Eigen
_UNKNOWN_SIDE = 16  # pixels a side, assumed where an export does not know them
_NARROW_CHANNELS = 32  # with fewer channels, patches are gathered faster along one axis after the other


class Geometry(NamedTuple):
    """The shapes of the three maps: ``stride * (small - 1) + kernel == large + low + high`` in each dimension.

    With ``blur`` the large image is blurred first, which takes 3 pixels: ``== large + low + high - 3``.
    """

    stride: int
    kernel: tuple[int, ...]
    large: tuple[int, ...]
    small: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    blur: bool = False


def same(size: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> Geometry:
    """The geometry of TensorFlow's "SAME" padding: ``large = size``, ``small = ceil(size / stride)``."""
    small = tuple(-(-n // stride) for n in size)
    excess = [stride * (m - 1) + k - n for n, m, k in zip(size, small, kernel)]
    # A negative excess crops pixels that no patch reaches; all of it goes to the high side.
    padding = tuple((max(e, 0) // 2, e - max(e, 0) // 2) for e in excess)
    return Geometry(stride, tuple(kernel), tuple(size), small, padding)


def padded(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int) -> Geometry:
    """The geometry of PyTorch's ``padding``, on each side: ``small = (large + 2 * padding - kernel) // stride + 1``.

    Raises:
      ValueError: the kernel is larger than the padded image.
    """
    small = tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel))
    if any(n < 1 for n in small):  # not min(): the order of symbolic sizes may not be known in an export
        raise ValueError(f"an image of {size} with {padding} on each side is smaller than a kernel of {kernel}")
    # As in ``same``, the high side crops the pixels that no patch reaches.
    sides = tuple((padding, stride * (m - 1) + k - n - padding) for n, m, k in zip(size, small, kernel))
    return Geometry(stride, tuple(kernel), tuple(size), small, sides)


def blurred(size: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """The geometry of StyleGAN2's convolutions of stride 2, which blur the image first; see ``resampling.blur``.

    ``conv`` is then the official ``conv2d_resample`` with ``down=2``. ``conv_transpose`` is a transposed convolution of
    stride 2 whose output is blurred, as with ``up=2``.

    Args:
      size: of the large image, two even numbers.
      kernel: its two sides, odd and equal.

    Raises:
      ValueError: the kernel is not square, or its sides are even.
    """
    if len(set(kernel)) > 1 or kernel[0] % 2 == 0:
        raise ValueError(f"blurred: the kernel must be square with odd sides, got {tuple(kernel)}.")
    small = tuple(n // 2 for n in size)
    return Geometry(2, tuple(kernel), tuple(size), small, tuple((k // 2 + 1, k // 2 + 1) for k in kernel), blur=True)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def conv(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """The convolution of stride ``g.stride``: [B, *large, C] and [*kernel, C, D] to [B, *small, D]."""
    return lax.platform_dependent(x, w, cpu=functools.partial(_conv_cpu, g), default=functools.partial(_conv_native, g))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """The transposed convolution: [B, *small, D] and [*kernel, C, D] to [B, *large, C]."""
    return lax.platform_dependent(
        y, w, cpu=functools.partial(_conv_transpose_cpu, g), default=functools.partial(_conv_transpose_native, g)
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """The correlation of images: [B, *large, C] and [B, *small, D] to [*kernel, C, D]."""
    return lax.platform_dependent(
        x, y, cpu=functools.partial(_kernel_gradient_cpu, g), default=functools.partial(_kernel_gradient_native, g)
    )


def _save_inputs(f):
    """The forward rule of a map: its value, and its inputs for the backward rule."""

    def forward(g, a, b):
        return f(g, a, b), (a, b)

    return forward


def _conv_backward(g, inputs, y):
    x, w = inputs
    return conv_transpose(g, y, w), kernel_gradient(g, x, y)


def _conv_transpose_backward(g, inputs, x):
    y, w = inputs
    return conv(g, x, w), kernel_gradient(g, x, y)


def _kernel_gradient_backward(g, inputs, w):
    x, y = inputs
    return conv_transpose(g, y, w), conv(g, x, w)


conv.defvjp(_save_inputs(conv), _conv_backward)
conv_transpose.defvjp(_save_inputs(conv_transpose), _conv_transpose_backward)
kernel_gradient.defvjp(_save_inputs(kernel_gradient), _kernel_gradient_backward)


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
    blocks = tuple(math.ceil(k / s) for k in g.kernel)  # the width of a patch in blocks of s pixels
    patches = y.reshape(-1, y.shape[-1]) @ w.reshape(-1, w.shape[-1]).T
    patches = patches.reshape(*y.shape[:-1], *w.shape[:-1])

    def place_block(at):
        """The block ``at`` of every patch, [B, *small, *(s,) * n, C], shifted to its position in the image.

        A block at the end of the kernel is padded to s pixels.
        """
        part = patches[(..., *(slice(i * s, (i + 1) * s) for i in at), slice(None))]
        part = _pad(part, [(0, max(0, (i + 1) * s - k)) for i, k in zip(at, g.kernel)], first=1 + n)
        return _pad(part, [(i, c - 1 - i) for i, c in zip(at, blocks)])

    placed = [place_block(at) for at in itertools.product(*map(range, blocks))]
    image = functools.reduce(jnp.add, placed)  # blocks of neighbouring patches overlap
    order = [0, *(axis for i in range(n) for axis in (1 + i, 1 + n + i)), 1 + 2 * n]
    size = [s * (m + c - 1) for m, c in zip(g.small, blocks)]
    image = image.transpose(order).reshape(y.shape[0], *size, -1)
    return _pad(image, [(-low, n + low - m) for (low, _), n, m in zip(g.padding, g.large, size)])


def _conv_native_eigen(g, x, w):
    """XLA's own convolution, run by Eigen. YNNPACK is slower; it leaves alone a convolution that enlarges a side.

    So where YNNPACK would take the convolution, the image is padded with rows, and the extra output rows are cropped.
    """
    rows = max(0, g.large[0] - g.small[0] + 1) if max(w.shape[-2:]) > _EIGEN_MAX_CHANNELS else 0
    (low, high), sides = g.padding

    @jax.custom_batching.sequential_vmap  # vmap would make it a grouped convolution, which takes up to twice as long
    def native(x, w):
        return _conv_native(g._replace(padding=((low, high + rows), sides)), x, w)

    return native(x, w)[:, : g.small[0]]


def _kernel_gradient_row_im2col(g, x, y):
    """The correlation by im2col along the rows of the large image; the small image is shifted along the columns."""
    x, (rows, columns) = _pad(x, g.padding), g.kernel
    large = jnp.concatenate([x[:, i : i + g.small[0]] for i in range(rows)], -1)
    small = jnp.concatenate([_pad(y, [(0, 0), (j, columns - 1 - j)]) for j in range(columns)], -1)
    w = large.reshape(-1, large.shape[-1]).T @ small.reshape(-1, small.shape[-1])
    return w.reshape(rows, x.shape[-1], columns, -1).swapaxes(1, 2)


def _suits_native(g, channels, small_channels, dtype):
    """Whether the images have so few channels and so many pixels that im2col would mostly move patches."""
    is_large = g.stride == 1 and len(g.kernel) == 2 and max(g.kernel) > 1 and _small_image_pixels(g) >= _LARGE_IMAGE
    least, most = _NATIVE_CHANNELS
    return is_large and dtype == jnp.float32 and all(least <= n <= most for n in (channels, small_channels))


def _suits_winograd(g, channels, small_channels, dtype):
    """Whether products and patches cost so much that fewer of them are worth the sums, which overflow in float16."""
    is_even = g.stride == 1 and g.kernel == (3, 3) and all(n % 2 == 0 for n in g.small)
    fewest = min(channels, small_channels)
    is_large = fewest >= _WINOGRAD_MIN_CHANNELS and fewest * math.sqrt(_small_image_pixels(g)) >= _WINOGRAD_MIN_SIZE
    return is_even and is_large and dtype in (jnp.float32, jnp.bfloat16)


def _small_image_pixels(g):
    return math.prod(n if isinstance(n, int) else _UNKNOWN_SIDE for n in g.small)


def _suits_space_to_depth(g, channels, small_channels, dtype):
    """Whether the images are so large that computing the blurred image costs more than the products."""
    if g.kernel != (3, 3) or _small_image_pixels(g) < _LARGE_IMAGE:
        return False
    inner = _space_to_depth_geometry(g)
    suits_native = _suits_native(inner, 4 * channels, small_channels, dtype)
    return suits_native or _suits_winograd(inner, channels, small_channels, dtype)


def _after_blur(g):
    """The geometry of the same map of a large image that is blurred already."""
    large = tuple(n + low + high - (len(FILTER) - 1) for n, (low, high) in zip(g.large, g.padding))
    return Geometry(g.stride, g.kernel, large, g.small, ((0, 0),) * len(large))


def _blur_large(g, x, transpose=False):
    """The blurred large image, as the kernel sees it; ``transpose`` is the adjoint, a filter with the same weights."""
    return blur(x, len(FILTER) - 1 - g.padding[0][0] if transpose else g.padding[0][0])


def _space_to_depth_geometry(g):
    """The geometry of the same map after space-to-depth by 2, by which the composed 6 x 6 kernel is a 3 x 3 one."""
    return same(g.small, g.kernel, 1)


def _space_to_depth(x):
    """[B, 2h, 2w, C] to [B, h, w, 4 * C]: each block of 2 x 2 pixels becomes one pixel."""
    b, h, w, channels = x.shape
    x = x.reshape(b, h // 2, 2, w // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // 2, w // 2, 4 * channels)


def _depth_to_space(x):
    """[B, h, w, 4 * C] to [B, 2h, 2w, C]: the inverse of ``_space_to_depth``."""
    b, h, w, channels = x.shape
    return x.reshape(b, h, w, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, channels // 4)


def _compose_with_filter(w):
    """[3, 3, C, D] to [3, 3, 4 * C, D]: the filter and the kernel composed to 6 x 6, after space-to-depth."""
    rows = np.zeros((3, 2, 3))  # the weight of each kernel row in row 2 * i + r of the composed kernel
    for k in range(3):
        rows.reshape(6, 3)[k : k + len(FILTER), k] = FILTER
    weights = np.einsum("irk,jsl->ijrskl", rows, rows).reshape(-1, 9)
    six = jnp.dot(jnp.asarray(weights, w.dtype), w.reshape(9, -1), precision=lax.Precision.HIGHEST)
    return six.reshape(3, 3, 4 * w.shape[2], w.shape[3])


def _suits_transposed(g, channels, small_channels):
    """Whether patches are taken from the small image, because it has half the channels of the large one or fewer.

    With a stride of 1 both images are of about one size, so the patches are smaller: under a kernel of 7 x 7 they have
    147 numbers a pixel for 3 channels, and 3136 for 64. At equal channels R3GAN's step would be slower.
    """
    return g.stride == 1 and channels >= 2 * small_channels


def _transposed_geometry(g):
    """The geometry of the same map of stride 1 with the small image in the role of the large one, and vice versa."""
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(g.kernel, g.padding))
    return Geometry(1, g.kernel, g.small, g.large, padding)


def _flip_kernel(w):
    """[*widths, C, D] to [*widths, D, C], flipped in space: the kernel for ``_transposed_geometry``."""
    return jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)


def _im2col(g, x):
    """[B, *large, C] to [B, *small, prod(kernel) * C]: the patch under the kernel at each position."""
    x = _pad(x, g.padding)
    axes = range(len(g.small))
    # The axes are gathered one after the other, the last first, where views have few channels and are slow to copy one
    # by one; and in 3D, where XLA takes ten seconds to compile the concatenation of 64 views, for each convolution.
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
    """Pad the spatial axes, which begin at ``first``; negative widths crop them."""
    after = x.ndim - first - len(widths)
    config = [(0, 0, 0)] * first + [(low, high, 0) for low, high in widths] + [(0, 0, 0)] * after
    return lax.pad(x, jnp.zeros((), x.dtype), config)
