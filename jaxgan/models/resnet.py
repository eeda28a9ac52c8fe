"""Residual networks of WGAN-GP. Gulrajani et al. 2017 (1704.00028), https://github.com/igul222/improved_wgan_training.

Up and down blocks are written in their fused forms, which are the same functions of the same parameters: a 3x3
convolution of an image enlarged by nearest neighbours is a transposed 4x4 one of stride 2, a 3x3 convolution and
a 2x2 mean a 4x4 one of stride 2. Each takes 16 products a pixel of the small image instead of 36.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models import convolution
from jaxgan.models.dcgan import doublings
from jaxgan.models.layers import BatchNorm, Conv, Dense, biased

# As the authors draw them: He et al. 2015 for what a rectifier follows, Glorot and Bengio 2010 elsewhere.
_he = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
_glorot = nn.initializers.glorot_uniform()


class UpConv(nn.Module):
    """An image [B, h, w, C], enlarged to 2h x 2w by nearest neighbours, then a 3x3 convolution: [B, 2h, 2w, D]."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        # The transposed form takes kernels [4, 4, D, C], flipped.
        w = jnp.flip(_spread(self, x.shape[-1]), (0, 1)).swapaxes(-1, -2)
        g = convolution.same((2 * x.shape[1], 2 * x.shape[2]), (4, 4), 2)
        return biased(self, convolution.up(g, x.astype(self.dtype), w.astype(self.dtype)))


class DownConv(nn.Module):
    """A 3x3 convolution of an image [B, 2h, 2w, C], then the mean of each 2x2 pixels: [B, h, w, D]."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        w = _spread(self, x.shape[-1]) / 4
        g = convolution.same(x.shape[1:3], (4, 4), 2)
        return biased(self, convolution.down(g, x.astype(self.dtype), w.astype(self.dtype)))


def _spread(layer, channels):
    """A layer's 3x3 kernel seen through 2x2 pixels that are one: [4, 4, C, D], the sum of its four shifts."""
    w = layer.param("kernel", _he, (3, 3, channels, layer.features))
    shifts = [jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    return sum(shifts[1:], shifts[0])


class Generator(nn.Module):
    """Latents [B, z] to images [B, size, size, channels] in (-1, 1); the paper's z is 128.

    Attributes:
      size: a power of two from 8.
      channels: of the images.
      width: features of every layer.
      base: the size that the linear layer gives.
      dtype: the precision of computation; images are float32.
    """

    size: int = 32
    channels: int = 3
    width: int = 128
    base: int = 4
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        x = Dense(self.base**2 * self.width, kernel_init=_glorot, dtype=self.dtype, name="linear")(z)
        x = x.reshape(len(z), self.base, self.base, self.width)
        for i in range(doublings(self.size, self.base)):
            y = nn.relu(BatchNorm(name=f"norm_{i}_0")(x, train))
            y = UpConv(self.width, self.dtype, name=f"up_{i}")(y)
            y = nn.relu(BatchNorm(name=f"norm_{i}_1")(y, train))
            y = Conv(self.width, 3, kernel_init=_he, dtype=self.dtype, name=f"conv_{i}")(y)
            # Before it is enlarged: of a 1x1 convolution it is the same.
            x = Conv(self.width, 1, kernel_init=_glorot, dtype=self.dtype, name=f"shortcut_{i}")(x)
            x = x.repeat(2, 1).repeat(2, 2) + y
        x = nn.relu(BatchNorm(name="norm")(x, train))
        x = Conv(self.channels, 3, kernel_init=_glorot, dtype=self.dtype, name="image")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Critic(nn.Module):
    """Images [B, size, size, C] to values [B], float32: two blocks that halve the size, two that keep it, no norm.

    Attributes:
      width: features of every layer.
      dtype: the precision of computation.
    """

    width: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def conv(x, name):
            return Conv(self.width, 3, kernel_init=_he, dtype=self.dtype, name=name)(x)

        def shortcut(x, name):
            # After the mean: of a 1x1 convolution it is the same.
            batch, height, width, channels = x.shape
            x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
            return Conv(self.width, 1, kernel_init=_glorot, dtype=self.dtype, name=name)(x)

        y = nn.relu(conv(x, "conv_0"))  # the first block takes pixels as they are
        x = DownConv(self.width, self.dtype, name="down_0")(y) + shortcut(x, "shortcut_0")
        y = nn.relu(conv(nn.relu(x), "conv_1"))
        x = DownConv(self.width, self.dtype, name="down_1")(y) + shortcut(x, "shortcut_1")
        for i in (2, 3):
            y = nn.relu(conv(nn.relu(x), f"conv_{i}_0"))
            x = x + conv(y, f"conv_{i}_1")
        x = nn.relu(x).mean((1, 2))
        value = Dense(1, kernel_init=_glorot, dtype=self.dtype, name="value")(x)
        return value.astype(jnp.float32).reshape(-1)
