"""Networks of SRGAN, for super-resolution by a factor of 2 or 4. Ledig et al. 2017 (arXiv:1609.04802), figure 4.

The paper's networks are ``Generator()`` and, for crops of 96 x 96 pixels, ``Discriminator()``. The paper does not state
the initialisation of the weights. A network with normalisation layers uses DCGAN's initialisation, and a network
without them uses flax's default.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn import convolution, sums
from jaxgan.nn.layers import Conv, Dense, Initializer, PReLU, dcgan_kernel_init
from jaxgan.nn.normalization import Norm, norm_layer


class Generator(nn.Module):
    """SRResNet generator, from images [B, h, w, C] to images [B, scale * h, scale * w, out_channels], float32.

    The output is unbounded. In the paper, the target images are in [-1, 1] and the input images in [0, 1]. The network
    is fully convolutional, so it accepts images of any size, including sizes that did not occur in training.

    Attributes:
      out_channels: number of channels of the output images.
      scale: factor by which height and width grow: 2, 4 or another power of 2.
      num_blocks: number of residual blocks.
      channels: number of channels of all layers but the last.
      norm: normalisation in the residual blocks: "batch" (as in the paper), "instance" or "none". With "none", the
        blocks are equal to the blocks of EDSR (Lim et al. 2017, arXiv:1707.02921).
      icnr: whether to constrain the kernels before each pixel shuffle to avoid checkerboard artefacts (paper: False);
        see ``PixelShuffleUpsample``.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if ``scale`` is not 2, 4 or another power of 2.
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
    """3 x 3 convolution followed by ``pixel_shuffle`` by 2, from [B, h, w, C] to [B, 2h, 2w, features].

    Attributes:
      features: number of output channels.
      icnr: whether to constrain the four kernels that compute one block of 2 x 2 pixels. The constraint gives them the
        same bias and, for each input channel, the same sum over the 3 x 3 weights. Where the image is constant, the
        four pixels are then equal up to rounding, so no checkerboard pattern can appear there. ICNR (Aitken et al.
        2017, arXiv:1707.02937) only initialises the four kernels to be equal. Here the constraint holds throughout
        training.
      kernel_init: initializer of the kernel.
      dtype: data type of the computation; parameters are float32.
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
    """Discriminator, from images [B, h, w, C] to logits [B], float32.

    The network has eight convolutions, and every second convolution halves the height and width. With
    ``features=True``, a call does not return logits. It returns the output of the last convolution,
    [B, h/16, w/16, 8*channels], for a perceptual loss.

    Attributes:
      channels: number of channels of the first two convolutions. The number doubles after every second convolution.
      hidden: number of units of the linear layer before the last.
      norm: normalisation after all convolutions but the first: "batch" (as in the paper), "instance" or "none".
      global_pool: whether to average the features over the image before the linear layers, so that the network accepts
        images of any size. In the paper the linear layers receive all features of images of a fixed size. Do not
        combine ``global_pool=True`` with ``norm="batch"``. If real and generated images are in separate batches, batch
        normalisation makes their average features nearly the same, so the discriminator cannot distinguish them.
      dtype: data type of the computation; parameters are float32.
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
    """Rearrange the channels of each pixel into a block of factor x factor pixels: Shi et al. 2016 (arXiv:1609.05158).

    The order is the same as in PyTorch's ``PixelShuffle``: The factor**2 input channels of one output channel are
    adjacent, and become the pixels of a block, row by row.

    Args:
      x: feature maps, [B, h, w, C * factor**2].
      factor: upsampling factor.

    Returns:
      Feature maps, [B, factor * h, factor * w, C].

    Raises:
      ValueError: if the number of channels is not divisible by factor**2.
    """
    b, h, w, channels = x.shape
    if channels % factor**2:
        raise ValueError(f"The number of channels must be a multiple of {factor**2}, got {channels}.")
    blocks = x.reshape(b, h, w, channels // factor**2, factor, factor)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(b, factor * h, factor * w, -1)
