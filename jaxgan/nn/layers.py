"""Layers that the architectures share, in linen.

Images are [B, *space, C]. ``dtype`` is the precision that a layer computes in; parameters and moving statistics are
always float32.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.nn import convolution, sums

Initializer = Callable[..., jax.Array]

# DCGAN (1511.06434, section 4) draws weights from N(0, 0.02); pix2pix and CycleGAN do so too.
dcgan_kernel_init: Initializer = nn.initializers.normal(0.02)


def normal_around_one(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """An initializer, N(1, 0.02): of BatchNorm's scales in the authors' code of DCGAN and pix2pix."""
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


class Conv(nn.Module):
    """A convolution with "SAME" padding, as ``nn.Conv``, in any number of spatial dimensions.

    With ``padding``, that many zeros are added on each side instead, as in PyTorch.

    With ``spectral_norm`` the kernel, as a matrix from its inputs to its output channels, is divided by its largest
    singular value; see ``spectral_normalize``.
    """

    features: int
    kernel_size: int = 4
    stride: int = 1
    use_bias: bool = True
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32
    padding: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        g = _geometry(x.shape[1:-1], self.kernel_size, self.stride, self.padding)
        w = self.param("kernel", self.kernel_init, (*g.kernel, x.shape[-1], self.features))
        w = spectral_normalize(self, w) if self.spectral_norm else w
        y = jnp.asarray(convolution.conv(g, x.astype(self.dtype), w.astype(self.dtype)))
        return add_bias(self, y) if self.use_bias else y


class GroupedConv(nn.Module):
    """A grouped convolution with "SAME" padding, which has as many output channels as input channels.

    The kernel is [groups, *widths, channels_per_group, channels_per_group], one product for each group.
    """

    kernel_size: int
    channels_per_group: int
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels, space = x.shape[-1], x.shape[1:-1]
        if channels % self.channels_per_group:
            raise ValueError(
                f"`channels_per_group` must divide the {channels} channels, got {self.channels_per_group}."
            )
        g = convolution.same(space, (self.kernel_size,) * len(space), 1)
        shape = (*g.kernel, self.channels_per_group, self.channels_per_group)
        groups = channels // self.channels_per_group

        def init_groups(key):
            return jax.vmap(lambda key: self.kernel_init(key, shape, jnp.float32))(jax.random.split(key, groups))

        w = self.param("kernel", init_groups).astype(self.dtype)
        parts = x.astype(self.dtype).reshape(*x.shape[:-1], groups, self.channels_per_group)
        y = jax.vmap(lambda x, w: convolution.conv(g, x, w), (-2, 0), -2)(parts, w)
        return y.reshape(x.shape)


class ConvTranspose(nn.Module):
    """The transpose of ``Conv``, as PyTorch's and ``nn.ConvTranspose(..., transpose_kernel=True)``.

    The output is ``stride`` times as large as the input. With ``padding`` its size is PyTorch's instead:
    ``stride * (n - 1) + kernel_size - 2 * padding + output_padding``.
    """

    features: int
    kernel_size: int = 4
    stride: int = 2
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: jnp.dtype = jnp.float32
    padding: int | None = None
    output_padding: int = 0

    @nn.compact
    def __call__(self, y: jax.Array) -> jax.Array:
        if not 0 <= self.output_padding < self.stride:
            raise ValueError(
                f"`output_padding` must be between 0 and {self.stride - 1}, below `stride`, got {self.output_padding}."
            )
        extra = 0 if self.padding is None else self.kernel_size - 2 * self.padding + self.output_padding - self.stride
        space = tuple(n * self.stride + extra for n in y.shape[1:-1])
        g = _geometry(space, self.kernel_size, self.stride, self.padding)
        w = self.param("kernel", self.kernel_init, (*g.kernel, self.features, y.shape[-1]))
        x = jnp.asarray(convolution.conv_transpose(g, y.astype(self.dtype), w.astype(self.dtype)))
        return add_bias(self, x) if self.use_bias else x


def _geometry(space, kernel_size, stride, padding):
    kernel = (kernel_size,) * len(space)
    if padding is None:
        return convolution.same(space, kernel, stride)
    return convolution.padded(space, kernel, stride, padding)


class Dense(nn.Module):
    """A linear map of the last axis, as ``nn.Dense``, with ``spectral_norm`` as in ``Conv``."""

    features: int
    use_bias: bool = True
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        w = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        w = spectral_normalize(self, w) if self.spectral_norm else w
        y = x.astype(self.dtype) @ w.astype(self.dtype)
        return add_bias(self, y) if self.use_bias else y


def add_bias(layer: Any, x: jax.Array) -> jax.Array:
    """``x``, [..., layer.features], plus the parameter ``bias`` of ``layer``, which is initialised to zero."""
    bias = layer.param("bias", nn.initializers.zeros, (layer.features,))
    return x + sums.broadcast_over_space(bias.astype(x.dtype), x.shape[:-1])


class PReLU(nn.Module):
    """max(x, 0) + slope min(x, 0), with a slope for each channel, initially 0.25 (He et al. 2015, 1502.01852)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.param("slope", nn.initializers.constant(0.25), x.shape[-1:]).astype(x.dtype)
        return jnp.where(x >= 0, x, x * slope.reshape((1,) * (x.ndim - 1) + (-1,)))


