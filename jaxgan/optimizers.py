"""Optimizers of games, as optax transformations: what optax has not."""

import jax
import jax.numpy as jnp
import optax


def clip_weights(limit: float | jax.Array) -> optax.GradientTransformation:
    """Updates that leave every parameter in [-limit, limit]: the last of a chain. Arjovsky et al. 2017, algorithm 1.

    Raises:
      ValueError: ``limit`` is not above 0; or ``update`` is not given the parameters.
    """
    if not isinstance(limit, jax.Array) and not limit > 0:
        raise ValueError(f"clip_weights({limit}): the limit is above 0")

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("clip_weights: update(updates, state, params) needs the parameters")
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
