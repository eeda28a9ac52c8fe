"""SRGAN: super-resolution by a factor of 2 or 4. Ledig et al. 2017 (1609.04802), figure 4.

The paper's networks are ``Generator()`` and, for crops of 96 x 96, ``Discriminator()``. The paper does not state the
initialisation: where normalisation follows it is DCGAN's, elsewhere flax's default.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn import convolution, sums
from jaxgan.nn.layers import Conv, Dense, Initializer, PReLU, dcgan_kernel_init
from jaxgan.nn.normalization import Norm, norm_layer


class Generator(nn.Module):
    """SRResNet: images [B, h, w, C] to images [B, scale * h, scale * w, out_channels], float32.

    The output is not bounded; the paper compares it with images in [-1, 1], and its inputs are in [0, 1]. The network
    is fully convolutional, so images of any size can be given, also of other sizes than in training.

    Attributes:
      out_channels: of the generated images.
      scale: 2, 4 or another power of 2.
      num_blocks: residual blocks.
      channels: of all layers but the last.
      norm: of the blocks; the paper's is "batch". With "none" they are EDSR's (Lim et al. 2017, 1707.02921).
      icnr: constrain the kernels before a pixel shuffle, see ``PixelShuffleUpsample``; the paper's are not constrained.
      dtype: the precision of computation.

    Raises:
      ValueError: the scale is 1, or no power of 2.
    """

    out_channels: int = 3
    scale: int = 4
    num_blocks: int = 16
    channels: int = 64
    norm: Norm = "batch"
    icnr: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if self.scale < 2 or self.scale & (self.scale - 1):
            raise ValueError(f"`scale` must be 2, 4 or another power of 2, got {self.scale}.")
        kwargs = _layer_kwargs(self)

        def layer(x, name):
            x = Conv(self.channels, 3, use_bias=self.norm != "batch", name=name, **kwargs)(x)
            return norm_layer(self.norm, f"{name}_norm")(x, train)

        x = first = PReLU(name="first_slope")(Conv(self.channels, 9, name="first", **kwargs)(x))
        for i in range(self.num_blocks):
            y = PReLU(name=f"block_{i}_slope")(layer(x, f"block_{i}_0"))
            x = x + layer(y, f"block_{i}_1")
        x = first + layer(x, "last")
        for i in range(self.scale.bit_length() - 1):
            x = PixelShuffleUpsample(self.channels, self.icnr, name=f"up_{i}", **kwargs)(x)
            x = PReLU(name=f"up_{i}_slope")(x)
        return Conv(self.out_channels, 9, name="image", **kwargs)(x).astype(jnp.float32)


def _layer_kwargs(network) -> dict[str, Any]:
    kwargs: dict[str, Any] = {"dtype": network.dtype}
    if network.norm != "none":
        kwargs["kernel_init"] = dcgan_kernel_init
    return kwargs


class PixelShuffleUpsample(nn.Module):
    """A convolution of 3 x 3 and ``pixel_shuffle`` by 2: [B, h, w, C] to [B, 2h, 2w, features].

    Attributes:
      features: channels of the output.
      icnr: constrain the four channels that become a block of 2 x 2 pixels to one bias and, for each input channel, one
        sum of the kernel. Where the image is flat the four pixels then are equal, up to rounding, so no checkerboard
        pattern can arise there. ICNR (Aitken et al. 2017, 1707.02937) initialises the four kernels as equal; here the
        constraint holds throughout training.
    """

    features: int
    icnr: bool
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        blocks = (self.features, 4)
        w = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], 4 * self.features))
        b = self.param("bias", nn.initializers.zeros, (4 * self.features,))
        if self.icnr:
            mean = w.reshape(*w.shape[:3], *blocks).mean((0, 1))
            w = w + (mean.mean(-1, keepdims=True) - mean).reshape(1, 1, *w.shape[2:])
            b = jnp.broadcast_to(b.reshape(blocks).mean(-1, keepdims=True), blocks).reshape(-1)
        g = convolution.same(x.shape[1:3], (3, 3), 1)
        y = jnp.asarray(convolution.conv(g, x.astype(self.dtype), w.astype(self.dtype)))
        return pixel_shuffle(y + sums.broadcast_over_space(b.astype(self.dtype), y.shape[:-1]), 2)


class Discriminator(nn.Module):
    """Images [B, h, w, C] to logits [B], float32: eight convolutions, every second of which halves the image.

    ``d(x, features=True)`` returns the output of the last convolution, [B, h / 16, w / 16, 8 * channels], for a
    perceptual loss.

    Attributes:
      channels: of the first two convolutions; each two after them have twice as many.
      hidden: units of the layer before the last.
      norm: of all convolutions but the first; the paper's is "batch".
      global_pool: give the linear layers the mean of the features over the image, so that images of any size can be
        given. The paper's see all features, of images of one size. Do not combine it with "batch": where the batches of
        reals and of fakes are normalised separately, the means of both are nearly the same.
      dtype: the precision of computation.
    """

    channels: int = 64
    hidden: int = 1024
    norm: Norm = "batch"
    global_pool: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, features: bool = False) -> jax.Array:
        kwargs = _layer_kwargs(self)
        for i in range(8):
            norm = self.norm if i > 0 else "none"
            features_i = self.channels * 2 ** (i // 2)
            x = Conv(features_i, 3, 1 + i % 2, use_bias=norm != "batch", padding=1, name=f"conv_{i}", **kwargs)(x)
            x = nn.leaky_relu(norm_layer(norm, f"norm_{i}")(x, train), 0.2)
        if features:
            return x.astype(jnp.float32)
        x = x.mean((1, 2)) if self.global_pool else x.reshape(x.shape[0], -1)
        x = nn.leaky_relu(Dense(self.hidden, name="hidden", **kwargs)(x), 0.2)
        return Dense(1, name="logit", **kwargs)(x).astype(jnp.float32).reshape(-1)


def pixel_shuffle(x: jax.Array, factor: int) -> jax.Array:
    """[B, h, w, C * factor**2] to [B, factor * h, factor * w, C]: the channels of a pixel become a block of pixels.

    Shi et al. 2016 (1609.05158). As in PyTorch, the input channels of one output channel are adjacent, and are the
    pixels of the block row by row.

    Raises:
      ValueError: the number of channels is not divisible by factor**2.
    """
    b, h, w, channels = x.shape
    if channels % factor**2:
        raise ValueError(f"the number of channels must be a multiple of {factor**2}, got {channels}.")
    blocks = x.reshape(b, h, w, channels // factor**2, factor, factor)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(b, factor * h, factor * w, -1)
