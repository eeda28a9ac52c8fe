"""Networks of R3GAN: residual networks without normalisation layers.

Source: Huang et al. 2024 (arXiv:2501.05441), https://github.com/brownvc/R3GAN. Each stage of the generator but the
first upsamples the feature map, and then applies residual bottleneck blocks. The discriminator has the same stages in
reverse order. The paper's networks for CIFAR-10 have four stages of 768 channels, 16 channels per group and 64 latents.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, Dense, Embedding, GroupedConv, add_bias
from jaxgan.nn.resampling import downsample, upsample

EXPANSION = 2  # number of channels inside a residual block, divided by the number of its input channels
_GAIN = math.sqrt(2 / (1 + 0.2**2))  # factor that preserves the variance after a leaky ReLU of slope 0.2
_fan_in = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class BiasedActivation(nn.Module):
    """A bias followed by a leaky ReLU of slope 0.2.

    Attributes:
      features: number of channels of the input and the output.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.leaky_relu(add_bias(self, x), 0.2)


class ResidualBlock(nn.Module):
    """Residual bottleneck block: a 1 x 1, a grouped 3 x 3 and a 1 x 1 convolution, added to the input (figure 4).

    The kernel of the last convolution is initialised to zero.

    Attributes:
      num_blocks: number of residual blocks of the complete network. The initial weights are smaller if there are more
        blocks (Fixup, Zhang et al. 2019, section 3).
      channels_per_group: number of channels per group of the grouped convolution.
      dtype: data type of the computation; parameters are float32.
    """

    num_blocks: int
    channels_per_group: int = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features, inner = x.shape[-1], EXPANSION * x.shape[-1]
        scale = (_GAIN * self.num_blocks**-0.25) ** 2
        init = nn.initializers.variance_scaling(scale, "fan_in", "normal")
        y = Conv(inner, 1, use_bias=False, kernel_init=init, dtype=self.dtype, name="expand")(x)
        y = BiasedActivation(inner, name="activation_0")(y)
        group = min(self.channels_per_group, inner)
        y = GroupedConv(3, group, kernel_init=init, dtype=self.dtype, name="mix")(y)
        y = BiasedActivation(inner, name="activation_1")(y)
        zeros = nn.initializers.zeros
        return x + Conv(features, 1, use_bias=False, kernel_init=zeros, dtype=self.dtype, name="join")(y)


class Generator(nn.Module):
    """Generator, from latents [B, z] to unbounded images [B, h, h, img_channels], float32.

    The resolution h is base_resolution * 2**(stages - 1).

    Attributes:
      channels_per_stage: number of channels of each stage, from the lowest to the highest resolution.
      img_channels: number of channels of the images.
      blocks_per_stage: number of residual blocks in each stage.
      channels_per_group: number of channels per group of the grouped convolutions.
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels, and
        concatenates the latents with an embedding of the label. The embedding has the same size as the latents.
      dtype: data type of the computation; parameters are float32.
      base_resolution: height and width of the first feature map. It is a learnt array, the basis, with channels that
        are scaled by a linear function of the latents.
    """

    channels_per_stage: tuple[int, ...] = (768,) * 4
    img_channels: int = 3
    blocks_per_stage: int = 2
    channels_per_group: int = 16
    classes: int = 0
    dtype: jnp.dtype = jnp.float32
    base_resolution: int = 4

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None) -> jax.Array:
        if self.classes:
            embedding = Embedding(self.classes, z.shape[-1], embedding_init=_fan_in, name="label")(label)
            z = jnp.concatenate([z, embedding], -1)
        first, base = self.channels_per_stage[0], self.base_resolution
        basis = self.param("basis", nn.initializers.normal(1.0), (base, base, first))
        x = Dense(first, use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="linear")(z)
        x = x[:, None, None] * basis[None].astype(self.dtype)
        for i, channels in enumerate(self.channels_per_stage):
            if i > 0:
                x = upsample(_match_channels(x, channels, f"width_{i}", self.dtype))
            x = _residual_blocks(self, i, x)
        x = Conv(self.img_channels, 1, use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="image")(x)
        return x.astype(jnp.float32)


class Discriminator(nn.Module):
    """Discriminator, from images [B, h, h, C] to logits [B], float32.

    The resolution h is base_resolution * 2**(stages - 1).

    Attributes:
      channels_per_stage: number of channels of each stage, from the highest to the lowest resolution.
      blocks_per_stage: number of residual blocks in each stage.
      channels_per_group: number of channels per group of the grouped convolutions.
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels, and its
        logit is the inner product of an embedding of the image and an embedding of the label.
      embedding_dim: size of the two embeddings (paper: the number of channels of the first stage).
      dtype: data type of the computation; parameters are float32.
      base_resolution: height and width of the last feature map.

    Raises:
      ValueError: if the height or width of the images is not h.
    """

    channels_per_stage: tuple[int, ...] = (768,) * 4
    blocks_per_stage: int = 2
    channels_per_group: int = 16
    classes: int = 0
    embedding_dim: int = 768
    dtype: jnp.dtype = jnp.float32
    base_resolution: int = 4

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        stages, base = len(self.channels_per_stage), self.base_resolution
        size = base * 2 ** (stages - 1)
        if x.ndim != 4 or x.shape[1:3] != (size, size):
            raise ValueError(f"Images must be [B, {size}, {size}, C] for {stages} stages, got the shape {x.shape}.")
        x = _conv_1x1(x, self.channels_per_stage[0], "width_0", self.dtype)
        for i, channels in enumerate(self.channels_per_stage):
            if i > 0:
                x = _match_channels(downsample(x), channels, f"width_{i}", self.dtype)
            x = _residual_blocks(self, i, x)
        basis = self.param("basis", nn.initializers.normal(1 / base), (base, base, self.channels_per_stage[-1]))
        x = (x * basis[None].astype(x.dtype)).sum((1, 2))
        outputs = self.embedding_dim if self.classes else 1
        x = Dense(outputs, use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="linear")(x).astype(jnp.float32)
        if not self.classes:
            return x.reshape(-1)
        init = nn.initializers.variance_scaling(1 / self.embedding_dim, "fan_in", "normal")
        return (x * Embedding(self.classes, self.embedding_dim, embedding_init=init, name="label")(label)).sum(-1)


def _residual_blocks(network, i, x):
    """Apply the residual blocks of stage ``i`` of the generator or the discriminator."""
    num_blocks = network.blocks_per_stage * len(network.channels_per_stage)
    for j in range(network.blocks_per_stage):
        x = ResidualBlock(num_blocks, network.channels_per_group, network.dtype, name=f"block_{i}_{j}")(x)
    return x


def _match_channels(x, channels, name, dtype):
    """Return ``x`` if it has ``channels`` channels, otherwise a 1 x 1 convolution of ``x``."""
    return x if x.shape[-1] == channels else _conv_1x1(x, channels, name, dtype)


def _conv_1x1(x, channels, name, dtype):
    return Conv(channels, 1, use_bias=False, kernel_init=_fan_in, dtype=dtype, name=name)(x)
