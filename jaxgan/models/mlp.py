"""Multi-layer perceptrons: the first GAN, and its short form that tutorials teach."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Initializer, dropout


def uniform_init(bound: float) -> Initializer:
    """An initializer: uniform in [-bound, bound), as ``irange`` of the authors' code."""

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Generator(nn.Module):
    """Latents [B, z] to examples [B, *shape], float32.

    The short form for MNIST is ``Generator((28, 28, 1))``: 100 latents, 256 hidden units, tanh. Goodfellow et al. 2014
    have ``hidden=(1200, 1200), init_range=0.05`` and a sigmoid, as in the authors' mnist.yaml; with larger weights the
    maxout discriminator rejects every sample before the generator has learnt anything.

    Attributes:
      shape: of one example.
      hidden: the widths of the hidden layers, which have ReLUs.
      output_activation: tanh for images in [-1, 1], or the identity for unbounded points.
      dtype: the precision of computation.
      init_range: initial weights are uniform in +-init_range; None is flax's LeCun normal.
    """

    shape: tuple[int, ...]
    hidden: tuple[int, ...] = (256,)
    output_activation: Callable[[jax.Array], jax.Array] = jnp.tanh
    dtype: jnp.dtype = jnp.float32
    init_range: float | None = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        kernel_init = nn.linear.default_kernel_init if self.init_range is None else uniform_init(self.init_range)
        dense = functools.partial(nn.Dense, kernel_init=kernel_init, dtype=self.dtype)
        x = z
        for i, width in enumerate(self.hidden):
            x = nn.relu(dense(width, name=f"hidden_{i}")(x))
        x = dense(math.prod(self.shape), name="output_layer")(x)
        return self.output_activation(x.astype(jnp.float32)).reshape(x.shape[0], *self.shape)


class Discriminator(nn.Module):
    """Examples [B, ...] to logits [B], float32: 784-128-1 for MNIST.

    Attributes:
      hidden: the widths of the hidden layers, leaky rectified with slope 0.2.
      dtype: the precision of computation.
    """

    hidden: tuple[int, ...] = (128,)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.hidden):
            x = nn.leaky_relu(nn.Dense(width, dtype=self.dtype, name=f"hidden_{i}")(x), 0.2)
        return nn.Dense(1, dtype=self.dtype, name="logit")(x).astype(jnp.float32).reshape(-1)


class MaxoutDiscriminator(nn.Module):
    """Goodfellow et al. 2014's: two maxout layers (Goodfellow et al. 2013) with dropout; logits [B], float32.

    The paper's images are in [0, 1], so images in [-1, 1] are rescaled: on images around 0 the discriminator saturates,
    and the generator learns nothing. Dropout uses one key for each example, ``nets.d(x, keys)``; without keys nothing
    is dropped.

    Attributes:
      units, pieces: each of a layer's ``units`` is the largest of ``pieces`` linear maps. Initial weights are uniform
        in +-0.005, as in the authors' mnist.yaml; with larger ones the discriminator saturates at the first step.
      dropout_rates: the fractions of the input, and of each hidden layer, that dropout sets to 0.
      dtype: the precision of computation.
    """

    units: int = 240
    pieces: int = 5
    dropout_rates: tuple[float, float] = (0.2, 0.5)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        x = (x.reshape(x.shape[0], -1) + 1) / 2
        x = dropout(x, keys, 0, self.dropout_rates[0])
        for i in range(2):
            x = nn.Dense(
                self.units * self.pieces, kernel_init=uniform_init(0.005), dtype=self.dtype, name=f"maxout_{i}"
            )(x)
            x = x.reshape(x.shape[0], self.units, self.pieces).max(-1)
            x = dropout(x, keys, i + 1, self.dropout_rates[1])
        x = nn.Dense(1, kernel_init=uniform_init(0.005), dtype=self.dtype, name="logit")(x)
        return x.astype(jnp.float32).reshape(-1)
