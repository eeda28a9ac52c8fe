"""3D-GAN: DCGAN's networks over cubes of voxels. Wu, Zhang, Xue, Freeman and Tenenbaum 2016 (1610.07584).

Cubes are [B, n, n, n, 1], n a base doubled once or more; voxels are from -1, empty, to 1, solid, as images are in
jaxgan. The paper's are from 0 to 1: the generator's last layer is its sigmoid brought to [-1, 1], and the
discriminator brings what it is given back to [0, 1], where the zeros that a convolution pads with are empty space.
The paper's networks are ``Generator()`` and ``Discriminator()``, latents [B, 200] uniform in [0, 1).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import BatchNorm, Conv, ConvTranspose, Dense, doublings

# The paper does not say how weights begin; as DCGAN's, whose networks these are (1511.06434, section 4).
_kernels = nn.initializers.normal(0.02)


class Generator(nn.Module):
    """Latents [B, z] to voxels [B, size, size, size, 1] in (-1, 1), float32.

    Attributes:
      size: the side of the cube: ``base`` doubled once or more.
      width: features before the last layer; each layer before it has twice as many.
      base: the side of the first layer's cube.
      dtype: the precision of computation.
    """

    size: int = 64
    width: int = 64
    base: int = 4
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        levels = doublings(self.size, self.base)
        features = self.width * 2 ** (levels - 1)
        # The paper's transposed convolution of a single voxel, whose kernel is the whole first cube.
        x = Dense(self.base**3 * features, use_bias=False, kernel_init=_kernels, dtype=self.dtype, name="linear")(z)
        x = x.reshape(z.shape[0], self.base, self.base, self.base, features)
        x = nn.relu(BatchNorm(name="norm_0")(x, train))
        for i in range(1, levels):
            features //= 2
            x = ConvTranspose(features, use_bias=False, kernel_init=_kernels, dtype=self.dtype, name=f"up_{i}")(x)
            x = nn.relu(BatchNorm(name=f"norm_{i}")(x, train))
        x = ConvTranspose(1, kernel_init=_kernels, dtype=self.dtype, name="voxels")(x)
        return jnp.tanh(x.astype(jnp.float32) / 2)  # 2 sigmoid(x) - 1


class Discriminator(nn.Module):
    """Voxels [B, size, size, size, 1], ``base`` doubled once or more, to logits [B], float32.

    Attributes:
      width: features after the first layer; each layer after it has twice as many.
      base: the side of the cube before the last layer.
      norm: batch normalisation in all but the first layer.
      dtype: the precision of computation.

    Raises:
      ValueError: what it is called with is no batch of cubes.
    """

    width: int = 64
    base: int = 4
    norm: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 5 or len(set(x.shape[1:4])) > 1:
            raise ValueError(f"voxels of shape {x.shape}: want cubes, [B, size, size, size, 1]")
        x = (x + 1) / 2
        for i in range(doublings(x.shape[1], self.base)):
            norm = self.norm and i > 0
            x = Conv(
                self.width * 2**i,
                stride=2,
                use_bias=not norm,
                kernel_init=_kernels,
                dtype=self.dtype,
                name=f"down_{i}",
            )(x)
            x = BatchNorm(name=f"norm_{i}")(x, train) if norm else x
            x = nn.leaky_relu(x, 0.2)
        # The paper's last convolution, whose kernel is all that is left of the cube.
        logits = Dense(1, kernel_init=_kernels, dtype=self.dtype, name="logit")(x.reshape(x.shape[0], -1))
        return logits.astype(jnp.float32).reshape(-1)