def reflection_pad(x: jax.Array, width: int) -> jax.Array:
    """``x``, [B, *space, C], padded by ``width`` pixels on each side, reflected at the last one, as PyTorch does.

    Raises:
      ValueError: a side has ``width`` pixels or fewer.
    """
    if any(n <= width for n in x.shape[1:-1]):  # not min(): the order of symbolic sizes may not be known in an export
        raise ValueError(
            f"to pad {list(x.shape)} by reflection, sides must be longer than the {width} pixels of padding"
        )
    return jnp.pad(x, _spatial_widths(x, width), mode="reflect")


def replication_pad(x: jax.Array, width: int) -> jax.Array:
    """``x``, [B, *space, C], padded by ``width`` pixels on each side that repeat the last one, as PyTorch does."""
    return jnp.pad(x, _spatial_widths(x, width), mode="edge")


def _spatial_widths(x, width):
    return [(0, 0), *((width, width) for _ in x.shape[1:-1]), (0, 0)]


def dropout(x: jax.Array, keys: jax.Array | None, layer: int, rate: float) -> jax.Array:
    """``x``, [B, ...], with a fraction ``rate`` set to 0 and the rest over 1 - ``rate`` (Srivastava et al. 2014).

    Args:
      x: activations.
      keys: [B]; the mask of an example is drawn from its own key, so it does not depend on the number of devices. None
        drops nothing.
      layer: a number that tells the layers of a network apart.
      rate: in [0, 1).
    """
    keep = 1 - rate
    if keys is None or keep == 1:
        return x

    def draw(key):
        return jax.random.bernoulli(jax.random.fold_in(key, layer), keep, x.shape[1:])

    return jnp.where(jax.vmap(draw)(keys), x / keep, jnp.zeros_like(x))


class Embedding(nn.Module):
    """A vector for each class: labels, [B] or [B, classes], to [B, features]."""

    classes: int
    features: int
    spectral_norm: bool = False
    embedding_init: Initializer = nn.initializers.normal(1.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, label: jax.Array | None) -> jax.Array:
        table = self.param("embedding", self.embedding_init, (self.classes, self.features))
        table = spectral_normalize(self, table) if self.spectral_norm else table
        return one_hot_labels(label, self.classes).astype(self.dtype) @ table.astype(self.dtype)


def one_hot_labels(label: jax.Array | None, classes: int) -> jax.Array:
    """Labels as weights of the classes, [B, classes]: one-hot for class numbers, [B]; weights are returned as they are.

    Raises:
      ValueError: the label is None, or has another shape.
    """
    if label is None:
        raise ValueError(f"a network of {classes} classes is called with labels: net(x, label)")
    if label.ndim == 1 and jnp.issubdtype(label.dtype, jnp.integer):
        return jax.nn.one_hot(label, classes)
    if label.shape[1:] != (classes,):
        raise ValueError(f"labels {label.dtype}{list(label.shape)}: want whole numbers [B], or weights [B, {classes}]")
    return label


def spectral_normalize(layer: nn.Module, kernel: jax.Array) -> jax.Array:
    """The kernel, [..., D], divided by the largest singular value of it as a [-1, D] matrix. Miyato et al. 2018, 2.1.

    Where the collection ``spectral`` of ``layer`` is mutable, as in training, one step of power iteration updates the
    vector in it before it is used. The gradient passes through the singular value alone (their algorithm 1).
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])

    def init():
        u = jax.random.normal(layer.make_rng("params"), (matrix.shape[-1],))
        return u / jnp.linalg.norm(u)

    vector = layer.variable("spectral", "u", init)
    fixed = lax.stop_gradient(matrix)
    v = _unit(fixed @ vector.value)
    u = vector.value
    if layer.is_mutable_collection("spectral") and not layer.is_initializing():
        u = _unit(v @ fixed)
        v = _unit(fixed @ u)
        vector.value = u
    return kernel / jnp.maximum(v @ matrix @ u, 1e-12)


def _unit(v):
    return v / (jnp.linalg.norm(v) + 1e-12)


def num_upsamples(resolution: int, base_resolution: int) -> int:
    """How many times ``base_resolution`` is doubled to ``resolution``, the side of an image or a cube; at least once.

    >>> num_upsamples(64, 4)
    4

    Raises:
      ValueError: it is not doubled to it. The message names resolutions, and a base, that would fit.
    """
    if not 1 <= base_resolution < resolution:
        raise ValueError(
            f"`base_resolution` must be between 1 and {resolution // 2} for `resolution` {resolution}, "
            f"got {base_resolution}."
        )
    times = (resolution // base_resolution).bit_length() - 1
    if resolution == base_resolution << times:
        return times
    near = [base_resolution << n for n in (times, times + 1) if n > 0]
    other = resolution
    while other % 2 == 0 and other > 7:
        other //= 2
    mend = f", or `base_resolution` {other}" if other < resolution else ""
    raise ValueError(
        f"`resolution` must be `base_resolution` {base_resolution} times a power of two, got {resolution}; use "
        f"{' or '.join(map(str, near))}{mend}."
    )
