"""Multi-layer perceptrons: the networks of the original GAN (Goodfellow et al. 2014), and smaller tutorial networks."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core.precision import product
from jaxgan.nn.layers import Initializer, dropout


def uniform_init(bound: float) -> Initializer:
    """Return an initializer that is uniform in [-bound, bound), like ``irange`` of the official GAN code.

    Args:
      bound: the largest absolute value, above 0.
    """

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Generator(nn.Module):
    """Generator, from latents [B, z] to examples [B, *shape], float32.

    ``Generator((28, 28, 1))`` is a common tutorial network for MNIST, with 256 hidden units, tanh as the output
    activation, and usually 100 latents. Goodfellow et al. 2014 use ``hidden=(1200, 1200)``, ``init_range=0.05`` and a
    sigmoid, according to mnist.yaml in the official code. With larger initial weights, the maxout discriminator
    recognises every sample as fake before the generator has learnt anything.

    Attributes:
      shape: shape of one example, without the batch axis.
      hidden: number of units of each hidden layer. The hidden layers have ReLU activations.
      output_activation: activation of the last layer: tanh for images in [-1, 1], or the identity for unbounded data.
      dtype: data type of the computation; parameters are float32.
      init_range: initial weights are uniform in [-init_range, init_range). None uses flax's default, LeCun normal.
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
    """Discriminator, from examples [B, ...] to logits [B], float32.

    With the default ``hidden``, the layers for MNIST have 784, 128 and 1 units.

    Attributes:
      hidden: number of units of each hidden layer. The hidden layers have leaky ReLU activations of slope 0.2.
      dtype: data type of the computation; parameters are float32.
    """

    hidden: tuple[int, ...] = (128,)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        dot_general = functools.partial(product, jax.lax.dot_general)
        dense = functools.partial(nn.Dense, dtype=self.dtype, dot_general=dot_general)
        for i, width in enumerate(self.hidden):
            x = nn.leaky_relu(dense(width, name=f"hidden_{i}")(x), 0.2)
        return dense(1, name="logit")(x).astype(jnp.float32).reshape(-1)


class MaxoutDiscriminator(nn.Module):
    """Discriminator of Goodfellow et al. 2014, from images [B, ...] in [-1, 1] to logits [B], float32.

    It has two layers of maxout units (Goodfellow et al. 2013) with dropout. It rescales the images to [0, 1], the range
    in the paper. Without the rescaling the discriminator saturates, and the generator learns nothing. Initial weights
    are uniform in [-0.005, 0.005), as in mnist.yaml of the official code. With larger weights the discriminator
    saturates at the first step. Dropout needs one PRNG key per example: call ``nets.d(x, keys)``. Without keys, dropout
    is off.

    Attributes:
      units: number of maxout units in each layer.
      pieces: number of linear pieces of each maxout unit, which outputs their maximum.
      dropout_rates: two numbers: the fraction of the input values and the fraction of the activations of each hidden
        layer that dropout sets to 0.
      dtype: data type of the computation; parameters are float32.
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
