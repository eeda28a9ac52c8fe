"""Networks of DCGAN: strided convolutions with batch normalisation. Radford, Metz and Chintala 2016 (arXiv:1511.06434).

The resolution of the images is ``base_resolution`` times a power of two. The paper's networks for 64 x 64 images are
``Generator()`` and ``Discriminator()``, with latents [B, 100].
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import (
    Conv,
    ConvTranspose,
    Dense,
    Initializer,
    dcgan_kernel_init,
    normal_around_one,
    num_upsamples,
)
from jaxgan.nn.normalization import Norm, norm_layer


class Generator(nn.Module):
    """Generator, from latents [B, z] to images [B, resolution, resolution, img_channels] in (-1, 1), float32.

    Attributes:
      resolution: height and width of the images, ``base_resolution`` times 2, 4, 8 or another power of two.
      img_channels: number of channels of the images, such as 1 for greyscale and 3 for colour.
      channels: number of channels of the last hidden layer. Each earlier layer has twice as many as the next.
      base_resolution: height and width of the first feature map, the reshaped output of the linear layer.
      dtype: data type of the computation; parameters are float32.
      norm: normalisation after all layers but the last: "batch" (as in the paper), "instance" or "none".
    """

    resolution: int = 64
    img_channels: int = 3
    channels: int = 128
    base_resolution: int = 4
    dtype: jnp.dtype = jnp.float32
    norm: Norm = "batch"

    @nn.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        levels = num_upsamples(self.resolution, self.base_resolution)
        features = self.channels * 2 ** (levels - 1)
        kwargs: dict[str, Any] = {"use_bias": self.norm != "batch", "dtype": self.dtype}
        # Without normalisation, the paper's small initial weights would make the output almost independent of z.
        if self.norm != "none":
            kwargs["kernel_init"] = dcgan_kernel_init
        x = Dense(self.base_resolution**2 * features, name="linear", **kwargs)(z)
        x = x.reshape(z.shape[0], self.base_resolution, self.base_resolution, features)
        x = nn.relu(norm_layer(self.norm, "norm_0")(x, train))
        for i in range(1, levels):
            features //= 2
            x = ConvTranspose(features, name=f"up_{i}", **kwargs)(x)
            x = nn.relu(norm_layer(self.norm, f"norm_{i}")(x, train))
        x = ConvTranspose(self.img_channels, kernel_init=dcgan_kernel_init, dtype=self.dtype, name="image")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Discriminator, from images [B, resolution, resolution, C] to logits [B], float32.

    Attributes:
      channels: number of channels of the first layer. Each later layer has twice as many as the previous one.
      base_resolution: height and width of the last feature map, the input of the linear layer. The resolution of the
        images must be ``base_resolution`` times 2, 4, 8 or another power of two.
      norm: normalisation after all convolutions but the first: "batch" (as in the paper), "instance" or "none". Do not
        combine "batch" with a gradient penalty, which requires that a logit depends only on its own example.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the images are not square, or their resolution does not fit ``base_resolution``.
    """

    channels: int = 128
    base_resolution: int = 4
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 4 or x.shape[1] != x.shape[2]:
            raise ValueError(f"Images must be square, [B, size, size, channels], got the shape {x.shape}.")
        return discriminate(self, x, train)


def discriminate(network: Any, x: jax.Array, train: bool, scale_init: Initializer = normal_around_one) -> jax.Array:
    """Apply DCGAN's discriminator in any number of spatial dimensions.

    Args:
      network: the module that contains the layers and has the attributes of ``Discriminator``.
      x: images or voxels, [B, *space, C].
      train: whether batch normalisation uses the statistics of the batch.
      scale_init: initializer of the scales of batch normalisation.

    Returns:
      Logits, [B], float32.
    """
    for i in range(num_upsamples(x.shape[1], network.base_resolution)):
        norm = network.norm if i > 0 else "none"
        x = Conv(
            network.channels * 2**i,
            stride=2,
            use_bias=norm != "batch",
            kernel_init=dcgan_kernel_init,
            dtype=network.dtype,
            name=f"down_{i}",
        )(x)
        x = norm_layer(norm, f"norm_{i}", scale_init=scale_init)(x, train)
        x = nn.leaky_relu(x, 0.2)
    x = x.reshape(x.shape[0], -1)
    logits = Dense(1, kernel_init=dcgan_kernel_init, dtype=network.dtype, name="logit")(x)
    return logits.astype(jnp.float32).reshape(-1)
