"""3D-GAN: DCGAN's networks over cubes of voxels. Wu, Zhang, Xue, Freeman and Tenenbaum 2016 (1610.07584).

Cubes are [B, n, n, n, 1], where n is ``base_resolution`` times a power of two. Voxels are between -1, empty, and 1,
solid, as images are. The paper's are between 0 and 1: the generator's last activation is the paper's sigmoid, rescaled
to [-1, 1], and the discriminator rescales its input to [0, 1], so that zero padding means empty space. The paper's
networks are ``Generator()`` and ``Discriminator()``, with latents [B, 200] uniform in [0, 1).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.dcgan import discriminate
from jaxgan.nn.layers import ConvTranspose, Dense, dcgan_kernel_init, num_upsamples
from jaxgan.nn.normalization import BatchNorm, Norm


class Generator(nn.Module):
    """Latents [B, z] to voxels [B, n, n, n, 1] in (-1, 1), float32; n is ``resolution``.

    The paper does not state the initialisation; it is DCGAN's.

    Attributes:
      resolution: the side of the cube: ``base_resolution`` doubled once or more.
      channels: of the last hidden layer; each layer before it has twice as many.
      base_resolution: the side of the first layer's cube.
      dtype: the precision of computation.
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
        # The paper's transposed convolution of a single voxel, with a kernel as large as the first cube.
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
    """Voxels [B, n, n, n, 1] to logits [B], float32.

    Attributes:
      channels: of the first layer; each layer after it has twice as many.
      base_resolution: the side of the cube before the last layer, whose kernel is as large as that cube; the input's
        side is it doubled once or more.
      norm: of all convolutions but the first; the paper's is "batch".
      dtype: the precision of computation.

    Raises:
      ValueError: the input is not a batch of cubes.
    """

    channels: int = 64
    base_resolution: int = 4
    norm: Norm = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 5 or len(set(x.shape[1:4])) > 1:
            raise ValueError(f"voxels must be cubes, [B, size, size, size, 1], got {x.shape}.")
        return discriminate(self, (x + 1) / 2, train, scale_init=nn.initializers.ones)
