"""The layers of StyleGAN2: Karras et al. 2020 (1912.04958).

As in the authors' code, https://github.com/NVlabs/stylegan2-ada-pytorch. All have an equalised learning rate: kernels
are initialised as N(0, 1), and scaled by the fan-in where they are used (1710.10196, section 4.1).
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
    """A linear map with an equalised learning rate, float32: the official ``FullyConnectedLayer``.

    Attributes:
      features: of the output.
      lr_multiplier: of the learning rate. The kernel is initialised as N(0, 1) / lr_multiplier; the kernel that is used
        is kernel * lr_multiplier / sqrt(inputs), and the bias that is used is bias * lr_multiplier.
      bias_init: the initial value of the bias.
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
    """A convolution with an equalised learning rate: the official ``Conv2dLayer``.

    Attributes:
      features: of the output.
      kernel_size: 3 or another odd number.
      downsample: halve the image; it is blurred first.
      activation: "lrelu" adds a bias and applies ``scaled_leaky_relu``; "linear" does neither.
      gain: of the output.
      dtype: the precision of computation.
      conv_clamp: the output, before ``gain``, is clamped to +-conv_clamp.
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
    """A modulated 3 x 3 convolution, noise, a bias and a leaky ReLU: [B, h, w, C] and styles [B, w_dim].

    Attributes:
      features: of the output.
      upsample: double the image.
      dtype: the precision of computation.
      conv_clamp: the output is clamped to +-conv_clamp.
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
    """Features to an image, by a modulated 1 x 1 convolution and a bias; float32.

    Attributes:
      features: channels of the image.
      dtype: the precision of computation.
      conv_clamp: the output is clamped to +-conv_clamp.
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
    """A convolution whose kernel is modulated for each example, kernel * style: 1912.04958, section 2.2.

    It is computed as one convolution with one kernel, of inputs times styles; demodulation divides the outputs by the
    norms of the modulated kernels. So no kernel is made for each example, and a batch is one matrix product.

    Args:
      x: [B, h, w, C].
      kernel: [*widths, C, D].
      styles: [B, C].
      demodulate: scale the modulated kernel of each output channel to norm 1.
      upsample: return [B, 2h, 2w, D], by a transposed convolution whose output is blurred.
    """
    if x.dtype != jnp.float32 and demodulate:
        # Demodulation cancels these factors; without them float16 would overflow (in the code of 2006.06676).
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
    """The standard deviation of features over each example's group, mean over [h, w, C]: [B, 1, 1, 1].

    Args:
      x: features, [B, h, w, C].
      group_size: examples of a group. With N examples on all devices together, every (N / group_size)-th belongs to the
        same group. If there are fewer examples, they are one group.

    Raises:
      ValueError: ``group_size`` does not divide the number of examples.
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
    """``x`` divided by its root mean square over the last axis."""
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-8)


def scaled_leaky_relu(x: jax.Array, gain: float = 1.0, clamp: float | None = None) -> jax.Array:
    """A leaky ReLU of slope 0.2 times sqrt(2) * ``gain``, clamped to +-clamp * gain.

    The factor sqrt(2) keeps the second moment of a normal ``x``, up to 4 %.
    """
    return _clamp(nn.leaky_relu(x, 0.2) * (math.sqrt(2) * gain), None if clamp is None else clamp * gain)


def _clamp(x, clamp):
    return x if clamp is None else jnp.clip(x, -clamp, clamp)
