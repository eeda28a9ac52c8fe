"""Losses of features: matching, Salimans et al. 2016 (1606.03498), section 3.1; and how alike two images are."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis


def feature_matching(real_features: jax.Array, fake_features: jax.Array) -> jax.Array:
    """|| E f(x) - E f(G(z)) ||^2, a scalar: a generator's loss.

    The expectations are the means over the batches of all devices.

    Args:
      real_features, fake_features: f(x) and f(G(z)), [B, ...] each, of a layer of the discriminator.

    Raises:
      ValueError: features differ in their shape after the batch's.
    """
    if real_features.shape[1:] != fake_features.shape[1:] or not real_features.ndim or not fake_features.ndim:
        raise ValueError(f"features of shapes {real_features.shape} and {fake_features.shape}: want one, [B, ...]")
    real, fake = axis.mean((real_features.astype(jnp.float32).mean(0), fake_features.astype(jnp.float32).mean(0)))
    return jnp.square(real - fake).sum()


def perceptual(output: Sequence[jax.Array], target: Sequence[jax.Array]) -> jax.Array:
    """How unlike images are to a network, [B]: Zhang et al. 2018 (1801.03924), equation 1, all weights 1.

    At each place a level's features are divided by their length; what counts is the squared distance, from 0 to 4, its
    mean over places, summed over levels.

    Args:
      output, target: of each level its features, [B, h, w, C].

    Raises:
      ValueError: the levels' shapes differ.
    """
    shapes = [[x.shape for x in levels] for levels in (output, target)]
    if shapes[0] != shapes[1] or not shapes[0] or any(len(shape) != 4 for shape in shapes[0]):
        raise ValueError(f"features of shapes {shapes[0]} and {shapes[1]}: want the same, [B, h, w, C] each")
    distances = (jnp.square(_unit(a) - _unit(b)).sum(3).mean((1, 2)) for a, b in zip(output, target))
    return jnp.stack(list(distances)).sum(0)


def _unit(x: jax.Array) -> jax.Array:
    x = x.astype(jnp.float32)
    return x * lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-10)
