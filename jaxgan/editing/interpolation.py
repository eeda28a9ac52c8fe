"""Interpolate between latents: along great arcs, along straight lines, and in closed loops through several latents."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

FRAMES_PER_LATENT = 24  # number of frames from one latent to the next in an animation


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """Return the point at ``t`` on the great arc from latents ``a`` to ``b`` (Shoemake 1985).

    Normally distributed latents have a norm close to sqrt(z). All points of the arc have this norm as well, but the
    points of a straight line do not.

    Args:
      a: latents at ``t`` = 0, [..., z].
      b: latents at ``t`` = 1, [..., z].
      t: position on the arc, from 0 to 1, in a shape that broadcasts to [..., 1].
    """
    norms = [jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    cosine = jnp.sum(a / norms[0] * b / norms[1], axis=-1, keepdims=True)
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)


def lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """Return the point at ``t`` in [0, 1] on the straight line from ``a`` to ``b``, [..., w].

    Args:
      a: the first point, [..., w].
      b: the last point, [..., w].
      t: the position on the line, a scalar in [0, 1] or an array that broadcasts to [..., w].
    """
    return (1 - t) * a + t * b


def interpolation_loop(points: jax.Array, interpolate: Callable) -> jax.Array:
    """Return a path through all points and back to the first one, [N * FRAMES_PER_LATENT, ...].

    Args:
      points: latents, styles or class weights, [N, ...].
      interpolate: ``lerp`` or ``slerp``.
    """
    t = jnp.arange(FRAMES_PER_LATENT).reshape(-1, *(1,) * (points.ndim - 1)) / FRAMES_PER_LATENT
    next_points = jnp.roll(points, -1, axis=0)
    return jnp.concatenate([interpolate(a[None], b[None], t) for a, b in zip(points, next_points)])
