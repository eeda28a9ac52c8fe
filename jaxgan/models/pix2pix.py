"""pix2pix: a U-Net and PatchGAN discriminators for image translation. Isola, Zhu, Zhou and Efros 2017 (1611.07004).

As in the authors' code, https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, whose weights ``interop.pix2pix``
reads and writes. The paper's networks for 256 x 256 are ``Generator()`` and ``Discriminator()``, which sees the input
and the image: ``d(input, image)``.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, ConvTranspose, dcgan_kernel_init, dropout
from jaxgan.nn.normalization import EvalStats, Norm, norm_layer


class Generator(nn.Module):
    """The U-Net (Ronneberger et al. 2015): images [B, h, w, C] to images [B, h, w, out_channels] in (-1, 1), float32.

    Each level halves the image; skip connections join the levels of one size on the way down and on the way up. Dropout
    uses one key for each example, ``g(x, keys)``; without keys nothing is dropped. The paper has dropout at test time
    too.

    Attributes:
      out_channels: of the generated images.
      num_downs: the number of levels: 8 for 256 x 256, 7 for 128 x 128, at which the innermost image is a single pixel.
      channels: of the first level; those after it have twice as many, up to eight times.
      norm: of all levels but the outermost and the innermost. Their convolutions have biases with "instance" alone.
      dropout_rate: the fraction that dropout sets to 0, in the innermost levels that have the most channels.
      eval_stats: which statistics "batch" uses outside of training; the paper's are "instance". See ``BatchNorm``.
      dtype: the precision of computation.

    Raises:
      ValueError: a side of the image is not divisible by 2**num_downs.
    """

    out_channels: int = 3
    num_downs: int = 8
    channels: int = 64
    norm: Norm = "batch"
    dropout_rate: float = 0.5
    eval_stats: EvalStats = "instance"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None, *, train: bool) -> jax.Array:
        last = self.num_downs - 1
        if last < 1:
            raise ValueError(f"`num_downs` must be at least 2, got {self.num_downs}.")
        if x.ndim != 4 or any(n % 2**self.num_downs for n in x.shape[1:3]):
            raise ValueError(
                f"images must be [B, h, w, C] with sides divisible by 2**`num_downs`, {2**self.num_downs}, got "
                f"{x.shape}; crop or resize them, or use a smaller `num_downs`."
            )
        kwargs = {"stride": 2, "padding": 1, "kernel_init": dcgan_kernel_init, "dtype": self.dtype}
        use_bias = self.norm == "instance"
        features = [self.channels * min(2**i, 8) for i in range(self.num_downs)]
        skips = []
        for i in range(self.num_downs):
            x = nn.leaky_relu(x, 0.2) if i > 0 else x
            x = Conv(features[i], use_bias=use_bias, name=f"down_{i}", **kwargs)(x)
            if 0 < i < last:
                x = norm_layer(self.norm, f"down_norm_{i}", self.eval_stats)(x, train)
            skips.append(x)
        for i in range(last, 0, -1):
            x = ConvTranspose(features[i - 1], use_bias=use_bias, name=f"up_{i}", **kwargs)(nn.relu(x))
            x = norm_layer(self.norm, f"up_norm_{i}", self.eval_stats)(x, train)
            if 4 <= i < last:
                x = dropout(x, keys, i, self.dropout_rate)
            x = jnp.concatenate([skips[i - 1], x], -1)
        x = ConvTranspose(self.out_channels, name="up_0", **kwargs)(nn.relu(x))
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [B, h, w, C] to a logit for each patch of them, [B, h', w'], float32: the paper's 70 x 70 PatchGAN.

    Several images of one size, ``d(input, image)``, are concatenated by channels, in that order; this is pix2pix's
    conditional discriminator. CycleGAN's is called with one image. Losses take one value per example: give them
    ``logits.reshape(-1)``, and ``jaxgan.total`` takes the mean over all patches.

    Attributes:
      n_layers: convolutions of stride 2, after which two of stride 1 follow. The patches have 16, 34, 70, 142 or 286
        pixels a side with 1 to 5 of them. An image of 256 x 256 gives 30 x 30 logits with 3.
      channels: of the first layer; those after it have twice as many, up to eight times.
      norm: of all layers but the first and the last.
      dtype: the precision of computation.

    Raises:
      ValueError: the image is smaller than the kernels.
    """

    n_layers: int = 3
    channels: int = 64
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *images: jax.Array, train: bool) -> jax.Array:
        x = jnp.concatenate(images, -1)
        if self.n_layers < 1 or x.ndim != 4:
            raise ValueError(
                f"`n_layers` must be at least 1, got {self.n_layers}, and images [B, h, w, C], got {x.shape}."
            )
        kwargs = {"padding": 1, "kernel_init": dcgan_kernel_init, "dtype": self.dtype}
        x = nn.leaky_relu(Conv(self.channels, stride=2, name="conv_0", **kwargs)(x), 0.2)
        for i in range(1, self.n_layers + 1):
            stride, features = 2 if i < self.n_layers else 1, self.channels * min(2**i, 8)
            x = Conv(features, stride=stride, use_bias=self.norm == "instance", name=f"conv_{i}", **kwargs)(x)
            x = norm_layer(self.norm, f"norm_{i}")(x, train)
            x = nn.leaky_relu(x, 0.2)
        logits = Conv(1, name="logit", **kwargs)(x)
        return logits.astype(jnp.float32)[..., 0]


class PixelDiscriminator(nn.Module):
    """Images [B, h, w, C] to a logit for each pixel, [B, h, w], float32, by 1 x 1 convolutions. As ``Discriminator``.

    Attributes:
      channels: of the first layer; the second has twice as many.
      norm: of the second layer.
      dtype: the precision of computation.
    """

    channels: int = 64
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *images: jax.Array, train: bool) -> jax.Array:
        x = jnp.concatenate(images, -1)
        kwargs = {"kernel_size": 1, "kernel_init": dcgan_kernel_init, "dtype": self.dtype}
        use_bias = self.norm == "instance"
        x = nn.leaky_relu(Conv(self.channels, name="pixel_0", **kwargs)(x), 0.2)
        x = Conv(2 * self.channels, use_bias=use_bias, name="pixel_1", **kwargs)(x)
        x = nn.leaky_relu(norm_layer(self.norm, "norm_1")(x, train), 0.2)
        logits = Conv(1, use_bias=use_bias, name="logit", **kwargs)(x)
        return logits.astype(jnp.float32)[..., 0]
