"""How a player's gradient is computed: values for ``Player(..., gradient=...)``.

Each is a function of ``(loss, own, batch, keys)`` that returns the gradient over ``own``, the
parameters of the networks which the player owns, and the ``Terms`` that the loss gave beside it.
``loss(own, batch, keys)`` returns ``(scalar, Terms)``. A device calls it on its own share of the
batch; ``Game.step`` averages what it returns over the devices.
"""

import jax
import jax.numpy as jnp


def whole(loss, own, batch, keys):
    """The gradient over the whole batch at once."""
    return jax.grad(loss, has_aux=True)(own, batch, keys)


def accumulate(n: int):
    """The mean of the gradients of ``n`` micro-batches, one after the other.

    A micro-batch's activations take an n-th of the memory.

    Equal to ``whole`` for a loss that is a mean over examples. Layers that look across the batch
    (BatchNorm, minibatch standard deviation) see micro-batches, as they do in every framework.
    ``batch_stats`` are averaged over the micro-batches; of every other collection the last is kept.

    Args:
      n: the number of micro-batches; must divide the examples that a device is given in a turn.
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
        shapes = jax.eval_shape(lambda part: whole(loss, own, *part), jax.tree.map(lambda x: x[0], micro))
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(so_far, part):
            return _add(so_far, whole(loss, own, *part), 1 / n), None

        (grads, terms), _ = jax.lax.scan(add, nothing, micro)
        return grads, terms

    return whole if n == 1 else gradient


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
