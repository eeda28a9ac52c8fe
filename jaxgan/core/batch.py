"""How the batch of a step is split into the slices that its turns see."""

from typing import Any

import jax

from jaxgan.core.networks import format_array


def split_batch(batch: Any, count: int) -> list[Any]:
    """``count`` slices of a batch; slice n is every ``count``-th example from the n-th on.

    Slices are strided, so that slice n of a device's share is that device's share of slice n.

    >>> import numpy as np
    >>> [part.tolist() for part in split_batch(np.arange(6), 2)]
    [[0, 2, 4], [1, 3, 5]]

    Args:
      batch: an array or a tree of arrays, [B, ...] each.
      count: the number of slices, which must divide B.

    Raises:
      ValueError: the arrays do not have the same number of examples, or ``count`` does not divide it.
    """
    sizes = {x.shape[0] if x.ndim else -1 for x in jax.tree.leaves(batch)}
    if len(sizes) != 1 or -1 in sizes:
        shapes = jax.tree.map(lambda x: x.shape, batch)
        raise ValueError(
            f"`batch`: every array must have the examples first, and the same number of them; got {shapes}."
        )
    (size,) = sizes
    if size == 0 or size % count:
        raise ValueError(
            f"`batch` has {size} examples per device, which cannot be split into the {count} slices of a step. "
            f"Give {max(size // count, 1) * count}, or another multiple of {count} (Game.batch_multiple)."
        )
    return [jax.tree.map(lambda x, n=n: x[n::count], batch) for n in range(count)]


def describe_array(batch: Any) -> str:
    """What a loss that reads a name of a batch must be told if the batch is an array."""
    return (
        f"`batch` is the array {format_array(batch)}, and not a mapping. If the loss reads batch['image'], give "
        "step(state, {'image': images}), or a batch of jaxgan.batches."
    )


def reads_a_name(error: Exception) -> bool:
    """Whether an error is that of an array, JAX's or NumPy's, whose index is a string."""
    text = str(error)
    return "does not support string indexing" in text or text.startswith("only integers, slices")
