"""Networks of the conditional GAN: multi-layer perceptrons with class labels as an additional input.

Source: Mirza and Osindero 2014 (arXiv:1411.1784), section 4.1. The discriminator concatenates features of the label and
of the image, as in the paper. Alternatively, it is a projection discriminator (Miyato and Koyama 2018, equation 4).
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.mlp import uniform_init
from jaxgan.nn.layers import Embedding, dropout, one_hot_labels


class Generator(nn.Module):
    """Generator, from latents [B, z] and labels to images [B, *shape] in (-1, 1), float32.

    Labels are class numbers, [B], or class weights, [B, classes].

    Attributes:
      shape: shape of one image, (height, width, channels).
      classes: number of classes.
      hidden: numbers of ReLU units of three layers: the layer for the latents, the layer for the label, and the layer
        after their concatenation.
      dtype: data type of the computation; parameters are float32.
    """

    shape: tuple[int, ...]
    classes: int
    hidden: tuple[int, int, int] = (200, 1000, 1200)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array) -> jax.Array:
        dense = functools.partial(nn.Dense, kernel_init=uniform_init(0.05), dtype=self.dtype)
        x = nn.relu(dense(self.hidden[0], name="latents")(z))
        y = nn.relu(dense(self.hidden[1], name="label")(one_hot_labels(label, self.classes)))
        x = nn.relu(dense(self.hidden[2], name="joint")(jnp.concatenate([x, y], -1)))
        x = dense(math.prod(self.shape), name="image")(x)
        return jnp.tanh(x.astype(jnp.float32)).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """Discriminator of maxout units with dropout, from images [B, ...] in [-1, 1] and labels to logits [B], float32.

    Labels are class numbers, [B], or class weights, [B, classes]. As in ``mlp.MaxoutDiscriminator``, which is from the
    same research group, pixels are rescaled to [0, 1] and the initial weights are small. Dropout needs one PRNG key per
    example: call ``nets.d(x, label, keys)``. Without keys, dropout is off.

    Attributes:
      classes: number of classes.
      units: numbers of maxout units of three layers: the layer for the image, the layer for the label, and the layer
        after their concatenation.
      pieces: numbers of linear pieces of each maxout unit in these three layers. A unit outputs the maximum of its
        pieces.
      dropout_rate: fraction of the hidden units that dropout sets to 0.
      projection: whether to use a projection discriminator (Miyato and Koyama 2018, equation 4). It does not
        concatenate the label. Instead, it adds the inner product of the label's embedding and the image's features to
        the logit.
      dtype: data type of the computation; parameters are float32.
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
