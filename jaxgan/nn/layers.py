"""Layers that the architectures share, in linen.

Images are [B, *space, C]. ``dtype`` is the precision that a layer computes in; parameters and moving
statistics are float32 whatever it is.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.nn import convolution, sums

Initializer = Callable[..., jax.Array]


class Conv(nn.Module):
    """A convolution with "SAME" padding, as ``nn.Conv``; the space of its input has any dimension.

    With ``padding``, that many zeros are on each side instead, as in PyTorch.

    With ``spectral_norm``, the kernel is divided by its largest singular value, as a matrix from all that
    it sees to its output channels; see ``spectrally_normalized``.
    """

    features: int
    kernel: int = 4
    stride: int = 1
    use_bias: bool = True
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32
    padding: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        g = _geometry(x.shape[1:-1], self.kernel, self.stride, self.padding)
        w = self.param("kernel", self.kernel_init, (*g.kernel, x.shape[-1], self.features))
        w = spectrally_normalized(self, w) if self.spectral_norm else w
        y = jnp.asarray(convolution.down(g, x.astype(self.dtype), w.astype(self.dtype)))
        return biased(self, y) if self.use_bias else y


class GroupedConv(nn.Module):
    """A convolution with "SAME" padding of each ``group`` channels by themselves; as many channels go out as came in.

    One product for each group: ``kernel`` is [groups, *widths, group, group].
    """

    kernel: int
    group: int
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels, space = x.shape[-1], x.shape[1:-1]
        if channels % self.group:
            raise ValueError(f"{channels} channels are not dealt into groups of {self.group}; give a multiple")
        g = convolution.same(space, (self.kernel,) * len(space), 1)
        shape = (*g.kernel, self.group, self.group)
        groups = channels // self.group
        keys = lambda key: jax.random.split(key, groups)  # noqa: E731
        init = lambda key: jax.vmap(lambda key: self.kernel_init(key, shape, jnp.float32))(keys(key))  # noqa: E731
        w = self.param("kernel", init).astype(self.dtype)
        parts = x.astype(self.dtype).reshape(*x.shape[:-1], groups, self.group)
        y = jax.vmap(lambda x, w: convolution.down(g, x, w), (-2, 0), -2)(parts, w)
        return y.reshape(x.shape)


class ConvTranspose(nn.Module):
    """The transpose of ``Conv``: an image ``stride`` times as large, as PyTorch's and
    ``nn.ConvTranspose(..., transpose_kernel=True)``.

    With ``padding``, the image is PyTorch's: of ``stride * (n - 1) + kernel - 2 * padding + output_padding``.
    """

    features: int
    kernel: int = 4
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
                f"output_padding {self.output_padding}: want from 0 to {self.stride - 1}, below the stride"
            )
        more = 0 if self.padding is None else self.kernel - 2 * self.padding + self.output_padding - self.stride
        space = tuple(n * self.stride + more for n in y.shape[1:-1])
        g = _geometry(space, self.kernel, self.stride, self.padding)
        w = self.param("kernel", self.kernel_init, (*g.kernel, self.features, y.shape[-1]))
        x = jnp.asarray(convolution.up(g, y.astype(self.dtype), w.astype(self.dtype)))
        return biased(self, x) if self.use_bias else x


def _geometry(space, kernel, stride, padding):
    kernel = (kernel,) * len(space)
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
        w = spectrally_normalized(self, w) if self.spectral_norm else w
        y = x.astype(self.dtype) @ w.astype(self.dtype)
        return biased(self, y) if self.use_bias else y


def biased(layer: Any, x: jax.Array) -> jax.Array:
    """``x``, [..., layer.features], plus a parameter of ``layer``, which begins at zero."""
    bias = layer.param("bias", nn.initializers.zeros, (layer.features,))
    return x + sums.spread(bias.astype(x.dtype), x.shape[:-1])


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), over all devices' examples.

    In training the batch's own mean and variance are used, and their moving averages kept in
    ``batch_stats``; otherwise those are used. They are float32 vectors, [C]: with statistics of the
    image's rank, as in ``nn.BatchNorm``, XLA no longer sees that two passes over one batch are the same.

    With ``classes``, each class has a scale and a bias of its own (de Vries et al. 2017, as used for GANs by Dumoulin
    et al. 2017 and Miyato et al. 2018), mixed by the label's weights.

    With ``at_test="image"``, out of training each image is normalised by its own mean and variance instead, as in
    pix2pix (Isola et al. 2017, 3.3), whose batches are of one image.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
    classes: int = 0
    at_test: Literal["averages", "image"] = "averages"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, label: jax.Array | None = None) -> jax.Array:
        if self.at_test not in ("averages", "image"):
            raise ValueError(f"at_test {self.at_test!r}: want 'averages', the moving ones, or 'image', each one's own")
        channels = (x.shape[-1],)
        table = (self.classes,) * bool(self.classes) + channels
        scale = self.param("scale", self.scale_init, table)
        bias = self.param("bias", nn.initializers.zeros, table)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        if train:
            pixels = x.astype(jnp.float32).reshape(-1, x.shape[-1])
            mean, var = _moments(pixels, over=axis.mean)
            if self.is_mutable_collection("batch_stats") and not self.is_initializing():
                running_mean.value = self.momentum * running_mean.value + (1 - self.momentum) * mean
                running_var.value = self.momentum * running_var.value + (1 - self.momentum) * var
        elif self.at_test == "image":
            mean, var = own_moments(self, x)
        else:
            mean, var = running_mean.value, running_var.value
        if self.classes:
            weights = class_weights(label, self.classes)
            scale, bias = weights @ scale, weights @ bias
        if scale.ndim != mean.ndim:
            scale, bias, mean, var = (v.reshape(-1, x.shape[-1]) for v in (scale, bias, mean, var))
        scale = scale * lax.rsqrt(var + self.epsilon)
        bias = bias - mean * scale
        space = x.shape[scale.ndim - 1 : -1]
        return (x * sums.spread(scale, space) + sums.spread(bias, space)).astype(x.dtype)


class InstanceNorm(nn.Module):
    """Each image's channels, normalised by their own mean and variance over its space (Ulyanov et al. 2016).

    It is the same in training and out of it, and on any number of devices. ``affine`` adds a scale and a bias for each
    channel.

    Raises:
      ValueError: an image is of one pixel, which would always become 0.
    """

    affine: bool = False
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mean, var = own_moments(self, x)
        shape, space = x.shape, x.shape[1:-1]
        if x.shape[0] == 1:  # [C], not [1, C]: see ``sums``
            x, mean, var = x[0], mean.reshape(x.shape[-1:]), var.reshape(x.shape[-1:])
        y = (x - sums.spread(mean, space)) * sums.spread(lax.rsqrt(var + self.epsilon), space)
        y = y.reshape(shape)
        if self.affine:
            scale = self.param("scale", self.scale_init, x.shape[-1:])
            bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
            y = y * sums.spread(scale, shape[:-1]) + sums.spread(bias, shape[:-1])
        return y.astype(x.dtype)


def own_moments(layer: nn.Module, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``image_moments``, noted where the collection ``moments`` is mutable; or, where it is there, those noted before.

    So the parts of an image can be normalised as the whole is.
    """
    mean, var = (layer.get_variable("moments", name) for name in ("mean", "var"))
    is_noting = layer.is_mutable_collection("moments") and not layer.is_initializing()
    if mean is None or is_noting:
        mean, var = image_moments(x)
    if is_noting:
        layer.put_variable("moments", "mean", mean)
        layer.put_variable("moments", "var", var)
    return mean, var


