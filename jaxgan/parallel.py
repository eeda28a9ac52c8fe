"""One game on many devices: the only file that says ``pmap``, ``shard_map`` or ``Mesh``.

Both forms run ``Game.step`` on each device's share of the batch, with the state replicated, and give the
same result, which is also that of one device with the whole batch: gradients are averaged over the data
axis, BatchNorm sees every device's examples, and random draws belong to examples.

    step = parallel.pmap(game)                          # all devices
    step = parallel.shard_map(game)                     # the same, over a mesh that may span hosts
    state = parallel.replicate(game.init(key), jax.devices())
    state, metrics = step(state, batch)                 # batch: this host's rows of the global batch

A population is spread by its members instead: ``members``. The state that is given to a step is donated: its buffers
are used for the next. ``together=10`` takes up to ten steps a call, which saves small games the time of nine calls.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.core import axis
from jaxgan.core.protocol import GameLike
from jaxgan.core.state import State
from jaxgan.games.population import AXES, Population

Device = Any  # jax.Device, which type checkers do not take for a type

_MEMBERS = "members"
_OF_MEMBERS = jax.tree.map(
    lambda i: PartitionSpec() if i is None else PartitionSpec(_MEMBERS), AXES, is_leaf=lambda i: i is None
)


class Step:
    """``state, metrics = step(state, batch)``: a game's or a population's, compiled for its devices.

    ``mapped``, (state, resident, batch, count) -> (state, metrics), takes arrays of the shapes that ``dealt`` says,
    placed by ``put``: (array, shape) -> array; ``kept``, a state's sharding, is of what ``jit`` knows a trace by.
    """

    def __init__(
        self, mapped: Callable, resident: Any, together: int | None, dealt: Callable, put: Callable, kept=None
    ):
        self._mapped, self._resident, self._together = mapped, resident, together
        self._dealt, self._put, self._kept = dealt, put, kept

    def __call__(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        batch, count = _filled(batch, self._together)
        batch = jax.tree.map(lambda x: self._put(x, self._dealt(x.shape)), batch)
        return self._mapped(state, self._resident, batch, count)

    def trace(self, state: Any, batch: Any) -> None:
        """Meet what is wrong, from shapes alone; with ``together``, on one host, the first call traces nothing again.

        Args:
          state: ``jax.ShapeDtypeStruct`` in place of arrays, or arrays.
          batch: the same, of ``together`` steps.
        """
        count = None if self._together is None else np.int32(self._together)
        batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct(self._dealt(x.shape), x.dtype), batch)
        state = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._kept), state)
        jax.eval_shape(self._mapped, state, self._resident, batch, count)


def initialize(coordinator: str | None = None, processes: int | None = None, process: int | None = None):
    """Join this process to the others of a run on several hosts. Call it before JAX is used.

    Without arguments the cluster says (Cloud TPU, SLURM, Open MPI, Kubernetes); otherwise ``coordinator`` is
    "host:port" of process 0, which all can reach.
    """
    jax.distributed.initialize(coordinator, processes, process)


def devices(count: int | None = None) -> list[Device]:
    """The devices to train on: ``count`` of this host's, or all of all hosts', host by host.

    Raises:
      ValueError: fewer are there.
    """
    every = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    if count is None:
        return every
    if jax.process_count() > 1 and count != len(every):
        raise ValueError(f"devices {count}: a run on {jax.process_count()} hosts uses all {len(every)} devices")
    if not 1 <= count <= len(every):
        raise ValueError(
            f"devices {count}: this machine has {len(every)} ({every[0].platform}); ask for 1 to {len(every)}, "
            f"or set JAX_NUM_CPU_DEVICES={max(count, 1)} for as many virtual CPU devices"
        )
    return every[:count]


def rows(batch_size: int) -> slice:
    """Which rows of the global batch this process reads."""
    share = batch_size // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def largest(number: int) -> int:
    """The largest of the numbers that the processes give. Every process must call it, as often."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.array(number)).max())


