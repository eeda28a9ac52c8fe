"""Communicate between the devices that share a batch, along the named axis "data".

``jaxgan.parallel`` runs a step on several devices, each with its own examples, and binds this axis with ``pmap`` or
``shard_map``. In such a step, ``mean``, ``add`` and ``gather`` are collective operations. In any other function, and on
a single device, they return their argument unchanged. The same loss, layer or game therefore runs on one device and on
many without changes. A collective operation on a single device would make XLA copy every gradient. This module imports
no other module of jaxgan.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

NAME = "data"
_alone: contextvars.ContextVar[bool] = contextvars.ContextVar("alone", default=False)


def bound() -> bool:
    """Return whether the function that is being traced runs inside ``pmap`` or ``shard_map`` over the data axis."""
    if _alone.get():
        return False
    try:
        jax.lax.axis_size(NAME)
    except NameError:
        return False
    return True


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Treat the axis as unbound inside the ``with`` statement.

    ``gradients.per_example_clipped`` needs this, because a collective operation would make the gradient of an example
    depend on the examples of other devices.
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def size() -> int:
    """Return the number of devices that share the batch, or 1 if the axis is not bound."""
    return jax.lax.axis_size(NAME) if bound() else 1


def index() -> jax.Array | int:
    """Return the index of this device among the devices of all hosts, starting at 0, or 0 if the axis is not bound."""
    return jax.lax.axis_index(NAME) if bound() else 0


def mean(tree):
    """Return the mean over devices of each leaf of a pytree of floating-point arrays.

    Args:
      tree: a pytree of floating-point arrays, with the same structure on every device.
    """
    return jax.lax.pmean(tree, NAME) if size() > 1 else tree


def add(tree):
    """Return the sum over devices of each leaf of a pytree of arrays.

    Args:
      tree: a pytree of arrays, with the same structure on every device.
    """
    return jax.lax.psum(tree, NAME) if size() > 1 else tree


def gather(tree):
    """Concatenate the examples of all devices in the order of the batch: [B, ...] becomes [size() * B, ...].

    Args:
      tree: a pytree of arrays, [B, ...], with the examples of this device.
    """
    return jax.lax.all_gather(tree, NAME, tiled=True) if size() > 1 else tree
