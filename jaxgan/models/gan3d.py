"""Networks of 3D-GAN: DCGAN with 3D convolutions. Wu, Zhang, Xue, Freeman and Tenenbaum 2016 (arXiv:1610.07584).

The networks process cubes of voxels, [B, n, n, n, 1], where n is ``base_resolution`` times a power of two. Voxels have
the same range as images: -1 is empty and 1 is solid. In the paper they are between 0 and 1. Therefore the generator
ends with the paper's sigmoid, rescaled to (-1, 1), and the discriminator rescales its input to [0, 1], so that zero
padding means empty space. The paper's networks are ``Generator()`` and ``Discriminator()``, with latents [B, 200] that
are uniform in [0, 1).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.dcgan import discriminate
from jaxgan.nn.layers import ConvTranspose, Dense, dcgan_kernel_init, num_upsamples
from jaxgan.nn.normalization import BatchNorm, Norm


class Generator(nn.Module):
    """Generator, from latents [B, z] to voxels [B, n, n, n, 1] in (-1, 1), float32, where n is ``resolution``.

    The paper does not state the initialisation of the weights. This network uses DCGAN's initialisation.

    Attributes:
      resolution: side of the cube in voxels, ``base_resolution`` times 2, 4, 8 or another power of two.
      channels: number of channels of the last hidden layer. Each earlier layer has twice as many as the next.
      base_resolution: side of the first feature map in voxels.
      dtype: data type of the computation; parameters are float32.
    """

    resolution: int = 64
    channels: int = 64
    base_resolution: int = 4
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        levels, base = num_upsamples(self.resolution, self.base_resolution), self.base_resolution
        features = self.channels * 2 ** (levels - 1)
        kwargs = {"use_bias": False, "kernel_init": dcgan_kernel_init, "dtype": self.dtype}
        # The paper uses a transposed convolution of a single voxel, with a kernel as large as the first feature map.
        # This is the same as a linear layer.
        x = Dense(base**3 * features, name="linear", **kwargs)(z)
        x = x.reshape(z.shape[0], base, base, base, features)
        x = nn.relu(BatchNorm(name="norm_0")(x, train))
        for i in range(1, levels):
            features //= 2
            x = ConvTranspose(features, name=f"up_{i}", **kwargs)(x)
            x = nn.relu(BatchNorm(name=f"norm_{i}")(x, train))
        x = ConvTranspose(1, kernel_init=dcgan_kernel_init, dtype=self.dtype, name="voxels")(x)
        return jnp.tanh(x.astype(jnp.float32) / 2)  # 2 sigmoid(x) - 1


class Discriminator(nn.Module):
    """Discriminator, from voxels [B, n, n, n, 1] to logits [B], float32.

    Attributes:
      channels: number of channels of the first layer. Each later layer has twice as many as the previous one.
      base_resolution: side of the last feature map in voxels, which is also the kernel size of the last layer. The side
        of the input must be ``base_resolution`` times 2, 4, 8 or another power of two.
      norm: normalisation after all convolutions but the first: "batch" (as in the paper), "instance" or "none".
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the input is not a batch of cubes, or its side does not fit ``base_resolution``.
    """

    channels: int = 64
    base_resolution: int = 4
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 5 or len(set(x.shape[1:4])) > 1:
            raise ValueError(f"Voxels must be cubes, [B, size, size, size, 1], got the shape {x.shape}.")
        return discriminate(self, (x + 1) / 2, train, scale_init=nn.initializers.ones)
