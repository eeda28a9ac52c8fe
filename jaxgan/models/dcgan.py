"""DCGAN: strided convolutions and batch normalisation. Radford, Metz and Chintala 2016 (1511.06434).

The resolution is ``base_resolution`` times a power of two. The paper's networks for 64 x 64 are ``Generator()`` and
``Discriminator()``, with latents [B, 100].
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
    """Latents [B, z] to images [B, resolution, resolution, img_channels] in (-1, 1).

    Attributes:
      resolution: height and width of the images: ``base_resolution`` doubled once or more.
      img_channels: 1 for grey, 3 for colour, or any other number.
      channels: of the last hidden layer; each layer before it has twice as many.
      base_resolution: the height and width of the linear layer's output.
      dtype: the precision of computation; images are float32.
      norm: of all layers but the last; the paper's is "batch".
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
        if self.norm != "none":  # the paper's small weights are for normalised layers; without, the signal of z fades
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
    """Images [B, resolution, resolution, C] to logits [B], float32.

    Attributes:
      channels: of the first layer; each layer after it has twice as many.
      base_resolution: the height and width before the linear layer; that of the images is it doubled once or more.
      norm: of all convolutions but the first; the paper's is "batch". A penalty on the gradient of each example needs
        a norm other than "batch".
      dtype: the precision of computation.

    Raises:
      ValueError: the images are not square.
    """

    channels: int = 128
    base_resolution: int = 4
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 4 or x.shape[1] != x.shape[2]:
            raise ValueError(f"images must be [B, size, size, channels], got {x.shape}.")
        return discriminate(self, x, train)


def discriminate(network: Any, x: jax.Array, train: bool, scale_init: Initializer = normal_around_one) -> jax.Array:
    """DCGAN's discriminator, in any number of spatial dimensions: [B, *space, C] to logits [B], float32.

    Args:
      network: the module that it is a part of, with the attributes of ``Discriminator``.
      x: images, or cubes of voxels.
      train: whether batch normalisation uses the statistics of the batch.
      scale_init: of batch normalisation's scales.
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
