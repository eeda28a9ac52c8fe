"""Character-level networks for text: the residual networks of WGAN-GP for lines of a fixed number of characters.

The architecture is from Gulrajani et al. 2017 (arXiv:1704.00028), section 5.4, and ``gan_language.py`` of
https://github.com/igul222/improved_wgan_training. A line is an array [length, characters]. In each row, real lines have
a one-hot vector, and generated lines have probabilities or Gumbel-softmax samples. The generator has no recurrence: it
computes all characters of a line at once.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, Dense

# The official code uses the initialisation of He et al. 2015 for convolutions, and the initialisation of Glorot and
# Bengio 2010 for the linear layers of latents and of the critic's value.
_he = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
_glorot = nn.initializers.glorot_uniform()

_KERNEL_SIZE = 5
_RESIDUAL_SCALE = 0.3  # factor of the output of the two convolutions of a block


class Generator(nn.Module):
    """Generator, from latents [B, z] to lines of text [B, length, characters], float32.

    The paper uses 128 latents. Each row of a line is a distribution over the characters: its values are between 0 and 1
    and their sum is 1.

    With ``gumbel``, the rows are samples of the Gumbel-softmax distribution (Jang et al. 2017, arXiv:1611.01144;
    Maddison et al. 2017, arXiv:1611.00712). The latents are then [B, z + length * characters]: the last
    ``length * characters`` of them, which are standard normal like the others, are converted to Gumbel noise. The most
    probable character of a row is a sample of the distribution that the logits define, for any temperature.

    Attributes:
      length: number of characters of a line, including the characters after its end.
      characters: number of different characters.
      channels: number of channels of every hidden layer.
      num_blocks: number of residual blocks, each of which has two convolutions.
      gumbel: whether Gumbel noise is added to the logits.
      straight_through: whether the rows are one-hot vectors, with the gradient of the Gumbel-softmax sample. It has an
        effect only with ``gumbel``.
      dtype: data type of the computation; parameters are float32.
    """

    length: int = 32
    characters: int = 64
    channels: int = 512
    num_blocks: int = 5
    gumbel: bool = False
    straight_through: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, temperature: jax.Array | float = 1.0) -> jax.Array:
        noise_size = self.length * self.characters if self.gumbel else 0
        z, normal = jnp.split(z, [z.shape[1] - noise_size], axis=1)
        x = Dense(self.length * self.channels, kernel_init=_glorot, dtype=self.dtype, name="linear")(z)
        x = x.reshape(z.shape[0], self.length, self.channels)
        x = _residual_blocks(x, self.num_blocks, self.dtype)
        logits = Dense(self.characters, kernel_init=_he, dtype=self.dtype, name="characters")(x).astype(jnp.float32)
        if not self.gumbel:
            return jax.nn.softmax(logits)
        soft = jax.nn.softmax((logits + _gumbel_noise(normal).reshape(logits.shape)) / temperature)
        if not self.straight_through:
            return soft
        hard = jax.nn.one_hot(soft.argmax(-1), self.characters)
        return hard + soft - jax.lax.stop_gradient(soft)


class Critic(nn.Module):
    """Critic, from lines of text [B, length, characters] to values [B], float32.

    Attributes:
      channels: number of channels of every hidden layer.
      num_blocks: number of residual blocks, each of which has two convolutions.
      dtype: data type of the computation; parameters are float32.
    """

    channels: int = 512
    num_blocks: int = 5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Dense(self.channels, kernel_init=_he, dtype=self.dtype, name="characters")(x)
        x = _residual_blocks(x, self.num_blocks, self.dtype)
        value = Dense(1, kernel_init=_glorot, dtype=self.dtype, name="value")(x.reshape(x.shape[0], -1))
        return value.reshape(-1).astype(jnp.float32)


def _residual_blocks(x, num_blocks, dtype):
    for i in range(num_blocks):
        y = x
        for j in range(2):
            y = nn.relu(y)
            y = Conv(x.shape[-1], _KERNEL_SIZE, kernel_init=_he, dtype=dtype, name=f"conv_{i}_{j}")(y)
        x = x + _RESIDUAL_SCALE * y
    return x


def _gumbel_noise(normal):
    """Return noise of the standard Gumbel distribution, -log(-log(p)), where p is the probability of lower normals."""
    tail = jax.lax.erfc(jnp.abs(normal) / jnp.sqrt(2.0)) / 2
    return -jnp.log(-jnp.where(normal > 0, jnp.log1p(-tail), jnp.log(tail)))
