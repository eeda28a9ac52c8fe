"""Convolution and its transpose, fast on CPUs to every order of reverse-mode derivative (no ``jax.jvp``).

With x a large image, y a small one and w a kernel, three maps

    down(x, w) -> y              the strided convolution
    up(y, w) -> x                its transpose
    kernel_gradient(x, y) -> w

are the three faces of one trilinear form, <down(x, w), y> = <x, up(y, w)> = <w, kernel_gradient(x, y)>.
So the derivatives of each are the other two, and R1 or a gradient penalty, which differentiate twice,
never leave the three. XLA's own derivatives of a convolution do, for forms that its CPU backend runs
10 to 100 times slower.

On accelerators each is XLA's native convolution. On the CPU it is a matrix product with the patches
under the kernel.
``up`` adds overlapping patches in cells of stride x stride pixels: (k / stride)^n overlaps, not k^n.
With a stride of 1, each is also another of the kernel turned around: where one image has half the other's channels or
less, the patches are of that one. Of many channels or pixels under 3 x 3, the three are ``winograd``'s. Of few channels
of a large image ``down`` and ``up`` are XLA's own after all, and ``kernel_gradient`` is a product of strips where an
image has very few. Maps of stride 2 of a smoothed image are one of these, if it is large: filter and kernel are one of
6 x 6, which in cells of 2 x 2 is one of 3 x 3, and no smoothed image is ever made.
``python -m experiments.benchmarks.convolution`` times the forms, ``experiments.benchmarks.maps`` those of 3 x 3.

Everything holds for any number n of spatial dimensions; images are [B, *space, channels], kernels
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
from jaxgan.nn.resampling import FILTER, smoothed

LEAST = 16  # channels for 16 products, of fewer of which the patches are narrow
WINOGRAD = 512  # channels times pixels a side from which it is faster by half or more, and worth its longer compilation
LARGE = 32 * 32  # pixels of a small image from which what is moved costs more than 1.8 times as many products
FEW = (8, 32)  # channels of both images, from and to, of which XLA's own convolution is the fastest, if they are LARGE
STRIPS = 16  # channels of one image up to which strips are faster than 16 products, if both are FEW
TAKEN = 16  # channels of both images up to which YNNPACK leaves XLA's own convolution to Eigen
UNKNOWN = 16  # pixels a side, where an export does not know them

NARROW = 32  # channels below which patches are faster gathered by one axis after the other


class Geometry(NamedTuple):
    """What fixes the three maps: ``stride * (small - 1) + kernel == large + low + high`` in each dimension.

    With ``smooth``, the large image is smoothed first, which takes 3 pixels: ``== large + low + high - 3``.
    """

    stride: int
    kernel: tuple[int, ...]
    large: tuple[int, ...]
    small: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    smooth: bool = False


def same(size: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> Geometry:
    """The geometry of TensorFlow's "SAME" padding: ``large = size``, ``small = ceil(size / stride)``."""
    small = tuple(-(-n // stride) for n in size)
    excess = [stride * (m - 1) + k - n for n, m, k in zip(size, small, kernel)]
    # A negative excess crops what no patch reaches: it goes to the high side whole.
    padding = tuple((max(e, 0) // 2, e - max(e, 0) // 2) for e in excess)
    return Geometry(stride, tuple(kernel), tuple(size), small, padding)


def padded(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int) -> Geometry:
    """The geometry of PyTorch's ``padding``, on each side: ``small = (large + 2 * padding - kernel) // stride + 1``.

    Raises:
      ValueError: the kernel is larger than the padded image.
    """
    small = tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel))
    if any(n < 1 for n in small):  # an export may not know which of them is the least
        raise ValueError(f"an image of {size} with {padding} on each side is smaller than a kernel of {kernel}")
    # As in ``same``, the high side crops what no patch reaches.
    sides = tuple((padding, stride * (m - 1) + k - n - padding) for n, m, k in zip(size, small, kernel))
    return Geometry(stride, tuple(kernel), tuple(size), small, sides)


def halved(size: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """The geometry of StyleGAN2's convolutions of stride 2: of a smoothed image, see ``resampling.smoothed``.

    ``up`` is then a transposed convolution, smoothed.

    Args:
      size: of the large image, two even numbers.
      kernel: its two sides, odd and equal.

    Raises:
      ValueError: the kernel is not square, or even.
    """
    if len(set(kernel)) > 1 or kernel[0] % 2 == 0:
        raise ValueError(f"halved: a kernel of {tuple(kernel)}; want an odd square")
    small = tuple(n // 2 for n in size)
    return Geometry(2, tuple(kernel), tuple(size), small, tuple((k // 2 + 1, k // 2 + 1) for k in kernel), smooth=True)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def down(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """The convolution of stride ``g.stride``: [B, *large, C] and [*kernel, C, D] to [B, *small, D]."""
    return lax.platform_dependent(
        x, w, cpu=functools.partial(_down_patches, g), default=functools.partial(_down_native, g)
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def up(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """The transposed convolution: [B, *small, D] and [*kernel, C, D] to [B, *large, C]."""
    return lax.platform_dependent(y, w, cpu=functools.partial(_up_patches, g), default=functools.partial(_up_native, g))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """The correlation of images: [B, *large, C] and [B, *small, D] to [*kernel, C, D]."""
    return lax.platform_dependent(
        x, y, cpu=functools.partial(_kernel_patches, g), default=functools.partial(_kernel_native, g)
    )


def _forward(f):
    return lambda g, a, b: (f(g, a, b), (a, b))


down.defvjp(_forward(down), lambda g, xw, y: (up(g, y, xw[1]), kernel_gradient(g, xw[0], y)))
up.defvjp(_forward(up), lambda g, yw, x: (down(g, x, yw[1]), kernel_gradient(g, x, yw[0])))
kernel_gradient.defvjp(_forward(kernel_gradient), lambda g, xy, w: (up(g, xy[1], w), down(g, xy[0], w)))


def _down_native(g, x, w):
    if g.smooth:
        return _down_native(_of_smoothed(g), _smoothed(g, x), w)
    space = "".join(chr(ord("0") + i) for i in range(len(g.large)))
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(x, w, (g.stride,) * len(space), g.padding, dimension_numbers=numbers)


def _up_native(g, y, w):
    if g.smooth:
        return _smoothed(g, _up_native(_of_smoothed(g), y, w), back=True)
    x = jax.ShapeDtypeStruct((y.shape[0], *g.large, w.shape[-2]), y.dtype)
    return jax.linear_transpose(lambda x: _down_native(g, x, w), x)(y)[0]


def _kernel_native(g, x, y):
    if g.smooth:
        return _kernel_native(_of_smoothed(g), _smoothed(g, x), y)
    w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    return jax.linear_transpose(lambda w: _down_native(g, x, w), w)(y)[0]


def _down_patches(g, x, w):
    if g.smooth:
        if _suits_cells(g, x.shape[-1], w.shape[-1], x.dtype):
            return _down_patches(_of_cells(g), _cells(x), _composed(w))
        return _down_patches(_of_smoothed(g), _smoothed(g, x), w)
    if _are_few(g, x.shape[-1], w.shape[-1], x.dtype):
        return _down_few(g, x, w)
    if _suits_winograd(g, x.shape[-1], w.shape[-1], x.dtype):
        return winograd.down(_pad(x, g.padding), w)
    if _is_turned(g, *w.shape[-2:]):
        return _up_patches(_turned(g), x, _turned_kernel(w))
    patches = _patches(g, x)
    y = patches.reshape(-1, patches.shape[-1]) @ w.reshape(-1, w.shape[-1])
    return y.reshape(*patches.shape[:-1], -1)


def _kernel_patches(g, x, y):
    if g.smooth:
        if _suits_cells(g, x.shape[-1], y.shape[-1], x.dtype):
            w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
            return jax.linear_transpose(_composed, w)(_kernel_patches(_of_cells(g), _cells(x), y))[0]
        return _kernel_patches(_of_smoothed(g), _smoothed(g, x), y)
    if _are_few(g, x.shape[-1], y.shape[-1], x.dtype) and min(x.shape[-1], y.shape[-1]) <= STRIPS:
        return _kernel_strips(g, x, y)
    if _suits_winograd(g, x.shape[-1], y.shape[-1], x.dtype):
        return winograd.kernel_gradient(_pad(x, g.padding), y)
    if _is_turned(g, x.shape[-1], y.shape[-1]):
        return _turned_kernel(_kernel_patches(_turned(g), y, x))
    patches = _patches(g, x)
    w = patches.reshape(-1, patches.shape[-1]).T @ y.reshape(-1, y.shape[-1])
    return w.reshape(*g.kernel, x.shape[-1], -1)


def _up_patches(g, y, w):
    if g.smooth:
        if _suits_cells(g, w.shape[-2], w.shape[-1], y.dtype):
            return _pixels(_up_patches(_of_cells(g), y, _composed(w)))
        return _smoothed(g, _up_patches(_of_smoothed(g), y, w), back=True)
    if g.stride == 1 and _are_few(_turned(g), w.shape[-1], w.shape[-2], y.dtype):
        return _down_few(_turned(g), y, _turned_kernel(w))
    if g.stride == 1 and _suits_winograd(_turned(g), w.shape[-1], w.shape[-2], y.dtype):
        return winograd.up(_pad(y, _turned(g).padding), w)
    if _is_turned(g, *w.shape[-2:]):
        return _down_patches(_turned(g), y, _turned_kernel(w))
    n, s = len(g.small), g.stride
    cells = tuple(math.ceil(k / s) for k in g.kernel)  # a patch's width in cells of s pixels
    patches = y.reshape(-1, y.shape[-1]) @ w.reshape(-1, w.shape[-1]).T
    patches = patches.reshape(*y.shape[:-1], *w.shape[:-1])

    def cell(at):
        """One of each patch, [B, *small, *(s,) * n, C], filled up where the kernel ends within it, at its place."""
        part = patches[(..., *(slice(i * s, (i + 1) * s) for i in at), slice(None))]
        part = _pad(part, [(0, max(0, (i + 1) * s - k)) for i, k in zip(at, g.kernel)], first=1 + n)
        return _pad(part, [(i, c - 1 - i) for i, c in zip(at, cells)])

    placed = [cell(at) for at in itertools.product(*map(range, cells))]
    image = functools.reduce(jnp.add, placed)  # cells at one place overlap
    order = [0, *(axis for i in range(n) for axis in (1 + i, 1 + n + i)), 1 + 2 * n]
    size = [s * (m + c - 1) for m, c in zip(g.small, cells)]
    image = image.transpose(order).reshape(y.shape[0], *size, -1)
    return _pad(image, [(-low, n + low - m) for (low, _), n, m in zip(g.padding, g.large, size)])


def _down_few(g, x, w):
    """XLA's own, with rows that are then left out: unless a side grows YNNPACK takes it, which is slower."""
    rows = max(0, g.large[0] - g.small[0] + 1) if max(w.shape[-2:]) > TAKEN else 0
    (low, high), sides = g.padding

    @jax.custom_batching.sequential_vmap  # mapped over, it would be one of groups, which takes up to twice as long
    def native(x, w):
        return _down_native(g._replace(padding=((low, high + rows), sides)), x, w)

    return native(x, w)[:, : g.small[0]]


def _kernel_strips(g, x, y):
    """One product, of what the large image has under the kernel's rows with the small one at each of its columns."""
    x, (rows, columns) = _pad(x, g.padding), g.kernel
    large = jnp.concatenate([x[:, i : i + g.small[0]] for i in range(rows)], -1)
    small = jnp.concatenate([_pad(y, [(0, 0), (j, columns - 1 - j)]) for j in range(columns)], -1)
    w = large.reshape(-1, large.shape[-1]).T @ small.reshape(-1, small.shape[-1])
    return w.reshape(rows, x.shape[-1], columns, -1).swapaxes(1, 2)


def _are_few(g, channels, small_channels, dtype):
    """Whether channels are so few, of so many pixels, that moving patches is more of the work than products."""
    is_large = g.stride == 1 and len(g.kernel) == 2 and max(g.kernel) > 1 and _pixels_of_small(g) >= LARGE
    return is_large and dtype == jnp.float32 and all(FEW[0] <= n <= FEW[1] for n in (channels, small_channels))


def _suits_winograd(g, channels, small_channels, dtype):
    """Whether products and patches are so much of the work that fewer are worth more sums, too large for float16."""
    is_even = g.stride == 1 and g.kernel == (3, 3) and all(n % 2 == 0 for n in g.small)
    fewest = min(channels, small_channels)
    is_large = fewest >= LEAST and fewest * math.sqrt(_pixels_of_small(g)) >= WINOGRAD
    return is_even and is_large and dtype in (jnp.float32, jnp.bfloat16)


def _pixels_of_small(g):
    return math.prod(n if isinstance(n, int) else UNKNOWN for n in g.small)


def _suits_cells(g, channels, small_channels, dtype):
    """Whether images are so large that what is smoothed costs more than its products."""
    if g.kernel != (3, 3) or _pixels_of_small(g) < LARGE:
        return False
    cells = _of_cells(g)
    suits_few = _are_few(cells, 4 * channels, small_channels, dtype)
    return suits_few or _suits_winograd(cells, channels, small_channels, dtype)


def _of_smoothed(g):
    """The geometry of the same map with the large image smoothed already."""
    large = tuple(n + low + high - (len(FILTER) - 1) for n, (low, high) in zip(g.large, g.padding))
    return Geometry(g.stride, g.kernel, large, g.small, ((0, 0),) * len(large))


def _smoothed(g, x, back=False):
    """The large image as the kernel sees it; or ``back``, the transpose, which is a filter of the same weights."""
    return smoothed(x, len(FILTER) - 1 - g.padding[0][0] if back else g.padding[0][0])


def _of_cells(g):
    """The geometry of the same map with the large image in cells, of a kernel of 3 x 3: of one of 6 x 6."""
    return same(g.small, g.kernel, 1)


def _cells(x):
    """[B, 2h, 2w, C] to [B, h, w, 4 * C]: each 2 x 2 pixels as one of more channels."""
    b, h, w, channels = x.shape
    x = x.reshape(b, h // 2, 2, w // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // 2, w // 2, 4 * channels)


def _pixels(x):
    """[B, h, w, 4 * C] to [B, 2h, 2w, C]: ``_cells`` undone."""
    b, h, w, channels = x.shape
    return x.reshape(b, h, w, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, channels // 4)


def _composed(w):
    """[3, 3, C, D] to [3, 3, 4 * C, D]: the filter and the kernel as one of 6 x 6, in cells."""
    rows = np.zeros((3, 2, 3))  # of its row 2 * i + r, how much of each row of the kernel
    for k in range(3):
        rows.reshape(6, 3)[k : k + len(FILTER), k] = FILTER
    weights = np.einsum("irk,jsl->ijrskl", rows, rows).reshape(-1, 9)
    six = jnp.dot(jnp.asarray(weights, w.dtype), w.reshape(9, -1), precision=lax.Precision.HIGHEST)
    return six.reshape(3, 3, 4 * w.shape[2], w.shape[3])


def _is_turned(g, channels, small_channels):
    """Whether the patches are of the small image, as large as the other then, if it has half as many channels or less:
    under a kernel of 7 x 7 those of 64 channels are 3136 numbers a pixel, of 3 channels 147. Turned at equal channels,
    R3GAN's step is slower."""
    return g.stride == 1 and channels >= 2 * small_channels


def _turned(g):
    """The geometry of the same map with stride 1, its large image called the small one and the small one the large."""
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(g.kernel, g.padding))
    return Geometry(1, g.kernel, g.small, g.large, padding)


def _turned_kernel(w):
    return jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)


def _patches(g, x):
    """[B, *large, C] to [B, *small, prod(kernel) * C]: what lies under the kernel at each place."""
    x = _pad(x, g.padding)
    axes = range(len(g.small))
    # One axis after the other, the last first, where the views are of few channels, which are slow to place one by one;
    # and in space, where to concatenate all 64 at once takes XLA ten seconds to compile, for each convolution.
    one_by_one = len(axes) > 2 or x.shape[-1] < NARROW
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
    """Pad, or with negative widths crop, the spatial axes, which begin at ``first``."""
    after = x.ndim - first - len(widths)
    config = [(0, 0, 0)] * first + [(low, high, 0) for low, high in widths] + [(0, 0, 0)] * after
    return lax.pad(x, jnp.zeros((), x.dtype), config)
