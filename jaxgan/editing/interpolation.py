"""Interpolation between latents: great arcs, straight lines, and closed loops through several of them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

FRAMES_PER_LATENT = 24  # frames from one latent to the next in an animation


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the great arc from latents ``a`` to ``b``, [..., z] (Shoemake 1985).

    Normal latents have a norm near sqrt(z). The arc stays at that norm, a straight line does not.
    """
    norms = [jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    cosine = jnp.sum(a / norms[0] * b / norms[1], axis=-1, keepdims=True)
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)


def lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the straight line from ``a`` to ``b``, [..., w]."""
    return (1 - t) * a + t * b


def interpolation_loop(points: jax.Array, interpolate: Callable) -> jax.Array:
    """A path through all points, [N, ...], and back to the first: [N * FRAMES_PER_LATENT, ...].

    Args:
      points: latents, styles or weights of classes, [N, ...].
      interpolate: ``lerp`` or ``slerp``.
    """
    t = jnp.arange(FRAMES_PER_LATENT).reshape(-1, *(1,) * (points.ndim - 1)) / FRAMES_PER_LATENT
    next_points = jnp.roll(points, -1, axis=0)
    return jnp.concatenate([interpolate(a[None], b[None], t) for a, b in zip(points, next_points)])