def pmap(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    together: int | None = None,
) -> Step:
    """``game.step`` under ``jax.pmap`` on the devices ``on``, by default all; on one device under ``jit``.

    Args:
      game: what to train.
      on: devices, host by host.
      prepare: ``(resident, batch) -> batch``, compiled into the step: it picks examples out of resident
        data, turns bytes to floats.
      resident: arrays that stay on every device.
      together: the most steps of a call. With it, batches of up to so many steps are given at once, [steps, B, ...],
        and each metric is [together], of which the first ``steps`` hold. It is one program for any number of
        steps, so what a step gives does not depend on how many were taken with it.
    """
    on = devices() if on is None else list(on)
    local = [d for d in on if d.process_index == jax.process_index()]
    resident = _resident(resident, on, local=True)
    run, examples = _form(game.step, prepare, together)
    alone = len(on) == 1
    if alone:  # a call costs a quarter of a millisecond less
        mapped = jax.jit(run, donate_argnums=0)
    else:
        in_axes = (None, None, examples, None)
        mapped = jax.pmap(run, axis.NAME, in_axes=in_axes, out_axes=None, devices=on, donate_argnums=0)

    def dealt(shape):
        if alone:  # the game itself checks the slices of a step
            return shape
        check_divides(game, shape[examples], local)
        return (*shape[:examples], len(local), shape[examples] // len(local), *shape[examples + 1 :])

    def put(x, shape):
        return jax.device_put(x, on[0]) if alone else x.reshape(shape)

    return Step(mapped, resident, together, dealt, put, _everywhere(on) if alone else None)


def shard_map(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    together: int | None = None,
) -> Step:
    """``game.step`` under ``jax.shard_map`` over a mesh of the devices ``on``; the arguments are ``pmap``'s."""
    on = devices() if on is None else list(on)
    local = [d for d in on if d.process_index == jax.process_index()]
    mesh, hosts = Mesh(np.array(on), (axis.NAME,)), len({d.process_index for d in on})
    run, examples = _form(game.step, prepare, together)
    whole, split = PartitionSpec(), PartitionSpec(*(None,) * examples, axis.NAME)
    resident = _resident(resident, on)
    mapped = _over(mesh, run, state=whole, batch=split, metrics=whole)
    shards = NamedSharding(mesh, split)

    def dealt(shape):
        check_divides(game, shape[examples], local)
        return (*shape[:examples], shape[examples] * hosts, *shape[examples + 1 :])

    def put(x, shape):
        return jax.make_array_from_process_local_data(shards, np.asarray(x), shape)

    return Step(mapped, resident, together, dealt, put)


def members(
    population: Population,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    together: int | None = None,
) -> Step:
    """``population.step`` with its members spread over the devices ``on``, which do not hear of each other.

    The other arguments are ``pmap``'s; a batch is [B, members, ...], all this host's. ``share_out`` places a state.

    Raises:
      ValueError: the devices do not share the members evenly.
    """
    on = devices() if on is None else list(on)
    mesh = Mesh(np.array(on), (_MEMBERS,))
    if population.size % len(on):
        raise ValueError(f"a population of {population.size} is not shared evenly by {len(on)} devices")

    def share(state, batch):
        return population.share(lax.axis_index(_MEMBERS), len(on)).step(state, batch)

    run, examples = _form(share, prepare, together)
    split, logs = (PartitionSpec(*(None,) * n, _MEMBERS) for n in (examples + 1, examples))
    resident = _resident(resident, on)
    mapped = _over(mesh, run, state=_OF_MEMBERS, batch=split, metrics=logs)
    shards = NamedSharding(mesh, split)

    return Step(mapped, resident, together, lambda shape: shape, lambda x, shape: jax.device_put(x, shards))


def share_out(state: State, on: Sequence[Device]) -> State:
    """A population's state with its members on the devices ``on``, as many on each."""
    mesh = Mesh(np.array(on), (_MEMBERS,))

    def place(spec, tree):
        return jax.tree.map(lambda x: _placed(x, NamedSharding(mesh, spec)), tree)

    return jax.tree.map(place, _OF_MEMBERS, state)


def replicate(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """A copy of every leaf on each of the devices ``on``; keys too.

    Args:
      tree: arrays, with equal values on every host.
      on: the devices.
      local: on several hosts, make arrays of this host's devices alone, which is what ``pmap`` takes.
    """
    if local:
        on = [d for d in on if d.process_index == jax.process_index()]
    sharding = _everywhere(on)
    return jax.tree.map(lambda x: _placed(x, sharding), tree)


def _everywhere(on: Sequence[Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(on), (axis.NAME,)), PartitionSpec())


def _placed(x: Any, sharding: NamedSharding) -> jax.Array:
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_placed(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    # Through the host: device_put may alias a buffer that a step then donates.
    return jax.make_array_from_process_local_data(sharding, np.array(x), np.shape(x))


def _resident(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """``replicate`` for what no step donates: what is there already is not copied."""
    there = {d for d in on if not local or d.process_index == jax.process_index()}
    leaves = jax.tree.leaves(tree)
    if all(isinstance(x, jax.Array) and x.is_fully_replicated and x.sharding.device_set == there for x in leaves):
        return tree
    return replicate(tree, on, local=local)


def _over(mesh: Mesh, run: Callable, *, state: Any, batch: Any, metrics: Any) -> Callable:
    """``run(state, resident, batch, count)`` under ``shard_map``; resident data and the count are whole everywhere."""
    whole = PartitionSpec()
    # check_vma would sum what Game.step averages: with it, pmean of a gradient is that of the whole batch
    # times the number of devices.
    mapped = jax.shard_map(
        run, mesh=mesh, in_specs=(state, whole, batch, whole), out_specs=(state, metrics), check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)


def _form(step, prepare, together) -> tuple[Callable, int]:
    """``(state, resident, batch, count) -> (state, metrics)``, and the axis of a batch on which examples lie."""

    def one(state, resident, batch, count=None):
        return step(state, batch if prepare is None else prepare(resident, batch))

    traced = jax.jit(one, inline=True)  # once for the shapes and the loop: Python takes seconds to trace a step

    def several(state, resident, batches, count):
        pick = lambda i: jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, keepdims=False), batches)  # noqa: E731
        _, shapes = jax.eval_shape(traced, state, resident, pick(0))
        logs = jax.tree.map(lambda x: jnp.zeros((together, *x.shape), x.dtype), shapes)

        def body(i, carry):
            state, logs = carry
            state, metrics = traced(state, resident, pick(i))
            return state, jax.tree.map(lambda log, x: log.at[i].set(x), logs, metrics)

        return lax.fori_loop(0, count, body, (state, logs))

    return (one, 0) if together is None else (several, 1)


def _filled(batches, together) -> tuple[Any, Any]:
    """Batches of ``together`` steps, the missing ones repeats of the last; and how many are none."""
    if together is None:
        return batches, None
    count = jax.tree.leaves(batches)[0].shape[0]
    if not 1 <= count <= together:
        raise ValueError(f"batches of {count} steps: give 1 to {together}, [steps, B, ...]")

    def fill(x):
        return np.concatenate([x, np.repeat(x[-1:], together - count, 0)]) if count < together else x

    return jax.tree.map(fill, batches), np.int32(count)


def check_divides(game: GameLike, batch_size: int, on: Sequence[Device]) -> None:
    """``ValueError`` unless a batch is dealt evenly to the devices and the turns of a step."""
    multiple = len(on) * game.batch_multiple
    if batch_size < 1 or batch_size % multiple:
        raise ValueError(
            f"batch size {batch_size} does not divide over {len(on)} devices, {game.batch_multiple} slices each; "
            f"use {nearest(batch_size, multiple)}"
        )


def nearest(batch_size: int, multiple: int) -> str:
    """The sizes next to one that is no multiple, for who chose it: "40 or 60"."""
    low = batch_size // multiple * multiple
    return f"{low} or {low + multiple}" if low > 0 else f"{multiple}"
