"""How a player's gradient is computed: values for ``Player(..., gradient=...)``.

Each is a function ``(loss, own, batch, keys) -> (gradient, terms)``: the gradient over ``own``, the parameters of the
networks that the player owns, and the ``Terms`` of the loss. ``loss(own, batch, keys)`` returns ``(scalar, Terms)``. A
device calls it on its own share of the batch; ``Game.step`` averages what it returns over the devices.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis


def full_batch(loss, own, batch, keys):
    """The gradient over the full batch at once."""
    return jax.grad(loss, has_aux=True)(own, batch, keys)


def per_example_clipped(l2_clip: float):
    """The mean of the gradients of single examples, each scaled down to a norm of at most ``l2_clip``.

    Abadi et al. 2016, algorithm 1, before its noise: see ``jaxgan.games.privacy``. Replacing one example, by whatever
    other, changes the mean by at most ``2 * l2_clip / B``. The loss is called on one example at a time, a batch of one,
    so no other example can enter. The norm is over all parameters of the player together. The metric ``clipped`` is the
    share of examples whose gradient was scaled.

    Statistics that a loss returns are computed from examples, and no noise hides them. Those of spectral normalisation
    depend on parameters alone and are kept.

    Args:
      l2_clip: the largest norm of an example's gradient, above 0.

    Raises:
      ValueError: ``l2_clip`` is not positive; or, when traced, the loss returns statistics other than those of spectral
        normalisation.
    """
    if not l2_clip > 0:
        raise ValueError(f"per_example_clipped: `l2_clip` must be above 0, got {l2_clip}.")

    def gradient(loss, own, batch, keys):
        def of_example(example, key):
            with axis.alone():
                grads, terms = full_batch(loss, own, jax.tree.map(lambda x: x[None], example), key[None])
            norm = optax.tree.norm(jax.tree.map(lambda x: x.astype(jnp.float32), grads))
            scale = l2_clip / jnp.maximum(norm, l2_clip)
            metrics = {**terms.metrics, "clipped": jnp.float32(norm > l2_clip)}
            # An infinite gradient has no direction to scale. It is replaced by 0; the logged loss still shows it.
            grads = jax.tree.map(lambda x: jnp.where(jnp.isfinite(norm), x * scale.astype(x.dtype), 0), grads)
            return grads, terms.replace(metrics=metrics)

        grads, terms = jax.vmap(of_example)(batch, keys)
        for net, collections in terms.stats.items():
            for name in collections:
                if name != "spectral":
                    raise ValueError(
                        f"per_example_clipped: the loss returns the statistics {name!r} of network {net!r}. They are "
                        "computed from the examples and would be kept without noise; use a network without them."
                    )
        grads, scalars = jax.tree.map(lambda x: x.mean(0), (grads, (terms.loss, terms.terms, terms.metrics)))
        stats, due = jax.tree.map(lambda x: x[0], (terms.stats, terms.due))
        loss_value, named, metrics = scalars
        return grads, terms.replace(loss=loss_value, terms=named, metrics=metrics, stats=stats, due=due)

    return gradient


def accumulate(n: int, each: Callable = full_batch):
    """The mean of the gradients of ``n`` micro-batches, one after the other.

    The activations of a micro-batch take an n-th of the memory.

    Equal to ``full_batch`` for a loss that is a mean over examples. Layers that look across the batch (BatchNorm,
    minibatch standard deviation) see micro-batches, as in every framework. ``batch_stats`` are averaged over the
    micro-batches; of every other collection the last one is kept.

    Args:
      n: the number of micro-batches, which must divide the number of examples that a device gets in a turn.
      each: how the gradient of a micro-batch is computed.

    Raises:
      ValueError: ``n`` is below 1; or, when traced, ``n`` does not divide the examples.
    """
    if n < 1:
        raise ValueError(f"accumulate: `n`, the number of micro-batches, must be at least 1, got {n}.")

    def gradient(loss, own, batch, keys):
        examples = keys.shape[0]
        if examples % n:
            raise ValueError(
                f"accumulate({n}): a turn has {examples} examples per device, which cannot be split evenly into {n} "
                f"micro-batches. Use a batch of {examples // n * n or n} per device and turn."
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
    """Add a micro-batch's share of gradients, terms and ``batch_stats`` to the sums; of all else keep the newest."""
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
