"""Penalties on the gradient of a discriminator with respect to its input, one value per example.

The argument ``d`` is a function from images, [B, ...], to logits, [B], such as ``nets.d`` or
``lambda x: nets.d(augment(x))``. Each logit must depend only on its own example. The penalties can be differentiated
any number of times.

On accelerators, the products in a penalty and in its derivatives are computed in float32; see
``jaxgan.core.precision``.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.core import precision
from jaxgan.core.keys import check_key_count, fold_in_keys
from jaxgan.core.numbers import check_at_least, require_floats


def r1(d: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Return the R1 penalty || dD/dx ||^2 at real images, [B]: Mescheder et al. 2018, equation 9.

    Multiply it by its weight, gamma / 2.

    Args:
      d: the discriminator, from images [B, ...] to logits [B].
      x: real images, [B, ...].
    """
    return _sum_of_squares(_input_gradient(d, x))


def r2(d: Callable[[jax.Array], jax.Array], fake: jax.Array) -> jax.Array:
    """Return the R2 penalty || dD/dx ||^2 at generated images, [B].

    It is the function ``r1``, equation 9 of Mescheder et al. 2018, evaluated at generated images. Multiply it by its
    weight, gamma / 2.

    Args:
      d: the discriminator, from images [B, ...] to logits [B].
      fake: generated images, [B, ...].
    """
    return r1(d, fake)


def gradient_penalty(
    d: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    fake: jax.Array,
    keys: jax.Array,
    target: float = 1.0,
) -> jax.Array:
    """Return the gradient penalty of WGAN-GP, (|| dD/dx || - target)^2, [B]: Gulrajani et al. 2017, equation 3.

    The gradient is taken at a random point on the line between each real image and the generated image with the same
    index. The L2 norm is over all axes but the batch axis. Multiply the penalty by its weight (official: lambda = 10).

    Args:
      d: the critic, a function from images [B, ...] to values [B].
      real: real images, [B, ...].
      fake: generated images, of the same shape.
      keys: PRNG keys, [B], one per example. The random point of an example is drawn from the key of this example.
      target: gradient norm at which the penalty is 0.

    Raises:
      TypeError: if the images are not floating-point numbers.
      ValueError: if the shapes of ``real`` and ``fake`` differ, there is not one key per image, or ``d`` does not
        return one value per example.
    """
    if real.shape != fake.shape:
        raise ValueError(f"`real` and `fake` must have the same shape, got {real.shape} and {fake.shape}.")
    require_floats(real=real, fake=fake)
    check_key_count(keys, len(real))
    # Callers usually draw latents from the same keys. Without new keys, points and latents would be correlated.
    places = jax.vmap(lambda key: jax.random.uniform(key, ()))(fold_in_keys(keys, 1))
    places = places.reshape(-1, *[1] * (real.ndim - 1))
    return _off_target(d, real + places * (fake - real), target)


def dragan(
    d: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    keys: jax.Array,
    std: float,
    target: float = 1.0,
) -> jax.Array:
    """Return the DRAGAN penalty, (|| dD/dx || - target)^2 near real images, [B].

    It is the penalty in algorithm 1 of Kodali et al. 2017 (arXiv:1705.07215). The gradient is taken at x + delta, where
    delta is drawn from N(0, std^2 I). Multiply the penalty by its weight (official: lambda = 10).

    Args:
      d: the discriminator, a function from images [B, ...] to logits [B].
      real: real images, [B, ...].
      keys: PRNG keys, [B]. The noise of each example is drawn from its own key.
      std: standard deviation of the noise, in units of ``real``. The official code uses uniform noise, scaled with half
        of the standard deviation of the data.
      target: gradient norm at which the penalty is 0 (k in the paper).

    Raises:
      TypeError: if the images are not floating-point numbers.
      ValueError: if ``std`` is negative, there is not one key per image, or ``d`` does not return one logit per
        example.
    """
    check_at_least("std", std, 0)
    check_key_count(keys, len(real))
    noise = jax.vmap(lambda key: jax.random.normal(key, real.shape[1:]))(fold_in_keys(keys, 2))
    return _off_target(d, real + std * noise.astype(real.dtype), target)


def _off_target(d, x, target):
    squares = _sum_of_squares(_input_gradient(d, x))
    # The square root has no derivative at 0, where the gradient of the critic vanishes. Use 0 as its derivative.
    dead = squares == 0
    norms = jnp.where(dead, 0.0, jnp.sqrt(jnp.where(dead, 1.0, squares)))
    return jnp.square(norms - target)


def _input_gradient(d, x):
    require_floats(x=x)

    def summed(x):
        logits = d(x)
        if logits.shape != x.shape[:1]:
            raise ValueError(
                f"`d` must return one logit per example, of shape {x.shape[:1]}, but it maps inputs of shape {x.shape} "
                f"to the shape {logits.shape}."
            )
        return logits.sum()

    with precision.of_penalties():
        return jax.grad(summed)(x)


def _sum_of_squares(x):
    return jnp.square(x.astype(jnp.float32)).sum(range(1, x.ndim))
