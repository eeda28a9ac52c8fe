"""The Kullback-Leibler term of the evidence lower bound (ELBO) of a variational autoencoder."""

import jax
import jax.numpy as jnp

from jaxgan.core.numbers import require_floats


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Return the KL divergence of diagonal Gaussians from the standard normal distribution in nats, [B].

    It is KL(N(mean, diag(exp(log_variance))) || N(0, I)) = 0.5 sum(mean^2 + exp(log_variance) - 1 - log_variance),
    summed over all axes but the batch axis: Kingma and Welling 2014, appendix B. It is never negative, and it is 0 if
    the two distributions are equal.

    Args:
      mean: means, [B, ...].
      log_variance: natural logarithms of the variances, of the same shape.

    Raises:
      ValueError: if the shapes differ or have no batch axis.
    """
    require_floats(mean=mean, log_variance=log_variance)
    if mean.shape != log_variance.shape or mean.ndim < 1:
        raise ValueError(
            f"`mean` and `log_variance` must have the same shape [B, ...], got {mean.shape} and {log_variance.shape}."
        )
    # Use expm1, because near a variance of 1 the rounding error of exp(x) - 1 - x is larger than its value.
    each = jnp.square(mean) + jnp.expm1(log_variance) - log_variance
    return 0.5 * each.sum(range(1, mean.ndim))
