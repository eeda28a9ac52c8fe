"""Losses on features: feature matching, Salimans et al. 2016 (1606.03498), and a perceptual distance."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis


def feature_matching(real_features: jax.Array, fake_features: jax.Array) -> jax.Array:
    """|| E f(x) - E f(G(z)) ||^2, a scalar: a loss for the generator. Salimans et al. 2016, section 3.1.

    The expectations are means over the batches of all devices.

    Args:
      real_features, fake_features: f(x) and f(G(z)), [B, ...] each, the features of a layer of the discriminator.

    Raises:
      ValueError: the shapes differ after the batch axis.
    """
    if real_features.shape[1:] != fake_features.shape[1:] or not real_features.ndim or not fake_features.ndim:
        raise ValueError(
            "feature_matching: `real_features` and `fake_features` must have the same shape after the batch axis, got "
            f"{real_features.shape} and {fake_features.shape}."
        )
    real, fake = axis.mean((real_features.astype(jnp.float32).mean(0), fake_features.astype(jnp.float32).mean(0)))
    return jnp.square(real - fake).sum()


def perceptual(output: Sequence[jax.Array], target: Sequence[jax.Array]) -> jax.Array:
    """The perceptual distance of images, [B]: Zhang et al. 2018 (1801.03924), equation 1, with all weights 1.

    The feature vectors at each pixel of a level are normalised to unit length. Their squared distance, from 0 to 4, is
    averaged over pixels and summed over levels.

    Args:
      output, target: the features of each level, [B, h, w, C].

    Raises:
      ValueError: the shapes of the levels differ.
    """
    shapes = [[x.shape for x in levels] for levels in (output, target)]
    if shapes[0] != shapes[1] or not shapes[0] or any(len(shape) != 4 for shape in shapes[0]):
        raise ValueError(
            f"perceptual: `output` and `target` must have levels of the same shapes, [B, h, w, C], got {shapes[0]} and "
            f"{shapes[1]}."
        )
    distances = (jnp.square(_unit(a) - _unit(b)).sum(3).mean((1, 2)) for a, b in zip(output, target))
    return jnp.stack(list(distances)).sum(0)


def _unit(x: jax.Array) -> jax.Array:
    x = x.astype(jnp.float32)
    return x * lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-10)