def image_moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over each image's space, [B, C] float32.

    Raises:
      ValueError: the space is one pixel.
    """
    if x.shape[1:-1] == (1,) * (x.ndim - 2):
        raise ValueError(f"{list(x.shape)}: an image of one pixel has no variance to be normalised by")
    x = x.astype(jnp.float32)
    if x.shape[0] == 1:  # [C], not [1, C]: see ``sums``
        mean, var = _moments(x[0])
        return mean[None], var[None]
    return _moments(x, kept=1)


def _moments(x, kept=0, over=lambda mean: mean):
    """Mean and variance over all axes but the last and the first ``kept``; ``over`` takes a mean over devices too."""
    space = x.shape[kept:-1]
    count = math.prod(space)
    mean = over(sums.total(x, kept) / count)
    # From centred pixels: the difference of mean squares cancels where the mean is large.
    return mean, over(sums.total(jnp.square(x - sums.spread(mean, space)), kept) / count)


Norm = Literal["batch", "instance", "none"]


def normalization(norm: Norm, name: str, at_test: Literal["averages", "image"]) -> Callable[..., jax.Array]:
    """The layer, ``(x, train) -> x``, that an attribute ``norm`` of a network of images to images stands for.

    Scales of "batch" begin as N(1, 0.02); "instance" has none, and "none" leaves ``x`` as it is.
    """
    if norm == "batch":
        return BatchNorm(scale_init=near_one, at_test=at_test, name=name)
    if norm == "instance":
        return lambda x, train: InstanceNorm(name=name)(x)
    if norm == "none":
        return lambda x, train: x
    raise ValueError(f"norm {norm!r}: want 'batch', 'instance' or 'none'")


def near_one(key, shape, dtype=jnp.float32):
    """An initializer: N(1, 0.02)."""
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


class PReLU(nn.Module):
    """max(x, 0) + slope min(x, 0), a slope for each channel, which begins at 0.25 (He et al. 2015, 1502.01852)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.param("slope", nn.initializers.constant(0.25), x.shape[-1:]).astype(x.dtype)
        return jnp.where(x >= 0, x, x * slope.reshape((1,) * (x.ndim - 1) + (-1,)))


