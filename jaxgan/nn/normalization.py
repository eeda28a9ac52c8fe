"""Batch and instance normalisation for ``flax.linen``.

Images are [B, *space, C]. Moving statistics and parameters are float32. Outputs have the data type of the input.
"""

import math
from collections.abc import Callable
from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.nn import sums
from jaxgan.nn.layers import Initializer, normal_around_one, one_hot_labels

Norm = Literal["batch", "instance", "none"]
EvalStats = Literal["running", "instance"]


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, and over the examples of all devices (Ioffe and Szegedy 2015).

    In training it uses the mean and variance of the batch, and updates their moving averages in the collection
    ``batch_stats``. At evaluation it uses the moving averages.

    The variance, also in the moving average, is the mean squared deviation, with the divisor n, the number of values of
    a channel in the batch. Flax does the same. PyTorch normalises by this variance too, but averages the variance with
    the divisor n - 1. Its moving variance is therefore larger by up to the factor n / (n - 1). With the divisor n, a
    batch with n = 1 has a variance.

    Attributes:
      momentum: weight of the old average in each update of the moving averages. A call in training makes one update.
      epsilon: number added to the variance.
      scale_init: initializer of the scales.
      classes: number of classes; 0 for unconditional normalisation. With classes, each class has its own scale and
        bias, and the layer is called with labels (de Vries et al. 2017, used for GANs by Dumoulin et al. 2017 and
        Miyato et al. 2018). If the labels are class weights, the scales and biases of the classes are summed with these
        weights.
      eval_stats: which statistics the layer uses at evaluation. "running" uses the moving averages, and "instance"
        normalises each image by its own mean and variance, as in pix2pix (Isola et al. 2017, section 3.3), which trains
        on batches of one image.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
    classes: int = 0
    eval_stats: EvalStats = "running"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, label: jax.Array | None = None) -> jax.Array:
        if self.eval_stats not in get_args(EvalStats):
            raise ValueError(f"`eval_stats` must be 'running' or 'instance', got {self.eval_stats!r}.")
        # All statistics are vectors, [C]. If they had the rank of the image, as in ``nn.BatchNorm``, XLA would not
        # recognise equal forward passes over the same batch, and would compute them twice.
        channels = (x.shape[-1],)
        shape = (self.classes, *channels) if self.classes else channels
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        if train:
            pixels = x.astype(jnp.float32).reshape(-1, x.shape[-1])
            mean, var = _moments(pixels, device_mean=axis.mean)
            if self.is_mutable_collection("batch_stats") and not self.is_initializing():
                running_mean.value = self.momentum * running_mean.value + (1 - self.momentum) * mean
                running_var.value = self.momentum * running_var.value + (1 - self.momentum) * var
        elif self.eval_stats == "instance":
            mean, var = instance_moments(self, x)
        else:
            mean, var = running_mean.value, running_var.value
        if self.classes:
            weights = one_hot_labels(label, self.classes)
            scale, bias = weights @ scale, weights @ bias
        if scale.ndim != mean.ndim:
            scale, bias, mean, var = (v.reshape(-1, x.shape[-1]) for v in (scale, bias, mean, var))
        scale = scale * lax.rsqrt(var + self.epsilon)
        bias = bias - mean * scale
        space = x.shape[scale.ndim - 1 : -1]
        y = x * sums.broadcast_over_space(scale, space) + sums.broadcast_over_space(bias, space)
        return y.astype(x.dtype)


