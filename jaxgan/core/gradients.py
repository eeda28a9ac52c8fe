"""How a player's gradient is computed: values for ``Player(..., gradient=...)``.

Each is a function of ``(loss, own, batch, keys)`` that returns the gradient over ``own``, the
parameters of the networks which the player owns, and the ``Terms`` that the loss gave beside it.
``loss(own, batch, keys)`` returns ``(scalar, Terms)``. A device calls it on its own share of the
batch; ``Game.step`` averages what it returns over the devices.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgan.core import axis


def full_batch(loss, own, batch, keys):
    """The gradient over the whole batch at once."""
    return jax.grad(loss, has_aux=True)(own, batch, keys)


def clipped(clip: float):
    """The mean of every example's own gradient, each scaled down to a norm of at most ``clip``.

    Abadi et al. 2016, algorithm 1, before its noise: see ``jaxgan.games.privacy``. So an example, whatever it is,
    changes the mean by at most ``2 * clip`` over the examples. The loss is called on one example at a time, a batch of
    one, so nothing of the others can enter. The norm is over all parameters of the player together. The metric
    ``clipped`` is the share of examples whose gradient was scaled.

    Statistics that a loss returns are of examples, and no noise hides them. Spectral norm's are of the parameters alone
    and kept.

    Args:
      clip: the norm, above 0.

    Raises:
      ValueError: ``clip`` is not positive; or, when traced, the loss returns statistics other than spectral norm's.
    """
    if not clip > 0:
        raise ValueError(f"clipped({clip}): a norm above 0, to which each example's gradient is scaled down")

    def gradient(loss, own, batch, keys):
        def of_one(example, key):
            with axis.alone():
                grads, terms = full_batch(loss, own, jax.tree.map(lambda x: x[None], example), key[None])
            norm = optax.tree.norm(jax.tree.map(lambda x: x.astype(jnp.float32), grads))
            scale = clip / jnp.maximum(norm, clip)
            metrics = {**terms.metrics, "clipped": jnp.float32(norm > clip)}
            # An infinite gradient has no direction to scale: its example teaches nothing, and the log still shows it.
            grads = jax.tree.map(lambda x: jnp.where(jnp.isfinite(norm), x * scale.astype(x.dtype), 0), grads)
            return grads, terms.replace(metrics=metrics)

        grads, terms = jax.vmap(of_one)(batch, keys)
        for net, collections in terms.stats.items():
            for name in collections:
                if name != "spectral":
                    raise ValueError(
                        f"clipped: a loss returns the statistics {name!r} of network {net!r}, which are of the "
                        "examples and would be kept as they are; use a network without them"
                    )
        grads, scalars = jax.tree.map(lambda x: x.mean(0), (grads, (terms.loss, terms.terms, terms.metrics)))
        stats, due = jax.tree.map(lambda x: x[0], (terms.stats, terms.due))
        loss_value, named, metrics = scalars
        return grads, terms.replace(loss=loss_value, terms=named, metrics=metrics, stats=stats, due=due)

    return gradient


def accumulate(n: int, each: Callable = full_batch):
    """The mean of the gradients of ``n`` micro-batches, one after the other.

    A micro-batch's activations take an n-th of the memory.

    Equal to ``full_batch`` for a loss that is a mean over examples. Layers that look across the batch
    (BatchNorm, minibatch standard deviation) see micro-batches, as they do in every framework.
    ``batch_stats`` are averaged over the micro-batches; of every other collection the last is kept.

    Args:
      n: the number of micro-batches; must divide the examples that a device is given in a turn.
      each: how a micro-batch's gradient is computed.
    """
    if n < 1:
        raise ValueError(f"accumulate(n={n}): the number of micro-batches is at least 1")

    def gradient(loss, own, batch, keys):
        examples = keys.shape[0]
        if examples % n:
            raise ValueError(
                f"accumulate({n}): a turn has {examples} examples a device, which {n} micro-batches "
                f"do not share evenly; use a batch of {examples // n * n or n} a device and turn"
            )
        micro = jax.tree.map(lambda x: x.reshape(n, -1, *x.shape[1:]), (batch, keys))
        shapes = jax.eval_shape(lambda part: each(loss, own, *part), jax.tree.map(lambda x: x[0], micro))
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(so_far, part):
            return _add(so_far, each(loss, own, *part), 1 / n), None

        (grads, terms), _ = jax.lax.scan(add, nothing, micro)
        return grads, terms

    return each if n == 1 else gradient


def _add(so_far, new, share):
    """A share of a micro-batch's gradients, terms and averages to those before; of all else, the newest."""
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
