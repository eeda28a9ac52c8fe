"""The variational auto-encoder's networks: perceptrons with one hidden layer, 784-500-20-500-784 on MNIST.

Kingma and Welling 2014, appendix C. Their hidden units are tanh; these are rectified, as in the examples of flax and
PyTorch that most results are compared with.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    """Images [B, ...] to the mean and the log-variance of q(z | x), [B, z_dim] each, float32.

    Images in [-1, 1] are rescaled to [0, 1], the range of the pixels in the paper.

    Attributes:
      z_dim: dimensions of z.
      hidden: the width of the hidden layer.
      dtype: the precision of computation.
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
    """Latents [B, z] to the logits of p(x | z), [B, *shape], float32, one for each Bernoulli pixel.

    Attributes:
      shape: one example's.
      hidden: the width of the hidden layer.
      dtype: the precision of computation.
    """

    shape: tuple[int, ...]
    hidden: int = 500
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, name="hidden_0")(z))
        x = nn.Dense(math.prod(self.shape), dtype=self.dtype, name="logits")(x)
        return x.astype(jnp.float32).reshape(x.shape[0], *self.shape)
