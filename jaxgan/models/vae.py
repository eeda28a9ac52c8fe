"""Networks of the variational autoencoder: multi-layer perceptrons with one hidden layer.

Source: Kingma and Welling 2014, appendix C. With the default settings, the layers for MNIST have 784, 500, 20, 500 and
784 units. The paper uses tanh in the hidden layers. These networks use ReLU, like the examples of flax and PyTorch.
Other implementations are usually compared with these examples.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    """Encoder, from images [B, ...] to the mean and the log-variance of q(z | x), [B, z_dim] each, float32.

    It rescales the images from [-1, 1] to [0, 1], the range in the paper.

    Attributes:
      z_dim: number of dimensions of z.
      hidden: number of units of the hidden layer.
      dtype: data type of the computation; parameters are float32.
    """

    z_dim: int = 20
    hidden: int = 500
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = (x.reshape(x.shape[0], -1) + 1) / 2
        x = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, name="hidden_0")(x))
        mean = nn.Dense(self.z_dim, dtype=self.dtype, name="mean")(x)
        log_variance = nn.Dense(self.z_dim, dtype=self.dtype, name="log_variance")(x)
        return mean.astype(jnp.float32), log_variance.astype(jnp.float32)


class Decoder(nn.Module):
    """Decoder, from latents [B, z] to the logits of p(x | z), [B, *shape], float32.

    Each pixel of x has a Bernoulli distribution with its own logit.

    Attributes:
      shape: shape of one example, without the batch axis.
      hidden: number of units of the hidden layer.
      dtype: data type of the computation; parameters are float32.
    """

    shape: tuple[int, ...]
    hidden: int = 500
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, name="hidden_0")(z))
        x = nn.Dense(math.prod(self.shape), dtype=self.dtype, name="logits")(x)
        return x.astype(jnp.float32).reshape(x.shape[0], *self.shape)
