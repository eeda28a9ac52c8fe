"""Penalties on a discriminator's gradients: functions of a network as a function, one value per example.

``d`` maps images, [B, ...], to logits, [B], each from its own example alone. It may be any such function:
``nets.d``, or ``lambda x: nets.d(augment(x))``. Each penalty is itself differentiable, to any order.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


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

    The norm is over every axis but the batch's; the weight, lambda = 10, is the caller's.

    Args:
      d: the critic.
      real, fake: [B, ...], of one shape.
      keys: [B], one per example; they draw the places between.
      target: the norm that is asked for.
    """
    if real.shape != fake.shape:
        raise ValueError(f"gradient_penalty: real is {real.shape} and fake {fake.shape}; they are paired")
    # The keys have drawn latents already: a place drawn from the same bits would go with them.
    places = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 1), ()))(keys)
    places = places.reshape(-1, *[1] * (real.ndim - 1))
    return _off_target(d, real + places * (fake - real), target)


def dragan(
    d: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    keys: jax.Array,
    deviation: float,
    target: float = 1.0,
) -> jax.Array:
    """(|| dD/dx || - target)^2 around real images: DRAGAN. Kodali et al. 2017 (1705.07215), algorithm 1.

    At x + delta, delta from N(0, deviation^2 I). The weight, lambda = 10, is the caller's.

    Args:
      d: the discriminator.
      real: [B, ...].
      keys: [B], one per example; they draw the noise.
      deviation: the noise's standard deviation, in units of ``real``. The authors' code has half that of the data, and
        draws their noise evenly.
      target: the norm that is asked for, the paper's k.

    Raises:
      ValueError: the deviation is negative.
    """
    if deviation < 0:
        raise ValueError(f"dragan(deviation={deviation}): a standard deviation is at least 0")
    draw = lambda key: jax.random.normal(jax.random.fold_in(key, 2), real.shape[1:])  # noqa: E731
    return _off_target(d, real + deviation * jax.vmap(draw)(keys).astype(real.dtype), target)


def _off_target(d, x, target):
    squares = _sum_of_squares(_input_gradient(d, x))
    # The square root has no derivative at 0, where a critic starts or dies: its slope there is taken as 0.
    dead = squares == 0
    norms = jnp.where(dead, 0.0, jnp.sqrt(jnp.where(dead, 1.0, squares)))
    return jnp.square(norms - target)


def _input_gradient(d, x):
    def summed(x):
        logits = d(x)
        if logits.shape != x.shape[:1]:
            raise ValueError(
                f"the penalised function maps {x.shape} to {logits.shape}; it must give one logit per "
                f"example, {x.shape[:1]}"
            )
        return logits.sum()

    return jax.grad(summed)(x)


def _sum_of_squares(x):
    return jnp.square(x.astype(jnp.float32)).sum(range(1, x.ndim))
