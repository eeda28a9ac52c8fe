"""Optimizers that games need and optax has not: optax transformations."""

import jax
import jax.numpy as jnp
import optax


def clip_weights(limit: float | jax.Array) -> optax.GradientTransformation:
    """Changes updates so that parameters end in [-limit, limit]: the last of a chain.

    WGAN's critic is kept Lipschitz so, with a limit of 0.01 (Arjovsky et al. 2017, 1701.07875, algorithm 1):
    ``optax.chain(optax.rmsprop(5e-5), clip_weights(0.01))``.

    Parameters that begin outside are brought inside by the first update. Up to the rounding of the sum that applies it.

    Raises:
      ValueError: the limit is not positive, or the update is given no parameters.
    """
    if not isinstance(limit, jax.Array) and not limit > 0:
        raise ValueError(f"clip_weights({limit}): parameters are kept in [-limit, limit], which is above 0")

    def update(updates, state, params=None):
        if params is None:
            raise ValueError(
                "clip_weights: call update(updates, state, params), with the parameters to be kept in bounds"
            )
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
