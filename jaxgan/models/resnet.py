"""Residual networks of WGAN-GP and, with spectral normalisation and classes, of SNGAN and its projection discriminator.

Gulrajani et al. 2017 (1704.00028), https://github.com/igul222/improved_wgan_training; Miyato et al. 2018 (1802.05957)
and Miyato and Koyama 2018 (1802.05637), https://github.com/pfnet-research/sngan_projection, whose networks for 32 x 32
are the same blocks: ``Generator(width=256)`` and ``Critic(128, spectral_norm=True, total=True)``.

Up and down blocks are written in their fused forms, which are the same functions of the same parameters: a 3x3
convolution of an image enlarged by nearest neighbours is a transposed 4x4 one of stride 2, a 3x3 convolution and
a 2x2 mean a 4x4 one of stride 2. Each takes 16 products a pixel of the small image instead of 36.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn import convolution
from jaxgan.nn.layers import BatchNorm, Conv, Dense, Embedding, biased, doublings, spectrally_normalized

# As the authors of both draw them: He et al. 2015 for what a rectifier follows, Glorot and Bengio 2010 elsewhere.
_he = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
_glorot = nn.initializers.glorot_uniform()


class UpConv(nn.Module):
    """An image [B, h, w, C], enlarged to 2h x 2w by nearest neighbours, then a 3x3 convolution: [B, 2h, 2w, D]."""

    features: int
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = _he
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        # The transposed form takes kernels [4, 4, D, C], flipped.
        w = jnp.flip(_spread(self, x.shape[-1], self.kernel_init), (0, 1)).swapaxes(-1, -2)
        g = convolution.same((2 * x.shape[1], 2 * x.shape[2]), (4, 4), 2)
        x = jnp.asarray(convolution.up(g, x.astype(self.dtype), w.astype(self.dtype)))
        return biased(self, x) if self.use_bias else x


class DownConv(nn.Module):
    """A 3x3 convolution of an image [B, 2h, 2w, C], then the mean of each 2x2 pixels: [B, h, w, D]."""

    features: int
    spectral_norm: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        w = _spread(self, x.shape[-1], spectral_norm=self.spectral_norm) / 4
        g = convolution.same(x.shape[1:3], (4, 4), 2)
        return biased(self, convolution.down(g, x.astype(self.dtype), w.astype(self.dtype)))


def _spread(layer, channels, kernel_init=_he, spectral_norm=False):
    """A layer's 3x3 kernel seen through 2x2 pixels that are one: [4, 4, C, D], the sum of its four shifts."""
    w = layer.param("kernel", kernel_init, (3, 3, channels, layer.features))
    w = spectrally_normalized(layer, w) if spectral_norm else w
    shifts = [jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    return sum(shifts[1:], shifts[0])


class Generator(nn.Module):
    """Latents [B, z] to images [B, size, size, channels] in (-1, 1); the papers' z is 128.

    Attributes:
      size: ``base`` doubled once or more.
      channels: of the images.
      width: features of every layer.
      base: the size that the linear layer gives.
      classes: with any, it is called with labels, and each class has its own scales and biases in BatchNorm.
      dtype: the precision of computation; images are float32.
    """

    size: int = 32
    channels: int = 3
    width: int = 128
    base: int = 4
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        def norm(x, name, classes=self.classes):
            return BatchNorm(classes=classes, name=name)(x, train, label)

        x = Dense(self.base**2 * self.width, kernel_init=_glorot, dtype=self.dtype, name="linear")(z)
        x = x.reshape(z.shape[0], self.base, self.base, self.width)
        for i in range(doublings(self.size, self.base)):
            y = nn.relu(norm(x, f"norm_{i}_0"))
            y = UpConv(self.width, self.dtype, name=f"up_{i}")(y)
            y = nn.relu(norm(y, f"norm_{i}_1"))
            y = Conv(self.width, 3, kernel_init=_he, dtype=self.dtype, name=f"conv_{i}")(y)
            # Before it is enlarged: of a 1x1 convolution it is the same.
            x = Conv(self.width, 1, kernel_init=_glorot, dtype=self.dtype, name=f"shortcut_{i}")(x)
            x = x.repeat(2, 1).repeat(2, 2) + y
        x = nn.relu(norm(x, "norm", classes=0))
        x = Conv(self.channels, 3, kernel_init=_glorot, dtype=self.dtype, name="image")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Critic(nn.Module):
    """Images [B, size, size, C] to values [B], float32: two blocks that halve the size, two that keep it, no norm.

    The size is a multiple of 4.

    Attributes:
      width: features of every layer.
      spectral_norm: of every layer's kernel: SNGAN's discriminator, whose values are logits.
      total: the features' sum over pixels, as SNGAN has it, instead of their mean.
      classes: with any, it is called with labels, and the class's projection is added (Miyato and Koyama 2018,
        equation 4).
      dtype: the precision of computation.

    Raises:
      ValueError: what it is called with is no batch of images that can be halved twice.
    """

    width: int = 128
    spectral_norm: bool = False
    total: bool = False
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        if x.ndim != 4 or x.shape[1] % 4 or x.shape[2] % 4:
            raise ValueError(f"images of shape {x.shape}: want [B, size, size, channels], the size a multiple of 4")
        how = {"spectral_norm": self.spectral_norm, "dtype": self.dtype}

        def conv(x, name):
            return Conv(self.width, 3, kernel_init=_he, name=name, **how)(x)

        def shortcut(x, name):
            # After the mean: of a 1x1 convolution it is the same.
            batch, height, width, channels = x.shape
            x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
            return Conv(self.width, 1, kernel_init=_glorot, name=name, **how)(x)

        y = nn.relu(conv(x, "conv_0"))  # the first block takes pixels as they are
        x = DownConv(self.width, name="down_0", **how)(y) + shortcut(x, "shortcut_0")
        y = nn.relu(conv(nn.relu(x), "conv_1"))
        x = DownConv(self.width, name="down_1", **how)(y) + shortcut(x, "shortcut_1")
        for i in (2, 3):
            y = nn.relu(conv(nn.relu(x), f"conv_{i}_0"))
            x = x + conv(y, f"conv_{i}_1")
        x = nn.relu(x).sum((1, 2)) if self.total else nn.relu(x).mean((1, 2))
        bias = not self.spectral_norm  # as the authors of each have it
        value = Dense(1, use_bias=bias, kernel_init=_glorot, name="value", **how)(x).reshape(-1)
        if self.classes:
            projection = Embedding(self.classes, self.width, embedding_init=_glorot, name="projection", **how)(label)
            value = value + (x * projection).sum(-1)
        return value.astype(jnp.float32)
