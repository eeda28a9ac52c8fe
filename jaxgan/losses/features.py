"""Feature matching: Salimans et al. 2016 (1606.03498), section 3.1."""

import jax
import jax.numpy as jnp

from jaxgan import axis


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