class InstanceNorm(nn.Module):
    """Instance normalisation: each channel of each image is normalised over its pixels (Ulyanov et al. 2016).

    It is the same in training and at evaluation, and does not depend on the number of devices.

    Attributes:
      affine: whether to apply a scale and a bias for each channel.
      epsilon: number added to the variance.
      scale_init: initializer of the scales.

    Raises:
      ValueError: if an image has a single pixel, because it would always be normalised to 0.
    """

    affine: bool = False
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mean, var = instance_moments(self, x)
        shape, space = x.shape, x.shape[1:-1]
        if x.shape[0] == 1:  # use [C] instead of [1, C], see ``sums``
            x, mean, var = x[0], mean.reshape(x.shape[-1:]), var.reshape(x.shape[-1:])
        centred = x - sums.broadcast_over_space(mean, space)
        y = centred * sums.broadcast_over_space(lax.rsqrt(var + self.epsilon), space)
        y = y.reshape(shape)
        if self.affine:
            scale = self.param("scale", self.scale_init, x.shape[-1:])
            bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
            y = y * sums.broadcast_over_space(scale, shape[:-1]) + sums.broadcast_over_space(bias, shape[:-1])
        return y.astype(x.dtype)


def instance_moments(layer: nn.Module, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the means and variances that ``layer`` uses to normalise each channel of each image, [B, C], float32.

    The result is ``moments_over_space(x)``, with two exceptions for networks that process an image in tiles. If the
    collection ``moments`` is mutable, the mean and variance are also stored in it. If the collection is passed to the
    network and is not mutable, the stored values are returned, so that tiles are normalised in the same way as the
    complete image.

    Args:
      layer: the module that normalises. It holds the collection ``moments``.
      x: images, [B, *space, C].

    Raises:
      ValueError: if the images have a single pixel.
    """
    mean, var = (layer.get_variable("moments", name) for name in ("mean", "var"))
    is_recording = layer.is_mutable_collection("moments") and not layer.is_initializing()
    if mean is None or is_recording:
        mean, var = moments_over_space(x)
    if is_recording:
        layer.put_variable("moments", "mean", mean)
        layer.put_variable("moments", "var", var)
    return mean, var


def moments_over_space(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the mean and variance of each channel of each image, from [B, *space, C] to [B, C] each, float32.

    Args:
      x: images of any number of spatial dimensions, [B, *space, C].

    Raises:
      ValueError: if the images have a single pixel.
    """
    if x.shape[1:-1] == (1,) * (x.ndim - 2):
        raise ValueError(f"Instance normalisation requires images with several pixels, got the shape {list(x.shape)}.")
    x = x.astype(jnp.float32)
    if x.shape[0] == 1:  # use [C] instead of [1, C], see ``sums``
        mean, var = _moments(x[0])
        return mean[None], var[None]
    return _moments(x, keep_axes=1)


def _moments(x, keep_axes=0, device_mean=lambda mean: mean):
    """Return the mean and variance over the spatial axes.

    Args:
      x: array, [*kept, *space, C].
      keep_axes: number of leading axes to keep.
      device_mean: function that computes the mean over devices.
    """
    space = x.shape[keep_axes:-1]
    count = math.prod(space)
    mean = device_mean(sums.sum_over_space(x, keep_axes) / count)
    # Use centred pixels. The difference E[x^2] - E[x]^2 would have large rounding errors if the mean is large.
    squares = jnp.square(x - sums.broadcast_over_space(mean, space))
    return mean, device_mean(sums.sum_over_space(squares, keep_axes) / count)


def norm_layer(
    norm: Norm, name: str, eval_stats: EvalStats = "running", scale_init: Initializer = normal_around_one
) -> Callable[..., jax.Array]:
    """Return the normalisation layer that ``norm`` selects, as a function ``(x, train) -> x``.

    Args:
      norm: "batch", "instance" (without parameters) or "none" (the identity).
      name: name of the module.
      eval_stats: which statistics "batch" uses at evaluation, "running" or "instance"; see ``BatchNorm``.
      scale_init: initializer of the scales of "batch". The other layers have no scales.

    Raises:
      ValueError: if ``norm`` has another value.
    """

    def instance_norm(x, train):
        return InstanceNorm(name=name)(x)

    def identity(x, train):
        return x

    if norm == "batch":
        return BatchNorm(scale_init=scale_init, eval_stats=eval_stats, name=name)
    if norm == "instance":
        return instance_norm
    if norm == "none":
        return identity
    raise ValueError(f"`norm` must be 'batch', 'instance' or 'none', got {norm!r}.")
