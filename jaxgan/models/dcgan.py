"""DCGAN: strided convolutions and batch normalisation. Radford, Metz and Chintala 2016 (1511.06434).

Sizes are a base's doubles, any number of channels, any width. The paper's networks for 64 x 64 are
``Generator(size=64, channels=3, width=128)`` and ``Discriminator(width=128)``, latents [B, 100].
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import BatchNorm, Conv, ConvTranspose, Dense, doublings, near_one

# Section 4: weights from N(0, 0.02), here the scales of BatchNorm from N(1, 0.02) too, as in the authors'
# code, https://github.com/Newmu/dcgan_code.
_kernels = nn.initializers.normal(0.02)


class Generator(nn.Module):
    """Latents [B, z] to images [B, size, size, channels] in (-1, 1).

    Attributes:
      size: height and width: ``base`` doubled once or more.
      channels: 1 for grey, 3 for colour, or any other number.
      width: features before the last layer; each layer before it has twice as many.
      base: the height and width that the linear layer gives.
      dtype: the precision of computation; images are float32.
      norm: batch normalisation in all but the last layer, as in the paper.
    """

    size: int = 64
    channels: int = 3
    width: int = 128
    base: int = 4
    dtype: jnp.dtype = jnp.float32
    norm: bool = True

    @nn.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        levels = doublings(self.size, self.base)
        features = self.width * 2 ** (levels - 1)
        # The paper's small weights are for layers that are normalised after them: without, what is left of z fades.
        own = {"use_bias": not self.norm, "dtype": self.dtype, **({"kernel_init": _kernels} if self.norm else {})}
        x = Dense(self.base**2 * features, name="linear", **own)(z)
        x = x.reshape(z.shape[0], self.base, self.base, features)
        x = nn.relu(BatchNorm(scale_init=near_one, name="norm_0")(x, train) if self.norm else x)
        for i in range(1, levels):
            features //= 2
            x = ConvTranspose(features, name=f"up_{i}", **own)(x)
            x = nn.relu(BatchNorm(scale_init=near_one, name=f"norm_{i}")(x, train) if self.norm else x)
        x = ConvTranspose(self.channels, kernel_init=_kernels, dtype=self.dtype, name="image")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [B, size, size, C], ``base`` doubled once or more, to logits [B], float32.

    Attributes:
      width: features after the first layer; each layer after it has twice as many.
      base: the height and width before the linear layer.
      norm: batch normalisation in all but the first layer, as in the paper; penalties on each example's
        own gradient are often used without.
      dtype: the precision of computation.
    """

    width: int = 128
    base: int = 4
    norm: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 4 or x.shape[1] != x.shape[2]:
            raise ValueError(f"images of shape {x.shape}: want [B, size, size, channels]")
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
            x = BatchNorm(scale_init=near_one, name=f"norm_{i}")(x, train) if norm else x
            x = nn.leaky_relu(x, 0.2)
        x = x.reshape(x.shape[0], -1)
        logits = Dense(1, kernel_init=_kernels, dtype=self.dtype, name="logit")(x)
        return logits.astype(jnp.float32).reshape(-1)
