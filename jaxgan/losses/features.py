"""Losses that compare the features of two sets of images: feature matching and a perceptual distance."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis


def feature_matching(real_features: jax.Array, fake_features: jax.Array) -> jax.Array:
    """Return the feature matching loss of the generator, || E f(x) - E f(G(z)) ||^2, a scalar.

    The expectations are means over the batches of all devices. Source: Salimans et al. 2016 (arXiv:1606.03498), section
    3.1.

    Args:
      real_features: f(x), [B, ...], features of real images from one layer of the discriminator.
      fake_features: f(G(z)), [B, ...], features of generated images from the same layer.

    Raises:
      ValueError: if the shapes differ after the batch axis.
    """
    if real_features.shape[1:] != fake_features.shape[1:] or not real_features.ndim or not fake_features.ndim:
        raise ValueError(
            "`real_features` and `fake_features` must have the same shape after the batch axis, got "
            f"{real_features.shape} and {fake_features.shape}."
        )
    real, fake = axis.mean((real_features.astype(jnp.float32).mean(0), fake_features.astype(jnp.float32).mean(0)))
    return jnp.square(real - fake).sum()


def perceptual(output: Sequence[jax.Array], target: Sequence[jax.Array]) -> jax.Array:
    """Return the perceptual distance between two batches of images, [B].

    It is equation 1 of Zhang et al. 2018 (LPIPS, arXiv:1801.03924) with all weights equal to 1. A level is the feature
    map of one layer of the network that computes the features. The feature vector at each pixel of a level is
    normalised to an L2 norm of 1. The squared distance between the vectors of the two images, from 0 to 4, is averaged
    over pixels and summed over levels.

    Args:
      output: features of the generated images, one array [B, h, w, C] per level.
      target: features of the target images, of the same shapes.

    Raises:
      ValueError: if the shapes of the levels differ, if a level is not [B, h, w, C], or if there are no levels.
    """
    shapes = [[x.shape for x in levels] for levels in (output, target)]
    if shapes[0] != shapes[1] or not shapes[0] or any(len(shape) != 4 for shape in shapes[0]):
        raise ValueError(
            "`output` and `target` must be sequences of feature maps [B, h, w, C] with the same shapes, got "
            f"{shapes[0]} and {shapes[1]}."
        )
    distances = (jnp.square(_unit(a) - _unit(b)).sum(3).mean((1, 2)) for a, b in zip(output, target))
    return jnp.stack(list(distances)).sum(0)


def _unit(x: jax.Array) -> jax.Array:
    x = x.astype(jnp.float32)
    return x * lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-10)
