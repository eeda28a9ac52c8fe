"""The divergence term of the variational bound: how far a posterior is from the prior, one value per example."""

import jax
import jax.numpy as jnp


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(N(mean, diag(exp(log_variance))) || N(0, I)), in nats (Kingma and Welling 2014, appendix B).

    0.5 sum(mean^2 + exp(log_variance) - 1 - log_variance) over all axes but the batch's: at least 0, and 0 where the
    two are equal.

    Args:
      mean, log_variance: [B, ...], unbounded, of one shape.

    Raises:
      ValueError: their shapes differ, or have no batch.
    """
    if mean.shape != log_variance.shape or mean.ndim < 1:
        raise ValueError(
            f"gaussian_kl: `mean` and `log_variance` must have the same shape, [B, ...], got {mean.shape} and "
            f"{log_variance.shape}."
        )
    # expm1, because near a variance of 1 the rounding of exp(x) - 1 - x would be larger than its value.
    each = jnp.square(mean) + jnp.expm1(log_variance) - log_variance
    return 0.5 * each.sum(range(1, mean.ndim))