def mirrored(x: jax.Array, width: int, edge: bool = False) -> jax.Array:
    """``x``, [B, *space, C], with ``width`` more pixels on each side, mirrored at the last one: PyTorch's reflection.

    With ``edge``, they are the last one, again and again: its replication.

    Raises:
      ValueError: there are not as many pixels to mirror.
    """
    if not edge and any(n <= width for n in x.shape[1:-1]):  # an export may not know which of them is the least
        raise ValueError(f"{list(x.shape)}: to mirror {width} pixels, sides must be of {width + 1} or more")
    widths = [(0, 0), *((width, width) for _ in x.shape[1:-1]), (0, 0)]
    return jnp.pad(x, widths, mode="edge" if edge else "reflect")


def dropout(x: jax.Array, keys: jax.Array | None, layer: int, keep: float) -> jax.Array:
    """``x``, [B, ...], of which a share of ``keep`` is kept and enlarged, the rest 0 (Srivastava et al. 2014).

    Args:
      keys: [B]: each example's mask is drawn from its own, so it is the same on any number of devices. None keeps all.
      layer: a network's layers are told apart by it.
      keep: in (0, 1].
    """
    if keys is None or keep == 1:
        return x
    draw = lambda key: jax.random.bernoulli(jax.random.fold_in(key, layer), keep, x.shape[1:])  # noqa: E731
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
        table = spectrally_normalized(self, table) if self.spectral_norm else table
        return class_weights(label, self.classes).astype(self.dtype) @ table.astype(self.dtype)


def class_weights(label: jax.Array | None, classes: int) -> jax.Array:
    """Labels as weights of the classes, [B, classes]: 1 for the class that a number, [B], names; weights as they are.

    Raises:
      ValueError: there is no label, or its shape is neither.
    """
    if label is None:
        raise ValueError(f"a network of {classes} classes is called with labels: net(x, label)")
    if label.ndim == 1 and jnp.issubdtype(label.dtype, jnp.integer):
        return jax.nn.one_hot(label, classes)
    if label.shape[1:] != (classes,):
        raise ValueError(f"labels {label.dtype}{list(label.shape)}: want whole numbers [B], or weights [B, {classes}]")
    return label


def spectrally_normalized(layer: nn.Module, kernel: jax.Array) -> jax.Array:
    """The kernel, [..., D], over its largest singular value as a [-1, D] matrix. Miyato et al. 2018, 2.1.

    Where the collection ``spectral`` of ``layer`` is mutable, in training, one step of power iteration
    moves the vector kept there before it is used; the gradient passes through the value alone
    (their algorithm 1).
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


def doublings(size: int, base: int) -> int:
    """How many times ``base`` doubles to reach ``size``, the side of an image or a cube: at least once.

    Raises:
      ValueError: it does not reach it; the sizes that it does reach, and a base that would do, are told.
    """
    if not 1 <= base < size:
        raise ValueError(f"base {base}: it doubles once or more, to size {size}; want from 1 to {size // 2}")
    times = (size // base).bit_length() - 1
    if size == base << times:
        return times
    near = [base << n for n in (times, times + 1) if n > 0]
    other = size
    while other % 2 == 0 and other > 7:
        other //= 2
    mend = f", or base {other}" if other < size else ""
    raise ValueError(f"size {size}: base {base} does not double to it; use size {' or '.join(map(str, near))}{mend}")
