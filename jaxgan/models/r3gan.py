"""R3GAN: residual networks without normalisation. Huang et al. 2024 (2501.05441), https://github.com/brownvc/R3GAN.

A stage of the generator enlarges the image, then refines it by bottleneck blocks; the discriminator is its mirror. The
paper's networks for CIFAR-10 have widths (768,) * 4 and groups of 16 channels, from 64 latents.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, Dense, Embedding, GroupedConv, biased
from jaxgan.nn.resampling import enlarged, reduced

EXPANSION = 2  # of channels, inside a block
_GAIN = math.sqrt(2 / (1 + 0.2**2))  # of the leaky rectifier
_fan_in = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class Activation(nn.Module):
    """A bias, then a leaky rectifier of slope 0.2."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.leaky_relu(biased(self, x), 0.2)


class Block(nn.Module):
    """x plus 1x1, 3x3 in groups, 1x1, the last beginning at zero (figure 4).

    Attributes:
      depth: blocks of the whole network: the more, the smaller each one's weights begin (Zhang et al. 2019, section 3).
      group: channels of a group.
      dtype: the precision of computation.
    """

    depth: int
    group: int = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features, inner = x.shape[-1], EXPANSION * x.shape[-1]
        scale = (_GAIN * self.depth**-0.25) ** 2
        init = nn.initializers.variance_scaling(scale, "fan_in", "normal")
        how = {"use_bias": False, "dtype": self.dtype}
        y = Conv(inner, 1, kernel_init=init, name="expand", **how)(x)
        y = Activation(inner, name="activation_0")(y)
        y = GroupedConv(3, min(self.group, inner), kernel_init=init, dtype=self.dtype, name="mix")(y)
        y = Activation(inner, name="activation_1")(y)
        return x + Conv(features, 1, kernel_init=nn.initializers.zeros, name="join", **how)(y)


class Generator(nn.Module):
    """Latents [B, z] to images [B, base * 2^(n-1), ..., channels], unbounded, float32; n the number of widths.

    Attributes:
      widths: features of each stage, the smallest images' first.
      channels: of the images.
      blocks: of a stage.
      group: channels of a group.
      classes: with any, it is called with labels, whose embedding, as wide as the latents, is put beside them.
      dtype: the precision of computation.
      base: the size of the smallest images, the learnt basis.
    """

    widths: tuple[int, ...] = (768,) * 4
    channels: int = 3
    blocks: int = 2
    group: int = 16
    classes: int = 0
    dtype: jnp.dtype = jnp.float32
    base: int = 4

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None) -> jax.Array:
        if self.classes:
            embedding = Embedding(self.classes, z.shape[-1], embedding_init=_fan_in, name="label")(label)
            z = jnp.concatenate([z, embedding], -1)
        basis = self.param("basis", nn.initializers.normal(1.0), (self.base, self.base, self.widths[0]))
        x = Dense(self.widths[0], use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="linear")(z)
        x = x[:, None, None] * basis[None].astype(self.dtype)
        for i, width in enumerate(self.widths):
            if i > 0:
                x = enlarged(_to_width(x, width, f"width_{i}", self.dtype))
            x = _stage(self, i, x)
        x = Conv(self.channels, 1, use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="image")(x)
        return x.astype(jnp.float32)


class Discriminator(nn.Module):
    """Images [B, base * 2^(n-1), ..., C] to logits [B], float32; n the number of widths.

    Attributes:
      widths: features of each stage, the smallest images' last.
      blocks, group: as the generator's.
      classes: with any, it is called with labels: the logit is the product of ``embedding`` features with theirs.
      embedding: the features of a label; the paper has the first width.
      dtype, base: as the generator's.
    """

    widths: tuple[int, ...] = (768,) * 4
    blocks: int = 2
    group: int = 16
    classes: int = 0
    embedding: int = 768
    dtype: jnp.dtype = jnp.float32
    base: int = 4

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        size = self.base * 2 ** (len(self.widths) - 1)
        if x.ndim != 4 or x.shape[1:3] != (size, size):
            raise ValueError(f"images of shape {x.shape}: {len(self.widths)} widths are for [B, {size}, {size}, C]")
        x = _to_width(x, self.widths[0], "width_0", self.dtype, always=True)
        for i, width in enumerate(self.widths):
            if i > 0:
                x = _to_width(reduced(x), width, f"width_{i}", self.dtype)
            x = _stage(self, i, x)
        basis = self.param("basis", nn.initializers.normal(1 / self.base), (self.base, self.base, self.widths[-1]))
        x = (x * basis[None].astype(x.dtype)).sum((1, 2))
        outputs = self.embedding if self.classes else 1
        x = Dense(outputs, use_bias=False, kernel_init=_fan_in, dtype=self.dtype, name="linear")(x).astype(jnp.float32)
        if not self.classes:
            return x.reshape(-1)
        init = nn.initializers.variance_scaling(1 / self.embedding, "fan_in", "normal")
        return (x * Embedding(self.classes, self.embedding, embedding_init=init, name="label")(label)).sum(-1)


def _stage(network, i, x):
    """The blocks of stage ``i`` of either network."""
    for j in range(network.blocks):
        x = Block(network.blocks * len(network.widths), network.group, network.dtype, name=f"block_{i}_{j}")(x)
    return x


def _to_width(x, width, name, dtype, always=False):
    if x.shape[-1] == width and not always:
        return x
    return Conv(width, 1, use_bias=False, kernel_init=_fan_in, dtype=dtype, name=name)(x)
