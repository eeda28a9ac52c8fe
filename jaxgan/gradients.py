"""How a player's gradient is computed: values for ``Player(..., gradient=...)``.

Each is a function of ``(loss, own, batch, keys)`` that returns the gradient over ``own``, the
parameters of the networks which the player owns, and the ``Terms`` that the loss gave beside it.
``loss(own, batch, keys)`` returns ``(scalar, Terms)``. A device calls it on its own share of the
batch; ``Game.step`` averages what it returns over the devices.
"""

import jax


def whole(loss, own, batch, keys):
    """The gradient over the whole batch at once."""
    return jax.grad(loss, has_aux=True)(own, batch, keys)


def accumulate(n: int):
    """The mean of the gradients of ``n`` micro-batches, one after the other, in an n-th of the memory.

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
        _, (grads, terms) = jax.lax.scan(lambda _, part: (None, whole(loss, own, *part)), None, micro)
        return jax.tree.map(lambda g: g.mean(0), grads), _merge(terms)

    return whole if n == 1 else gradient


def _merge(terms):
    """``Terms`` with a leading axis of micro-batches -> ``Terms`` of the whole."""

    def mean(tree):
        return jax.tree.map(lambda x: x.mean(0), tree)

    def last(tree):
        return jax.tree.map(lambda x: x[-1], tree)

    stats = {
        net: {name: (mean if name == "batch_stats" else last)(tree) for name, tree in collections.items()}
        for net, collections in terms.stats.items()
    }
    scalars = mean((terms.loss, terms.terms, terms.metrics))
    return type(terms)(*scalars, stats, last(terms.due))
