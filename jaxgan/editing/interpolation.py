"""Interpolation between latents: arcs, straight lines, and closed paths through several of them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

FRAMES_A_LATENT = 24  # of an interpolation


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the great arc from latents ``a`` to ``b``, [..., z] (Shoemake 1985).

    Unlike a straight line it stays where normal latents are, at a norm near sqrt(z).
    """
    norms = [jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    cosine = jnp.sum(a / norms[0] * b / norms[1], axis=-1, keepdims=True)
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)


def lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the straight line from ``a`` to ``b``, [..., w]."""
    return (1 - t) * a + t * b


def closed_path(points: jax.Array, between: Callable) -> jax.Array:
    """A path through all of the points, [N, ...], and back to the first: [N * FRAMES_A_LATENT, ...].

    Args:
      points: latents, or whatever else is to be moved between.
      between: ``lerp`` or ``slerp``.
    """
    t = jnp.arange(FRAMES_A_LATENT).reshape(-1, *(1,) * (points.ndim - 1)) / FRAMES_A_LATENT
    return jnp.concatenate([between(a[None], b[None], t) for a, b in zip(points, jnp.roll(points, -1, axis=0))])
