"""Layers for ``flax.linen`` that several architectures use.

Images are [B, *space, C]. The attribute ``dtype`` of a layer is the data type of its computation. Parameters and moving
statistics are always float32.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.precision import product
from jaxgan.nn import convolution, sums

Initializer = Callable[..., jax.Array]

# Normal distribution with a standard deviation of 0.02: DCGAN (arXiv:1511.06434, section 4), pix2pix and CycleGAN.
dcgan_kernel_init: Initializer = nn.initializers.normal(0.02)


def normal_around_one(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Draw initial values from a normal distribution with mean 1 and standard deviation 0.02.

    The official code of DCGAN and pix2pix initialises the scales of batch normalisation in this way.

    Args:
      key: a typed random key.
      shape: the shape of the result.
      dtype: the floating-point type of the result.
    """
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


class Conv(nn.Module):
    """Convolution in any number of spatial dimensions, like ``flax.linen.Conv``.

    Attributes:
      features: number of output channels.
      kernel_size: size of the kernel in every dimension.
      stride: stride in every dimension.
      use_bias: whether to add a bias.
      spectral_norm: whether to divide the kernel by its largest singular value; see ``spectral_normalize``.
      kernel_init: initializer of the kernel.
      dtype: data type of the computation.
      padding: number of zeros on each side of the image, as in PyTorch. None uses TensorFlow's "SAME" padding. "causal"
        puts all zeros at the low side of every dimension, so that an output depends on no later input, as in WaveNet
        (van den Oord et al. 2016, arXiv:1609.03499). The size of the output is then that of "SAME".
      dilation: distance of neighbouring elements of the kernel in pixels, in every dimension (Yu and Koltun 2016,
        arXiv:1511.07122). 1 is a common convolution.

    Raises:
      ValueError: if ``padding`` or ``dilation`` is out of range, or the kernel is larger than the padded image.
    """

    features: int
    kernel_size: int = 4
    stride: int = 1
    use_bias: bool = True
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32
    padding: int | Literal["causal"] | None = None
    dilation: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        g = _geometry(x.shape[1:-1], self.kernel_size, self.stride, self.padding, self.dilation)
        w = self.param("kernel", self.kernel_init, (*g.kernel, x.shape[-1], self.features))
        w = spectral_normalize(self, w) if self.spectral_norm else w
        y = jnp.asarray(convolution.conv(g, x.astype(self.dtype), w.astype(self.dtype)))
        return add_bias(self, y) if self.use_bias else y


class GroupedConv(nn.Module):
    """Grouped convolution with "SAME" padding and the same number of input and output channels.

    Its parameter ``kernel`` is [groups, *widths, channels_per_group, channels_per_group].

    Attributes:
      kernel_size: size of the kernel in every dimension.
      channels_per_group: number of channels per group.
      kernel_init: initializer of the kernel of one group.
      dtype: data type of the computation.

    Raises:
      ValueError: if the number of channels is not divisible by ``channels_per_group``.
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
                f"`channels_per_group` must divide the number of channels, {channels}, got {self.channels_per_group}."
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
    """Transposed convolution, like PyTorch's and ``flax.linen.ConvTranspose(..., transpose_kernel=True)``.

    Attributes:
      features: number of output channels.
      kernel_size: size of the kernel in every dimension.
      stride: stride in every dimension.
      use_bias: whether to add a bias.
      kernel_init: initializer of the kernel.
      dtype: data type of the computation.
      padding: padding as defined by PyTorch. For an input of n pixels, the size of the output is then
        ``stride * (n - 1) + kernel_size - 2 * padding + output_padding``. With None, the size is ``stride * n``.
      output_padding: number of additional output pixels at the high side, as in PyTorch, at least 0 and less than
        ``stride``. It is ignored if ``padding`` is None.

    Raises:
      ValueError: if ``output_padding`` is out of range.
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
                f"`output_padding` must be at least 0 and less than `stride`, {self.stride}, got {self.output_padding}."
            )
        extra = 0 if self.padding is None else self.kernel_size - 2 * self.padding + self.output_padding - self.stride
        space = tuple(n * self.stride + extra for n in y.shape[1:-1])
        g = _geometry(space, self.kernel_size, self.stride, self.padding)
        w = self.param("kernel", self.kernel_init, (*g.kernel, self.features, y.shape[-1]))
        x = jnp.asarray(convolution.conv_transpose(g, y.astype(self.dtype), w.astype(self.dtype)))
        return add_bias(self, x) if self.use_bias else x


def _geometry(space, kernel_size, stride, padding, dilation=1):
    if dilation < 1:
        raise ValueError(f"`dilation` must be at least 1, got {dilation}.")
    kernel = (kernel_size,) * len(space)
    if padding is None:
        return convolution.same(space, kernel, stride, dilation)
    if padding == "causal":
        return convolution.causal(space, kernel, stride, dilation)
    if isinstance(padding, str):
        raise ValueError(f'`padding` must be a number of zeros, "causal" or None, got {padding!r}.')
    return convolution.padded(space, kernel, stride, padding, dilation)


class Dense(nn.Module):
    """Linear map of the last axis, like ``flax.linen.Dense``.

    Attributes:
      features: number of outputs.
      use_bias: whether to add a bias.
      spectral_norm: whether to divide the kernel by its largest singular value; see ``spectral_normalize``.
      kernel_init: initializer of the kernel.
      dtype: data type of the computation.
    """

    features: int
    use_bias: bool = True
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        w = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        w = spectral_normalize(self, w) if self.spectral_norm else w
        y = product(jnp.matmul, x.astype(self.dtype), w.astype(self.dtype))
        return add_bias(self, y) if self.use_bias else y


