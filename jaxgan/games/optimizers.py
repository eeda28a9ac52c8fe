"""optax transformations and schedules that games need and optax does not have."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer


def clip_weights(limit: float | jax.Array) -> optax.GradientTransformation:
    """Changes updates so that parameters end in [-limit, limit]; the last transformation of a chain.

    WGAN keeps its critic Lipschitz in this way, with a limit of 0.01 (Arjovsky et al. 2017, 1701.07875, algorithm 1):
    ``optax.chain(optax.rmsprop(5e-5, eps_in_sqrt=False), clip_weights(0.01))``, with epsilon outside the square root as
    in PyTorch, which the authors used.

    Parameters that begin outside are brought inside by the first update, up to the rounding of the sum that applies it.

    Args:
      limit: above 0. It may be traced, as in a population that varies it, and is then not checked.

    Raises:
      ValueError: ``limit`` is not positive, or ``update`` gets no parameters.
    """
    if not isinstance(limit, Tracer) and not limit > 0:
        raise ValueError(f"clip_weights: `limit` must be above 0, got {limit}.")

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("clip_weights: call update(updates, state, params); `params` must be given.")
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def cosine(first: float | jax.Array, last: float | jax.Array, steps: int) -> optax.Schedule:
    """A schedule along half a cosine, from ``first`` at step 0 to ``last`` at ``steps``, for a rate, decay or weight.

    Unlike ``optax.cosine_decay_schedule``, it can rise, and begin at 0: there the last value is a share of the first.

    >>> schedule = cosine(0.0, 2.0, 100)
    >>> [round(float(schedule(step)), 4) for step in (0, 50, 100, 200)]
    [0.0, 1.0, 2.0, 2.0]
    """
    share = optax.cosine_decay_schedule(1.0, steps)

    def schedule(step):
        return last + (first - last) * share(step)

    return schedule


class PauseState(NamedTuple):
    """The state of ``pause``.

    Attributes:
      paused: whether the next update is left out, a boolean scalar.
      inner: the state of the optimizer.
    """

    paused: jax.Array
    inner: Any


def pause(
    optimizer: optax.GradientTransformation, when: Callable[[Mapping[str, jax.Array]], Any]
) -> optax.GradientTransformationExtraArgs:
    """``optimizer``, leaving out each update after a batch for which ``when(terms)`` was true.

    3D-GAN's discriminator is "only updated if its accuracy in the last batch is not higher than 80 %" (Wu et al. 2016,
    section 3.1). While a player pauses, its terms are still computed, so it notices when to go on. Parameters and the
    optimizer's state do not change by a bit in a pause. The first update is never left out.

    Args:
      optimizer: the optimizer that pauses; extra arguments are passed on to it.
      when: maps the player's terms and metrics by name, scalars over the whole batch as ``Game.step`` gives them, to
        whether the next update is left out: a bool or a boolean scalar.

    Raises:
      ValueError: ``update`` gets no ``terms``.
    """
    inner = optax.with_extra_args_support(optimizer)

    def init(params):
        return PauseState(jnp.asarray(False), inner.init(params))

    def update(updates, state, params=None, *, terms=None, **extra):
        if terms is None:
            raise ValueError("pause: call update(..., terms={'accuracy': ...}) as a game does; `terms` must be given.")
        moved, moved_inner = inner.update(updates, state.inner, params, terms=terms, **extra)
        # Selected and not multiplied by 0, so that a gradient which is not finite does not reach the parameters.
        moved = jax.tree.map(lambda x: jnp.where(state.paused, jnp.zeros_like(x), x), moved)
        kept = jax.tree.map(lambda new, old: jnp.where(state.paused, old, new), moved_inner, state.inner)
        return moved, PauseState(jnp.asarray(when(terms), bool), kept)

    return optax.GradientTransformationExtraArgs(init, update)
