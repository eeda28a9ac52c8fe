"""Networks of pix2pix: a U-Net generator and PatchGAN discriminators for image-to-image translation.

Source: Isola, Zhu, Zhou and Efros 2017 (arXiv:1611.07004). The networks equal the official ones in
https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, and ``interop.pix2pix`` converts their weights. The paper's
networks for 256 x 256 images are ``Generator()`` and ``Discriminator()``. The discriminator is called with the input of
the generator and a real or generated image: ``d(input, image, train=...)``.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, ConvTranspose, dcgan_kernel_init, dropout
from jaxgan.nn.normalization import EvalStats, Norm, norm_layer


class Generator(nn.Module):
    """U-Net generator, from images [B, h, w, C] to images [B, h, w, out_channels] in (-1, 1), float32.

    Each encoder level halves the height and width, and each decoder level doubles them. Skip connections concatenate
    the output of an encoder level with the decoder's feature map of the same size (Ronneberger et al. 2015). Dropout
    needs one PRNG key per example: call ``g(x, keys, train=...)``. Without keys, dropout is off. The paper also uses
    dropout at test time.

    Attributes:
      out_channels: number of channels of the output images.
      num_downs: number of levels (official: 8 for 256 x 256, 7 for 128 x 128). With these numbers the innermost feature
        map is a single pixel.
      channels: number of channels of the outermost level (official: ``ngf``, 64). The number doubles from level to
        level, up to 8 times ``channels``.
      norm: normalisation after all convolutions but the first, the innermost and the last: "batch", "instance" or
        "none". The last convolution always has a bias. The other convolutions have biases only with "instance".
      dropout_rate: fraction of the activations that dropout sets to 0. Dropout is applied in the decoder levels that
        have the maximum number of channels, except the innermost level.
      eval_stats: statistics that the normalisation "batch" uses at evaluation: "running" for the moving averages, or
        "instance" for the mean and variance of each image, as in the paper; see ``BatchNorm``.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the height or width is not divisible by 2**num_downs, or ``num_downs`` is less than 2.
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
                f"Images must be [B, h, w, C], with a height and width divisible by 2**`num_downs` = "
                f"{2**self.num_downs}, got the shape {x.shape}. Crop or resize the images, or use a smaller "
                "`num_downs`."
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
    """PatchGAN discriminator, from images [B, h, w, C] to one logit for each overlapping patch, [B, h', w'], float32.

    With the default ``n_layers``, this network is the 70 x 70 PatchGAN of the paper. A call accepts one or more images
    of the same size, and concatenates the images along the channels. CycleGAN passes one image, and pix2pix passes two:
    ``d(input, image, train=...)``. The losses in ``jaxgan.losses`` expect a vector of logits, so pass
    ``logits.reshape(-1)``; ``jaxgan.total`` then computes the mean over all patches.

    Attributes:
      n_layers: number of convolutions of stride 2 (official: ``n_layers_D``, 3). Two convolutions of stride 1 follow.
        With 1, 2, 3, 4 or 5, a patch has 16, 34, 70, 142 or 286 pixels per side. With 3, an image of 256 x 256 pixels
        has 30 x 30 logits.
      channels: number of channels of the first layer (official: ``ndf``, 64). The number doubles from layer to layer,
        up to 8 times ``channels``.
      norm: normalisation after all convolutions but the first and the last: "batch", "instance" or "none".
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the image is smaller than the kernels, or ``n_layers`` is less than 1.
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
                f"`n_layers` must be at least 1 and images must be [B, h, w, C], got {self.n_layers} and the shape "
                f"{x.shape}."
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
    """Discriminator of 1 x 1 convolutions, from images [B, h, w, C] to one logit for each pixel, [B, h, w], float32.

    This is the official ``PixelDiscriminator``. A call accepts one or more images, like a call of ``Discriminator``.

    Attributes:
      channels: number of channels of the first layer (official: ``ndf``, 64). The second layer has twice this number.
      norm: normalisation after the second layer: "batch", "instance" or "none".
      dtype: data type of the computation; parameters are float32.
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