def add_bias(layer: Any, x: jax.Array) -> jax.Array:
    """Add a bias to the output of a layer. The bias is the parameter ``bias`` of the layer, initialised to zero.

    Args:
      layer: a linen module with a field ``features``, the number of channels.
      x: the output of the module, [..., layer.features].
    """
    bias = layer.param("bias", nn.initializers.zeros, (layer.features,))
    return x + sums.broadcast_over_space(bias.astype(x.dtype), x.shape[:-1])


class PReLU(nn.Module):
    """Parametric ReLU, max(x, 0) + slope min(x, 0), with a learnt slope for each channel.

    The slopes are initially 0.25. Source: He et al. 2015 (arXiv:1502.01852).
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.param("slope", nn.initializers.constant(0.25), x.shape[-1:]).astype(x.dtype)
        return jnp.where(x >= 0, x, x * slope.reshape((1,) * (x.ndim - 1) + (-1,)))


def reflection_pad(x: jax.Array, width: int) -> jax.Array:
    """Pad ``x``, [B, *space, C], by reflection, with ``width`` pixels on each side.

    The pixels at the edge are not repeated, as in PyTorch's ``ReflectionPad2d``.

    Args:
      x: images of any number of spatial dimensions, [B, *space, C].
      width: number of pixels to add on each side.

    Raises:
      ValueError: if a side has ``width`` pixels or fewer.
    """
    if any(n <= width for n in x.shape[1:-1]):  # not min(), because JAX may not know the order of symbolic sizes
        raise ValueError(
            f"Reflection padding by {width} pixels requires images with more than {width} pixels per side, got the "
            f"shape {list(x.shape)}."
        )
    return jnp.pad(x, _spatial_widths(x, width), mode="reflect")


def replication_pad(x: jax.Array, width: int) -> jax.Array:
    """Pad ``x``, [B, *space, C], with ``width`` copies of the edge pixel on each side.

    The function equals PyTorch's ``ReplicationPad2d``.

    Args:
      x: images of any number of spatial dimensions, [B, *space, C].
      width: number of pixels to add on each side.
    """
    return jnp.pad(x, _spatial_widths(x, width), mode="edge")


def _spatial_widths(x, width):
    return [(0, 0), *((width, width) for _ in x.shape[1:-1]), (0, 0)]


def dropout(x: jax.Array, keys: jax.Array | None, layer: int, rate: float) -> jax.Array:
    """Apply dropout (Srivastava et al. 2014): set random activations to 0 and divide the others by 1 - ``rate``.

    Args:
      x: activations, [B, ...].
      keys: PRNG keys, [B]. The mask of an example is drawn from its own key, so that the result does not depend on the
        number of devices. None turns dropout off.
      layer: index of this dropout layer. Each dropout layer of a network needs another index, so that the masks of the
        layers are independent.
      rate: fraction of the activations that is set to 0, in [0, 1).
    """
    keep = 1 - rate
    if keys is None or keep == 1:
        return x

    def draw(key):
        return jax.random.bernoulli(jax.random.fold_in(key, layer), keep, x.shape[1:])

    return jnp.where(jax.vmap(draw)(keys), x / keep, jnp.zeros_like(x))


class Embedding(nn.Module):
    """Embedding of class labels, from labels [B] or class weights [B, classes] to vectors [B, features].

    Attributes:
      classes: number of classes.
      features: number of features of a vector.
      spectral_norm: whether to divide the embedding matrix by its largest singular value; see ``spectral_normalize``.
      embedding_init: initializer of the embedding matrix.
      dtype: data type of the computation.
    """

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
    """Return labels as class weights, [B, classes].

    Args:
      label: class numbers, [B], or class weights, [B, classes]. Class numbers are one-hot encoded, and class weights
        are returned unchanged.
      classes: number of classes.

    Raises:
      ValueError: if the label is None, or has another shape or data type.
    """
    if label is None:
        raise ValueError(f"A conditional network with {classes} classes requires labels. Call it as net(x, label).")
    if label.ndim == 1 and jnp.issubdtype(label.dtype, jnp.integer):
        return jax.nn.one_hot(label, classes)
    if label.shape[1:] != (classes,):
        raise ValueError(
            f"Labels must be integers [B] or class weights [B, {classes}], got {label.dtype}{list(label.shape)}."
        )
    return label


def spectral_normalize(layer: nn.Module, kernel: jax.Array) -> jax.Array:
    """Divide a kernel by its largest singular value: Miyato et al. 2018, section 2.1.

    The singular value is estimated by power iteration. The collection ``spectral`` of ``layer`` stores an estimate of
    the right singular vector. If the collection is mutable, as in training, one step of power iteration updates the
    estimate before it is used. The gradient passes through the singular value, but not through the singular vectors
    (algorithm 1 of the paper).

    Args:
      layer: the module that contains the kernel.
      kernel: kernel, [..., D], which is treated as a matrix [-1, D].
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
    """Return the number of times that ``base_resolution`` must be doubled to get ``resolution``, at least 1.

    >>> num_upsamples(64, 4)
    4

    Args:
      resolution: side of an image or a cube, in pixels or voxels.
      base_resolution: side of the smallest feature map.

    Raises:
      ValueError: if ``resolution`` is not ``base_resolution`` times 2, 4, 8 or another power of two. The message names
        values that are possible.
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
    other_base = f", or `base_resolution` {other}" if other < resolution else ""
    raise ValueError(
        f"`resolution` must be a power of two times `base_resolution` ({base_resolution}), got {resolution}. Use "
        f"{' or '.join(map(str, near))}{other_base}."
    )
