"""Multi-layer perceptrons: the first GAN, and its short form that tutorials teach."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import dropout


def uniform(reach):
    """An initializer: weights uniform in +-reach."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -reach, reach)


class Generator(nn.Module):
    """Latents [B, z] to examples [B, *shape], float32.

    The short form for MNIST is ``Generator((28, 28, 1))``: 100 latents, 256 hidden units, tanh. Goodfellow
    et al. 2014 have ``hidden=(1200, 1200), reach=0.05`` and a sigmoid, as in the authors' mnist.yaml; with larger
    weights the maxout discriminator is sure of every sample before the generator has learnt anything.

    Attributes:
      shape: one example's.
      hidden: the widths of the hidden layers, which are rectified.
      output: the last activation: tanh for images in [-1, 1], or the identity for unbounded points.
      dtype: the precision of computation.
      reach: weights begin uniform in +-reach; None is flax's LeCun normal.
    """

    shape: tuple[int, ...]
    hidden: tuple[int, ...] = (256,)
    output: Callable[[jax.Array], jax.Array] = jnp.tanh
    dtype: jnp.dtype = jnp.float32
    reach: float | None = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        kernel_init = nn.linear.default_kernel_init if self.reach is None else uniform(self.reach)
        dense = functools.partial(nn.Dense, kernel_init=kernel_init, dtype=self.dtype)
        x = z
        for i, width in enumerate(self.hidden):
            x = nn.relu(dense(width, name=f"hidden_{i}")(x))
        x = dense(math.prod(self.shape), name="output_layer")(x)
        return self.output(x.astype(jnp.float32)).reshape(x.shape[0], *self.shape)


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

    The paper's images are in [0, 1], so those in [-1, 1] are brought there: around 0 it learns to be sure, and the
    generator nothing. Dropout draws from keys, one for each example: ``nets.d(x, keys)``; without, nothing is dropped.

    Attributes:
      units, pieces: each of a layer's ``units`` is the largest of ``pieces`` linear maps. Weights begin
        uniform in +-0.005, as in the authors' mnist.yaml: larger ones are sure from the first step.
      keep: the share of the input, and of each hidden layer, that dropout keeps.
      dtype: the precision of computation.
    """

    units: int = 240
    pieces: int = 5
    keep: tuple[float, float] = (0.8, 0.5)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        x = (x.reshape(x.shape[0], -1) + 1) / 2
        x = dropout(x, keys, 0, self.keep[0])
        for i in range(2):
            x = nn.Dense(self.units * self.pieces, kernel_init=uniform(0.005), dtype=self.dtype, name=f"maxout_{i}")(x)
            x = x.reshape(x.shape[0], self.units, self.pieces).max(-1)
            x = dropout(x, keys, i + 1, self.keep[1])
        x = nn.Dense(1, kernel_init=uniform(0.005), dtype=self.dtype, name="logit")(x)
        return x.astype(jnp.float32).reshape(-1)
