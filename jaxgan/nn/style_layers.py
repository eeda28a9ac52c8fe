"""Layers of StyleGAN2: Karras et al. 2020 (arXiv:1912.04958).

The layers equal the official ones in https://github.com/NVlabs/stylegan2-ada-pytorch. All of them use an equalised
learning rate: kernels are initialised from N(0, 1), and divided by the square root of the fan-in when they are used
(arXiv:1710.10196, section 4.1).
"""

import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.nn import convolution, sums
from jaxgan.nn.layers import add_bias
from jaxgan.nn.resampling import downsample


class EqualizedDense(nn.Module):
    """Linear map with an equalised learning rate, float32: the official ``FullyConnectedLayer`` without activation.

    Attributes:
      features: number of outputs.
      lr_multiplier: multiplier of the learning rate. The parameter ``kernel`` is initialised from N(0, 1) /
        lr_multiplier. The layer multiplies ``kernel`` by lr_multiplier / sqrt(number of inputs), and multiplies the
        parameter ``bias`` by lr_multiplier.
      bias_init: initial value of the parameter ``bias``.
    """

    features: int
    lr_multiplier: float = 1.0
    bias_init: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inputs = x.shape[-1]
        w = self.param("kernel", nn.initializers.normal(1 / self.lr_multiplier), (inputs, self.features))
        bias = self.param("bias", nn.initializers.constant(self.bias_init), (self.features,))
        return x @ (w * (self.lr_multiplier / math.sqrt(inputs))) + (bias * self.lr_multiplier)[None]


class EqualizedConv(nn.Module):
    """Convolution with an equalised learning rate: the official ``Conv2dLayer``.

    Attributes:
      features: number of output channels.
      kernel_size: size of the kernel, 3 or another odd number.
      downsample: whether to blur the image and halve its height and width.
      activation: "lrelu" adds a bias and applies ``scaled_leaky_relu``; "linear" does neither.
      gain: factor that multiplies the output.
      dtype: data type of the computation.
      conv_clamp: limit of the absolute value of the output divided by ``gain``. It is used with "lrelu" only. None does
        not clamp.
    """

    features: int
    kernel_size: int = 3
    downsample: bool = False
    activation: Literal["lrelu", "linear"] = "lrelu"
    gain: float = 1.0
    dtype: jnp.dtype = jnp.float32
    conv_clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        w = self.param("kernel", nn.initializers.normal(1.0), shape) / math.sqrt(math.prod(shape[:-1]))
        x = x.astype(self.dtype)
        if self.downsample and self.kernel_size > 1:
            g = convolution.blurred(x.shape[1:3], shape[:2])
        else:
            x = downsample(x) if self.downsample else x
            g = convolution.same(x.shape[1:3], shape[:2], 1)
        y = jnp.asarray(convolution.conv(g, x, w.astype(self.dtype)))
        if self.activation == "linear":
            return y * self.gain
        return scaled_leaky_relu(add_bias(self, y), self.gain, self.conv_clamp)


class SynthesisLayer(nn.Module):
    """Modulated 3 x 3 convolution with noise, a bias and a leaky ReLU: the official ``SynthesisLayer``.

    It is called with feature maps [B, h, w, C], styles [B, w_dim], and noise [1 or B, h, w, 1]. The noise has the
    height and width of the output. If the noise is None, the layer adds none.

    Attributes:
      features: number of output channels.
      upsample: whether to double the height and width.
      dtype: data type of the computation.
      conv_clamp: limit of the absolute value of the output; None does not clamp.
    """

    features: int
    upsample: bool = False
    dtype: jnp.dtype = jnp.float32
    conv_clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: jax.Array | None) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (3, 3, channels, self.features))
        strength = self.param("strength", nn.initializers.zeros, ())
        x = x.astype(self.dtype)
        styles = EqualizedDense(channels, bias_init=1.0, name="style")(w)
        x = modulated_conv2d(x, kernel, styles, upsample=self.upsample)
        if noise is not None:
            x = x + (noise * strength).astype(x.dtype)
        return scaled_leaky_relu(add_bias(self, x), clamp=self.conv_clamp)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution with a bias, from feature maps to an image, float32: the official ``ToRGBLayer``.

    It is called with feature maps [B, h, w, C] and styles [B, w_dim].

    Attributes:
      features: number of channels of the image.
      dtype: data type of the computation.
      conv_clamp: limit of the absolute value of the output; None does not clamp.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    conv_clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (1, 1, channels, self.features))
        styles = EqualizedDense(channels, bias_init=1.0, name="style")(w) / math.sqrt(channels)
        x = add_bias(self, modulated_conv2d(x.astype(self.dtype), kernel, styles, demodulate=False))
        return _clamp(x, self.conv_clamp).astype(jnp.float32)


