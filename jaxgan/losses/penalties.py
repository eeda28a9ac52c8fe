"""Penalties on a discriminator's gradients: functions of a network as a function, one value per example.

``d`` maps images, [B, ...], to logits, [B], each from its own example alone. It may be any such function:
``nets.d``, or ``lambda x: nets.d(augment(x))``. Each penalty is itself differentiable, to any order.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.core.keys import fold_in_keys


def r1(d: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """|| dD/dx ||^2 at real images. Mescheder et al. 2018, equation 9, whose weight is gamma / 2."""
    return _sum_of_squares(_input_gradient(d, x))


def r2(d: Callable[[jax.Array], jax.Array], fake: jax.Array) -> jax.Array:
    """|| dD/dx ||^2 at generated images: R1 at its other argument. Mescheder et al. 2018, equation 9."""
    return r1(d, fake)


def gradient_penalty(
    d: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    fake: jax.Array,
    keys: jax.Array,
    target: float = 1.0,
) -> jax.Array:
    """(|| dD/dx || - target)^2 at points drawn between pairs. Gulrajani et al. 2017, equation 3.

    The norm is over every axis but the batch's. The caller applies the weight, lambda = 10.

    Args:
      d: the critic.
      real, fake: [B, ...], of the same shape.
      keys: [B], one per example; each draws the place between its pair.
      target: the norm that the penalty asks for.

    Raises:
      ValueError: the shapes differ, or ``d`` does not give one logit per example.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient_penalty: `real` and `fake` must have the same shape, got {real.shape} and {fake.shape}."
        )
    # The keys have drawn latents already; a place drawn from the same bits would be correlated with them.
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
    """(|| dD/dx || - target)^2 around real images: DRAGAN. Kodali et al. 2017 (1705.07215), algorithm 1.

    The gradient is taken at x + delta, with delta from N(0, std^2 I). The caller applies the weight, lambda = 10.

    Args:
      d: the discriminator.
      real: [B, ...].
      keys: [B], one per example; each draws the noise of its example.
      std: the standard deviation of the noise, in units of ``real``. The official code uses half that of the data, and
        uniform noise.
      target: the norm that the penalty asks for, k in the paper.

    Raises:
      ValueError: ``std`` is negative, or ``d`` does not give one logit per example.
    """
    if std < 0:
        raise ValueError(f"dragan: `std` must be at least 0, got {std}.")
    noise = jax.vmap(lambda key: jax.random.normal(key, real.shape[1:]))(fold_in_keys(keys, 2))
    return _off_target(d, real + std * noise.astype(real.dtype), target)


def _off_target(d, x, target):
    squares = _sum_of_squares(_input_gradient(d, x))
    # The square root has no derivative at 0, where a critic starts or dies. Its slope there is defined as 0.
    dead = squares == 0
    norms = jnp.where(dead, 0.0, jnp.sqrt(jnp.where(dead, 1.0, squares)))
    return jnp.square(norms - target)


def _input_gradient(d, x):
    def summed(x):
        logits = d(x)
        if logits.shape != x.shape[:1]:
            raise ValueError(
                f"The penalised function must give one logit per example, {x.shape[:1]}, but maps {x.shape} to "
                f"{logits.shape}."
            )
        return logits.sum()

    return jax.grad(summed)(x)


def _sum_of_squares(x):
    return jnp.square(x.astype(jnp.float32)).sum(range(1, x.ndim))
