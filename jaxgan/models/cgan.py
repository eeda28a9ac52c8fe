"""Conditional GAN: multi-layer perceptrons that are given the class. Mirza and Osindero 2014 (1411.1784), section 4.1.

The discriminator joins the label to the example inside its network, as the paper does, or projects the label's
embedding on its features (Miyato and Koyama 2018, equation 4).
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.mlp import uniform_init
from jaxgan.nn.layers import Embedding, dropout, one_hot_labels


class Generator(nn.Module):
    """Latents [B, z] and labels to images [B, *shape] in (-1, 1): 200 units for the latents, 1000 for the label, 1200.

    Attributes:
      shape: one image's.
      classes: how many.
      hidden: units for the latents, for the label, and for both together, all rectified.
      dtype: the precision of computation; images are float32.
    """

    shape: tuple[int, ...]
    classes: int
    hidden: tuple[int, int, int] = (200, 1000, 1200)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array) -> jax.Array:
        dense = functools.partial(nn.Dense, kernel_init=uniform_init(0.05), dtype=self.dtype)
        of_z = nn.relu(dense(self.hidden[0], name="latents")(z))
        of_label = nn.relu(dense(self.hidden[1], name="label")(one_hot_labels(label, self.classes)))
        x = nn.relu(dense(self.hidden[2], name="joint")(jnp.concatenate([of_z, of_label], -1)))
        x = dense(math.prod(self.shape), name="image")(x)
        return jnp.tanh(x.astype(jnp.float32)).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """Images [B, ...] and labels to logits [B], float32: maxout units for each, then for both, with dropout.

    As in ``mlp.MaxoutDiscriminator``, by the same group, pixels are rescaled to [0, 1], and the initial weights are
    small. Dropout uses one key for each example, ``nets.d(x, label, keys)``; without keys nothing is dropped.

    Attributes:
      classes: the number of classes.
      units: maxout units for the image, for the label, and for both together.
      pieces: linear pieces of each unit.
      dropout_rate: the fraction of a hidden layer that dropout sets to 0.
      projection: project the label's embedding on the image's units, in place of joining the label.
      dtype: the precision of computation.
    """

    classes: int
    units: tuple[int, int, int] = (240, 50, 240)
    pieces: tuple[int, int, int] = (5, 5, 4)
    dropout_rate: float = 0.5
    projection: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        dense = functools.partial(nn.Dense, kernel_init=uniform_init(0.005), dtype=self.dtype)

        def maxout(x, i, name):
            x = dense(self.units[i] * self.pieces[i], name=name)(x)
            x = x.reshape(x.shape[0], self.units[i], self.pieces[i]).max(-1)
            return dropout(x, keys, i, self.dropout_rate)

        x = maxout((x.reshape(x.shape[0], -1) + 1) / 2, 0, "image")
        if not self.projection:
            x = jnp.concatenate([x, maxout(one_hot_labels(label, self.classes), 1, "label")], -1)
        x = maxout(x, 2, "joint")
        logits = dense(1, name="logit")(x).reshape(-1)
        if self.projection:
            init = uniform_init(0.005)
            embedding = Embedding(self.classes, self.units[2], embedding_init=init, dtype=self.dtype, name="projection")
            logits = logits + (x * embedding(label)).sum(-1)
        return logits.astype(jnp.float32)