def modulated_conv2d(
    x: jax.Array, kernel: jax.Array, styles: jax.Array, demodulate: bool = True, upsample: bool = False
) -> jax.Array:
    """Return a modulated convolution: arXiv:1912.04958, section 2.2.

    The kernel of each example is kernel * style. The official code can compute a separate kernel for each example.
    Instead, this function multiplies the input by the styles, and applies the same kernel to the complete batch.
    Demodulation divides the output by the norms of the modulated kernels.

    Args:
      x: feature maps, [B, h, w, C].
      kernel: kernel, [*widths, C, D].
      styles: factors of the input channels, [B, C].
      demodulate: whether to scale the modulated kernel of each output channel to an L2 norm of 1.
      upsample: whether to double the height and width, with a transposed convolution of stride 2 followed by a blur.

    Returns:
      Feature maps, [B, h, w, D], or [B, 2h, 2w, D] with ``upsample``.
    """
    if x.dtype != jnp.float32 and demodulate:
        # Divide the kernel and the styles by their largest absolute values, because float16 would overflow otherwise.
        # Demodulation cancels these factors. The official code of StyleGAN2-ADA does the same.
        kernel = kernel / (math.sqrt(math.prod(kernel.shape[:-1])) * jnp.abs(kernel).max((0, 1, 2), keepdims=True))
        styles = styles / jnp.abs(styles).max(1, keepdims=True)
    w, y = kernel.astype(x.dtype), x * sums.broadcast_over_space(styles.astype(x.dtype), x.shape[1:3])
    if upsample:
        g = convolution.blurred((2 * x.shape[1], 2 * x.shape[2]), kernel.shape[:2])
        y = 4 * jnp.asarray(convolution.conv_transpose(g, y, w.swapaxes(-1, -2)))
    else:
        y = jnp.asarray(convolution.conv(convolution.same(x.shape[1:3], kernel.shape[:2], 1), y, w))
    if demodulate:
        inverse_norms = lax.rsqrt(jnp.square(styles) @ jnp.square(kernel).sum((0, 1)) + 1e-8)
        y = y * sums.broadcast_over_space(inverse_norms.astype(y.dtype), y.shape[1:3])
    return y


def minibatch_stddev(x: jax.Array, group_size: int) -> jax.Array:
    """Return the minibatch standard deviation, [B, 1, 1, 1].

    It is the standard deviation of each feature over the examples of a group, averaged over [h, w, C].

    Args:
      x: features, [B, h, w, C].
      group_size: number of examples in a group. N examples on all devices together form N / group_size groups, and
        every (N / group_size)-th example belongs to the same group. If N is less than ``group_size``, all examples form
        one group.

    Raises:
      ValueError: if ``group_size`` does not divide the number of examples.
    """
    gathered = axis.gather(x)
    size = min(group_size, len(gathered))
    if len(gathered) % size:
        raise ValueError(f"`group_size` must divide the number of examples, {len(gathered)}, got {group_size}.")
    groups = gathered.reshape(size, -1, *x.shape[1:])
    variance = jnp.square(groups - groups.mean(0, keepdims=True)).mean(0)
    stddev = jnp.tile(jnp.sqrt(variance + 1e-8).mean((1, 2, 3)), size)
    return lax.dynamic_slice_in_dim(stddev, axis.index() * x.shape[0], x.shape[0]).reshape(-1, 1, 1, 1)


def normalize_2nd_moment(x: jax.Array) -> jax.Array:
    """Divide ``x`` by its root mean square over the last axis.

    Args:
      x: an array of any shape [..., C], such as latents [B, C].
    """
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-8)


def scaled_leaky_relu(x: jax.Array, gain: float = 1.0, clamp: float | None = None) -> jax.Array:
    """Apply a leaky ReLU of slope 0.2, multiply by sqrt(2) * ``gain``, and clamp to [-clamp * gain, clamp * gain].

    The factor sqrt(2) preserves the second moment of normally distributed ``x`` up to 4 %. A ``clamp`` of None does not
    clamp.

    Args:
      x: an array of any shape.
      gain: factor of the output and of ``clamp``.
      clamp: largest absolute value of the output divided by ``gain``; None does not clamp.
    """
    return _clamp(nn.leaky_relu(x, 0.2) * (math.sqrt(2) * gain), None if clamp is None else clamp * gain)


def _clamp(x, clamp):
    return x if clamp is None else jnp.clip(x, -clamp, clamp)
