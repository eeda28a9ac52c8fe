"""pix2pix: images to images, a U-Net and discriminators of patches. Isola, Zhu, Zhou and Efros 2017 (1611.07004).

As in the authors' code, https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, whose weights ``interop.pix2pix``
reads and writes. The paper's networks for 256 x 256 are ``Generator()`` and ``Discriminator()``, which sees the input
and the image: ``d(input, image)``.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, ConvTranspose, Norm, dropout, normalization

_kernels = nn.initializers.normal(0.02)  # section 6.2


class Generator(nn.Module):
    """The U-Net (Ronneberger et al. 2015): images [B, h, w, C] to images [B, h, w, channels] in (-1, 1), float32.

    Each level halves the image; on the way up a level sees what the one of its size saw on the way down. Dropout draws
    from keys, one for each example: ``g(x, keys)``; without them, nothing is dropped. The paper has it at test too.

    Attributes:
      channels: of the images that go out.
      downs: how many levels: 8 for 256 x 256, 7 for 128 x 128. The innermost image is of one pixel there.
      width: features of the first level; those after it have twice as many, up to eight times.
      norm: of all but the outermost and innermost levels, whose convolutions have biases with "instance" alone.
      keep: the share that dropout keeps of the levels of full width but the first and the last; 1 drops nothing.
      at_test: what "batch" normalises by out of training: the moving averages, or, as in the paper, each image's own.
      dtype: the precision of computation.

    Raises:
      ValueError: a side of the image is not divisible by 2**downs.
    """

    channels: int = 3
    downs: int = 8
    width: int = 64
    norm: Norm = "batch"
    keep: float = 0.5
    at_test: Literal["averages", "image"] = "image"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None, *, train: bool) -> jax.Array:
        last = self.downs - 1
        if last < 1:
            raise ValueError(f"downs {self.downs}: want 2 or more")
        if x.ndim != 4 or any(n % 2**self.downs for n in x.shape[1:3]):
            raise ValueError(
                f"images of shape {x.shape}: want [B, h, w, C], sides divisible by {2**self.downs}, which is "
                f"2**downs; crop or resize them, or have fewer downs"
            )
        own = {"stride": 2, "padding": 1, "kernel_init": _kernels, "dtype": self.dtype}
        use_bias = self.norm == "instance"
        widths = [self.width * min(2**i, 8) for i in range(self.downs)]
        seen = []
        for i, features in enumerate(widths):
            x = nn.leaky_relu(x, 0.2) if i > 0 else x
            x = Conv(features, use_bias=use_bias, name=f"down_{i}", **own)(x)
            if 0 < i < last:
                x = normalization(self.norm, f"down_norm_{i}", self.at_test)(x, train)
            seen.append(x)
        for i in range(last, 0, -1):
            x = ConvTranspose(widths[i - 1], use_bias=use_bias, name=f"up_{i}", **own)(nn.relu(x))
            x = normalization(self.norm, f"up_norm_{i}", self.at_test)(x, train)
            if 4 <= i < last:
                x = dropout(x, keys, i, self.keep)
            x = jnp.concatenate([seen[i - 1], x], -1)
        x = ConvTranspose(self.channels, name="up_0", **own)(nn.relu(x))
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [B, h, w, C] to a logit for each patch of them, [B, h', w'], float32: the paper's 70 x 70 PatchGAN.

    Several images of one size, ``d(input, image)``, are joined by channels, in that order: pix2pix, on condition of its
    input. CycleGAN's has one. Losses take vectors, one value per example: give them ``logits.reshape(-1)``, and
    ``jaxgan.total`` takes the mean over all patches.

    Attributes:
      layers: with strides of 2, after which two more convolutions follow. A patch is of 16, 34, 70, 142 or 286 pixels
        a side for 1 to 5. An image of 256 x 256 gives 30 x 30 logits with 3.
      width: features after the first layer; those after it have twice as many, up to eight times.
      norm: of all but the first and the last layer.
      dtype: the precision of computation.

    Raises:
      ValueError: the image is smaller than the kernels.
    """

    layers: int = 3
    width: int = 64
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *images: jax.Array, train: bool) -> jax.Array:
        x = jnp.concatenate(images, -1)
        if self.layers < 1 or x.ndim != 4:
            raise ValueError(f"{self.layers} layers for {x.shape}: want 1 or more for [B, h, w, C]")
        own = {"padding": 1, "kernel_init": _kernels, "dtype": self.dtype}
        x = nn.leaky_relu(Conv(self.width, stride=2, name="conv_0", **own)(x), 0.2)
        for i in range(1, self.layers + 1):
            stride, features = 2 if i < self.layers else 1, self.width * min(2**i, 8)
            x = Conv(features, stride=stride, use_bias=self.norm == "instance", name=f"conv_{i}", **own)(x)
            x = normalization(self.norm, f"norm_{i}", "averages")(x, train)
            x = nn.leaky_relu(x, 0.2)
        logits = Conv(1, name="logit", **own)(x)
        return logits.astype(jnp.float32)[..., 0]


class PixelDiscriminator(nn.Module):
    """Images [B, h, w, C] to a logit for each pixel, [B, h, w], float32: convolutions of 1 x 1. As ``Discriminator``.

    Attributes:
      width: features after the first layer; the second has twice as many.
      norm: of the second layer.
      dtype: the precision of computation.
    """

    width: int = 64
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *images: jax.Array, train: bool) -> jax.Array:
        x = jnp.concatenate(images, -1)
        own = {"kernel": 1, "kernel_init": _kernels, "dtype": self.dtype}
        use_bias = self.norm == "instance"
        x = nn.leaky_relu(Conv(self.width, name="pixel_0", **own)(x), 0.2)
        x = Conv(2 * self.width, use_bias=use_bias, name="pixel_1", **own)(x)
        x = nn.leaky_relu(normalization(self.norm, "norm_1", "averages")(x, train), 0.2)
        logits = Conv(1, use_bias=use_bias, name="logit", **own)(x)
        return logits.astype(jnp.float32)[..., 0]
