"""Split the batch of a step into slices for the players' turns."""

from typing import Any

import jax

from jaxgan.core.networks import format_array


def split_batch(batch: Any, count: int) -> list[Any]:
    """Split a batch into ``count`` slices. Slice n contains every ``count``-th example, starting at example n.

    Each device can therefore split its own share of a batch: slice n of the complete batch consists of slice n of each
    device.

    >>> import numpy as np
    >>> [part.tolist() for part in split_batch(np.arange(6), 2)]
    [[0, 2, 4], [1, 3, 5]]

    Args:
      batch: an array [B, ...] or a pytree of such arrays.
      count: the number of slices. B must be a multiple of ``count``.

    Returns:
      A list of batches with B / count examples each.

    Raises:
      ValueError: if the arrays have different numbers of examples, or the number is not a multiple of ``count``.
    """
    sizes = {x.shape[0] if x.ndim else -1 for x in jax.tree.leaves(batch)}
    if len(sizes) != 1 or -1 in sizes:
        shapes = jax.tree.map(lambda x: x.shape, batch)
        raise ValueError(
            "The first axis of every array in `batch` must be the axis of examples, with the same size in all arrays, "
            f"got the shapes {shapes}."
        )
    (size,) = sizes
    if size == 0 or size % count:
        raise ValueError(
            f"`batch` has {size} examples per device, but a step splits them into {count} slices of equal size. "
            f"Use {max(size // count, 1) * count} examples, or another multiple of {count} (`Game.batch_multiple`), or "
            "call jaxgan.batches with turns=game.batch_multiple."
        )
    return [jax.tree.map(lambda x, n=n: x[n::count], batch) for n in range(count)]


def describe_array(batch: Any) -> str:
    """Explain the error that occurs if ``batch`` is an array and a loss indexes it with a name: ``batch["image"]``."""
    return (
        f"`batch` is the array {format_array(batch)}, not a mapping. If the loss reads batch['image'], call "
        "step(state, {'image': images}), or pass a batch from jaxgan.batches."
    )


def reads_a_name(error: Exception) -> bool:
    """Return whether JAX or NumPy raised the error because an array was indexed with a string."""
    text = str(error)
    return "does not support string indexing" in text or text.startswith("only integers, slices")
