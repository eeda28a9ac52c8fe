"""Optimizers that games need and optax has not: optax transformations."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


def clip_weights(limit: float | jax.Array) -> optax.GradientTransformation:
    """Changes updates so that parameters end in [-limit, limit]: the last of a chain.

    WGAN's critic is kept Lipschitz so, with a limit of 0.01 (Arjovsky et al. 2017, 1701.07875, algorithm 1):
    ``optax.chain(optax.rmsprop(5e-5, eps_in_sqrt=False), clip_weights(0.01))``, with epsilon outside the root, where
    PyTorch has it, and so the authors.

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


def cosine(first: float | jax.Array, last: float | jax.Array, steps: int) -> optax.Schedule:
    """A schedule from the first value to the last, which may be larger, by half a cosine; of a rate, a decay, a weight.

    ``optax.cosine_decay_schedule`` has a share of the first for the last, and so none from 0.
    """
    share = optax.cosine_decay_schedule(1.0, steps)
    return lambda step: last + (first - last) * share(step)


class PauseState(NamedTuple):
    """Whether the next update is left out, a bool scalar; and the optimizer's own state."""

    paused: jax.Array
    inner: Any


def pause(
    optimizer: optax.GradientTransformation, when: Callable[[Mapping[str, jax.Array]], Any]
) -> optax.GradientTransformationExtraArgs:
    """``optimizer``, which leaves out each update that follows a batch whose terms ``when`` holds of.

    3D-GAN's discriminator is "only updated if its accuracy in the last batch is not higher than 80 %" (Wu et al. 2016,
    section 3.1). While it pauses its terms are still computed, so it notices when to go on; parameters and the state of
    ``optimizer`` do not change by a bit, and neither does what it does next. The first batch is never left out.

    Args:
      optimizer: what is paused; extra arguments are passed on to it.
      when: of the player's terms and metrics by name, scalars over the whole batch, as ``Game.step`` gives them;
        true, or an array that is, to leave out the next update.

    Raises:
      ValueError: an update is given no ``terms=``.
    """
    inner = optax.with_extra_args_support(optimizer)

    def init(params):
        return PauseState(jnp.asarray(False), inner.init(params))

    def update(updates, state, params=None, *, terms=None, **extra):
        if terms is None:
            raise ValueError("pause: an update without terms; give update(..., terms={'accuracy': ...}) as a game does")
        moved, moved_inner = inner.update(updates, state.inner, params, terms=terms, **extra)
        # Selected, not multiplied: a gradient that is not finite does not reach parameters that pause.
        moved = jax.tree.map(lambda x: jnp.where(state.paused, jnp.zeros_like(x), x), moved)
        kept = jax.tree.map(lambda new, old: jnp.where(state.paused, old, new), moved_inner, state.inner)
        return moved, PauseState(jnp.asarray(when(terms), bool), kept)

    return optax.GradientTransformationExtraArgs(init, update)
