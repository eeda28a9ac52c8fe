"""Provide optax gradient transformations and schedules that games need and that optax does not contain."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.core.numbers import check_above


def clip_weights(limit: float | jax.Array) -> optax.GradientTransformation:
    """Create a transformation that clips parameters to [-limit, limit] after each update.

    Put it last in an ``optax.chain``. WGAN clips the weights of its critic to 0.01 to make it Lipschitz continuous
    (Arjovsky et al. 2017, 1701.07875, algorithm 1): ``optax.chain(optax.rmsprop(5e-5, eps_in_sqrt=False),
    clip_weights(0.01))``. Epsilon is outside of the square root, as in PyTorch, which the authors used.

    If initial parameters are outside of the interval, the first update moves them into it, up to rounding errors.

    Args:
      limit: the largest absolute value of a parameter, above 0. It can be a tracer, for example in a population with a
        different limit for each member. A tracer is not checked.

    Raises:
      ValueError: if ``limit`` is not positive, or ``update`` receives no parameters.
    """
    check_above("limit", limit, 0)

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("`params` is required for `clip_weights`. Call update(updates, state, params).")
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def cosine(first: float | jax.Array, last: float | jax.Array, steps: int) -> optax.Schedule:
    """Create a schedule that follows half a cosine from ``first`` at step 0 to ``last`` at step ``steps``.

    Use it for a learning rate, a decay or the weight of a loss. Unlike ``optax.cosine_decay_schedule``, it can increase
    and start at 0, because the last value is an absolute number and not a fraction of the first.

    >>> schedule = cosine(0.0, 2.0, 100)
    >>> [round(float(schedule(step)), 4) for step in (0, 50, 100, 200)]
    [0.0, 1.0, 2.0, 2.0]

    Args:
      first: the value at step 0.
      last: the value at step ``steps`` and at all later steps.
      steps: the number of steps from ``first`` to ``last``.
    """
    share = optax.cosine_decay_schedule(1.0, steps)

    def schedule(step):
        return last + (first - last) * share(step)

    return schedule


class PauseState(NamedTuple):
    """The state of ``pause``.

    Attributes:
      paused: whether the next update will be skipped, a boolean scalar.
      inner: the state of the optimizer that is paused.
    """

    paused: jax.Array
    inner: Any


def pause(
    optimizer: optax.GradientTransformation, when: Callable[[Mapping[str, jax.Array]], Any]
) -> optax.GradientTransformationExtraArgs:
    """Return an optimizer that skips the next update after each batch for which ``when(terms)`` is true.

    3D-GAN's discriminator is "only updated if its accuracy in the last batch is not higher than 80 %" (Wu et al. 2016,
    section 3.1). The terms of a paused player are still computed in every turn, so that the pause can end. During a
    pause, the parameters and the state of the optimizer do not change. The first update is never skipped.

    Args:
      optimizer: the optimizer to pause. It receives all extra arguments of ``update``.
      when: a function that returns whether to skip the next update, a bool or a boolean scalar. Its argument is a
        mapping from the names of the player's terms and metrics to scalars over the complete batch, as ``Game.step``
        passes them.

    Raises:
      ValueError: if ``update`` receives no ``terms``.
    """
    inner = optax.with_extra_args_support(optimizer)

    def init(params):
        return PauseState(jnp.asarray(False), inner.init(params))

    def update(updates, state, params=None, *, terms=None, **extra):
        if terms is None:
            raise ValueError(
                "`terms` is required for `pause`. Call update(..., terms={'accuracy': ...}), as a game does."
            )
        moved, moved_inner = inner.update(updates, state.inner, params, terms=terms, **extra)
        # Use `where` instead of a multiplication by 0, because 0 times an infinite update is NaN.
        moved = jax.tree.map(lambda x: jnp.where(state.paused, jnp.zeros_like(x), x), moved)
        new_inner = jax.tree.map(lambda new, old: jnp.where(state.paused, old, new), moved_inner, state.inner)
        return moved, PauseState(jnp.asarray(when(terms), bool), new_inner)

    return optax.GradientTransformationExtraArgs(init, update)
