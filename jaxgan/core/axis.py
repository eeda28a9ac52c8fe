"""The data axis: the one name under which the examples of a batch are spread over devices.

Every function here is a collective where that axis is bound (under ``pmap`` or ``shard_map``) to several devices, and
the identity elsewhere: under plain ``jit``, ``grad`` or ``vmap``, and on a single device, where XLA would copy every
gradient to average it with nothing. So one loss, one layer and one game run unchanged in all of them. This is the
lowest floor: it imports nothing of jaxgan.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

NAME = "data"
_alone: contextvars.ContextVar[bool] = contextvars.ContextVar("alone", default=False)


def bound() -> bool:
    """Whether the function being traced runs inside ``pmap`` or ``shard_map`` over the data axis."""
    if _alone.get():
        return False
    try:
        jax.lax.axis_size(NAME)
    except NameError:
        return False
    return True


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within it, the axis counts as unbound: a collective would bring other examples into a single one's gradient."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def size() -> int:
    """The number of devices that share the batch; 1 where the axis is not bound."""
    return jax.lax.axis_size(NAME) if bound() else 1


def index() -> jax.Array | int:
    """The number of this device, from 0 and counted over all hosts; 0 where the axis is not bound."""
    return jax.lax.axis_index(NAME) if bound() else 0


def mean(tree):
    """The mean over devices of each leaf; leaves are floating-point arrays."""
    return jax.lax.pmean(tree, NAME) if size() > 1 else tree


def gather(tree):
    """The examples of all devices, for each leaf: [B, ...] to [size() * B, ...], in the order of the batch."""
    return jax.lax.all_gather(tree, NAME, tiled=True) if size() > 1 else tree
