"""Compute the gradient of a player's loss: functions for ``Player(..., gradient=...)``.

A gradient function has the signature ``(loss, own, batch, keys) -> (gradient, terms)``. ``own`` contains the parameters
of the networks that the player owns, and ``loss(own, batch, keys)`` returns ``(scalar, Terms)``. The function returns
the gradient with respect to ``own``, and the ``Terms`` of the loss. Each device calls it with its own share of the
batch, and ``Game.step`` averages the results over the devices.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis
from jaxgan.core.numbers import refuse_traced


def full_batch(loss, own, batch, keys):
    """Compute the gradient for all examples at once, and return it with the terms of the loss.

    Args:
      loss: the function ``(own, batch, keys) -> (scalar, Terms)``.
      own: a dictionary from the names of the networks that the player owns to their parameters.
      batch: the examples, a pytree of arrays [B, ...].
      keys: random keys, [B], one per example.

    Returns:
      The gradient, a pytree like ``own``, and the ``Terms`` of the loss.
    """
    return jax.grad(loss, has_aux=True)(own, batch, keys)


def per_example_clipped(l2_clip: float):
    """Create a gradient function that clips the gradient of each example, and averages the clipped gradients.

    The L2 norm of each example's gradient, over all parameters of the player together, is scaled down to ``l2_clip`` if
    it is larger. This is algorithm 1 of Abadi et al. 2016 before the noise is added; see ``jaxgan.games.privacy``.
    Replacing one example by another example changes the mean gradient by at most ``2 * l2_clip / B``. The loss is
    called with one example at a time, as a batch of size 1, so the gradient of an example cannot depend on other
    examples. The gradient function adds the metric ``clipped``, the fraction of examples with a scaled gradient.

    A loss must not return moving statistics that are computed from examples, such as the averages of BatchNorm, because
    the game would store them without noise. The statistics of spectral normalisation depend on parameters only and are
    allowed.

    Args:
      l2_clip: the largest L2 norm of an example's gradient, above 0.

    Raises:
      ValueError: if ``l2_clip`` is not positive and finite; or, when the step is traced, if the loss returns moving
        statistics other than the statistics of spectral normalisation.
    """
    check_clip(l2_clip)

    def gradient(loss, own, batch, keys):
        def clipped_gradient(example, key):
            with axis.alone():
                grads, terms = full_batch(loss, own, jax.tree.map(lambda x: x[None], example), key[None])
            norm = optax.tree.norm(jax.tree.map(lambda x: x.astype(jnp.float32), grads))
            scale = l2_clip / jnp.maximum(norm, l2_clip)
            metrics = {**terms.metrics, "clipped": jnp.float32(norm > l2_clip)}
            # A gradient with a norm that is not finite cannot be scaled, so it is replaced by 0. The logged loss still
            # shows that the example diverged.
            grads = jax.tree.map(lambda x: jnp.where(jnp.isfinite(norm), x * scale.astype(x.dtype), 0), grads)
            return grads, terms.replace(metrics=metrics)

        grads, terms = jax.vmap(clipped_gradient)(batch, keys)
        for net, collections in terms.stats.items():
            for name in collections:
                if name != "spectral":
                    raise ValueError(
                        f"The loss returns the moving statistics {name!r} of network {net!r}, which "
                        "`per_example_clipped` does not allow. They are computed from the examples and would be stored "
                        "without noise. Use a network without such statistics."
                    )
        grads, scalars = jax.tree.map(lambda x: x.mean(0), (grads, (terms.loss, terms.terms, terms.metrics)))
        stats, due = jax.tree.map(lambda x: x[0], (terms.stats, terms.due))
        loss_value, named, metrics = scalars
        return grads, terms.replace(loss=loss_value, terms=named, metrics=metrics, stats=stats, due=due)

    return gradient


def check_clip(l2_clip: float) -> None:
    """Raise an error unless ``l2_clip`` is a finite number above 0.

    Args:
      l2_clip: the largest L2 norm of an example's gradient.
    """
    refuse_traced("l2_clip", l2_clip)
    if not l2_clip > 0:
        raise ValueError(f"`l2_clip` must be above 0, got {l2_clip}.")
    if l2_clip == math.inf:
        raise ValueError("`l2_clip` must be finite, got inf.")


def accumulate(n: int, each: Callable = full_batch):
    """Create a gradient function that splits a batch into ``n`` micro-batches, and averages their gradients.

    The gradients are computed for one micro-batch after the other. Only the activations of one micro-batch are in
    memory at a time, so the activations need 1 / n of the memory that they would need for the complete batch.

    The result is equal to the result of ``full_batch`` if the loss is a mean over examples. Layers that combine the
    examples of a batch, such as BatchNorm and minibatch standard deviation, use one micro-batch at a time, as in other
    frameworks. The collection ``batch_stats`` is averaged over the micro-batches. Every other collection is taken from
    the last micro-batch.

    Args:
      n: the number of micro-batches. The number of examples per device and turn must be a multiple of ``n``.
      each: the gradient function for one micro-batch.

    Raises:
      ValueError: if ``n`` is below 1; or, when the step is traced, if the number of examples per device is not a
        multiple of ``n``.
    """
    if n < 1:
        raise ValueError(f"`n`, the number of micro-batches, must be at least 1, got {n}.")

    def gradient(loss, own, batch, keys):
        examples = keys.shape[0]
        if examples % n:
            raise ValueError(
                f"A turn has {examples} examples per device, which cannot be split evenly into {n} micro-batches. "
                f"Use {examples // n * n or n} examples per device and turn."
            )
        micro = jax.tree.map(lambda x: x.reshape(n, -1, *x.shape[1:]), (batch, keys))
        shapes = jax.eval_shape(lambda part: each(loss, own, *part), jax.tree.map(lambda x: x[0], micro))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(so_far, part):
            return _add_share(so_far, each(loss, own, *part), 1 / n), None

        (grads, terms), _ = jax.lax.scan(add, zeros, micro)
        return grads, terms

    return each if n == 1 else gradient


def _add_share(so_far, new, share):
    """Add ``share`` times the gradients, terms and ``batch_stats`` of a micro-batch to the sums so far.

    Everything else is taken from the new micro-batch.
    """
    (grads, terms), (new_grads, new_terms) = so_far, new

    def add(tree, more):
        return jax.tree.map(lambda x, y: x + share * y, tree, more)

    stats = {
        net: {
            name: add(terms.stats[net][name], tree) if name == "batch_stats" else tree
            for name, tree in collections.items()
        }
        for net, collections in new_terms.stats.items()
    }
    scalars = add((terms.loss, terms.terms, terms.metrics), (new_terms.loss, new_terms.terms, new_terms.metrics))
    loss, named, metrics = scalars
    merged = new_terms.replace(loss=loss, terms=named, metrics=metrics, stats=stats)
    return add(grads, new_grads), merged
