"""One game on many devices: the only file that says ``pmap``, ``shard_map`` or ``Mesh``.

Both forms run ``Game.step`` on each device's share of the batch, with the state replicated. They give the same result,
which is also that of one device with the whole batch: gradients are averaged over the data axis, BatchNorm sees the
examples of every device, and random draws belong to examples.

    step = parallel.pmap(game)                          # all devices
    step = parallel.shard_map(game)                     # the same, over a mesh that may span hosts
    state = parallel.replicate(game.init(key), jax.devices())
    state, metrics = step(state, batch)                 # batch: this host's rows of the global batch

A population is spread by its members instead: ``members``. The state that is given to a step is donated: its buffers
are reused for the next state. ``max_steps=10`` takes up to ten steps per call, which saves small games the overhead of
nine calls.
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
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.games.population import AXES, Population

Device = Any  # jax.Device, which type checkers do not take for a type

_MEMBERS = "members"
_OF_MEMBERS = jax.tree.map(
    lambda i: PartitionSpec() if i is None else PartitionSpec(_MEMBERS), AXES, is_leaf=lambda i: i is None
)


class Step:
    """``state, metrics = step(state, batch)``: the step of a game or a population, compiled for its devices.

    Args:
      mapped: the compiled ``(state, resident, batch, count) -> (state, metrics)``.
      resident: arrays that stay on the devices.
      max_steps: the most steps per call; None if a call takes one step, without an axis for steps.
      device_shape: maps the shape of an array of a batch to the shape that ``mapped`` takes.
      place: puts an array of a batch on the devices: ``(array, device_shape(array.shape)) -> array``.
      state_sharding: the sharding by which ``jit`` finds the trace of a state again, if it needs one.
    """

    def __init__(
        self,
        mapped: Callable,
        resident: Any,
        max_steps: int | None,
        device_shape: Callable,
        place: Callable,
        state_sharding: NamedSharding | None = None,
    ):
        self._mapped, self._resident, self._max_steps = mapped, resident, max_steps
        self._device_shape, self._place, self._state_sharding = device_shape, place, state_sharding

    def __call__(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        batch, count = _fill_steps(batch, self._max_steps)
        batch = jax.tree.map(lambda x: self._place(x, self._device_shape(x.shape)), batch)
        return self._mapped(state, self._resident, batch, count)

    def trace(self, state: Any, batch: Any) -> None:
        """Trace the step, which finds errors in losses and settings from shapes alone.

        With ``max_steps``, on one host, the first call does not trace again.

        Args:
          state: arrays, or ``jax.ShapeDtypeStruct`` in their place.
          batch: the same, of ``max_steps`` steps.
        """
        count = None if self._max_steps is None else np.int32(self._max_steps)
        batch = jax.tree.map(self._batch_shape, batch)
        state = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._state_sharding), state)
        jax.eval_shape(self._mapped, state, self._resident, batch, count)

    def _batch_shape(self, x: Any) -> jax.ShapeDtypeStruct:
        # In the type that JAX gives to the array: labels of NumPy are often int64.
        return jax.ShapeDtypeStruct(self._device_shape(x.shape), jax.dtypes.canonicalize_dtype(x.dtype))


def initialize(coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None):
    """Join this process to the others of a run on several hosts. Call it before JAX is used.

    Without arguments, JAX asks the cluster (Cloud TPU, SLURM, Open MPI, Kubernetes).

    Args:
      coordinator: "host:port" of process 0, which all processes can reach.
      num_processes: the number of processes.
      process_id: the number of this process, from 0.

    Raises:
      ValueError: JAX has been used already.
    """
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise ValueError(
            "`coordinator` must be given before JAX is used, but `preset` photos, or a program before this call, has "
            "asked JAX for its devices; on several hosts give the settings of `preset` photos one by one."
        ) from None


def devices(count: int | None = None) -> list[Device]:
    """The devices to train on: ``count`` devices of this host, or all devices of all hosts, host by host.

    Raises:
      ValueError: there are fewer devices.
    """
    available = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    if count is None:
        return available
    if jax.process_count() > 1 and count != len(available):
        raise ValueError(
            f"`devices` must be {len(available)}, the devices of all {jax.process_count()} hosts, got {count}."
        )
    if not 1 <= count <= len(available):
        raise ValueError(
            f"`devices` must be between 1 and {len(available)}, the devices of this machine ({available[0].platform}), "
            f"got {count}. Set JAX_NUM_CPU_DEVICES={max(count, 1)} for as many virtual CPU devices."
        )
    return available[:count]


def rows(batch_size: int) -> slice:
    """The rows of the global batch that this process reads."""
    share = batch_size // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def max_over_processes(number: int) -> int:
    """The largest of the numbers that the processes give. Every process must call it, equally often."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.array(number)).max())


def pmap(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    max_steps: int | None = None,
) -> Step:
    """``game.step`` under ``jax.pmap`` on the devices ``on``; on a single device, under ``jax.jit``.

    Args:
      game: a ``Game`` or a wrapper.
      on: devices, host by host; all devices by default.
      prepare: ``(resident, batch) -> batch``, compiled into the step: it picks examples from resident data, or converts
        bytes to floats.
      resident: arrays that stay on every device.
      max_steps: the most steps per call. With it, a call takes the batches of up to that many steps, [steps, B, ...],
        and each metric is [max_steps], of which the first ``steps`` are valid. One program serves any number of steps,
        so the result of a step does not depend on how many steps its call takes.

    Raises:
      ValueError: when called, a batch does not divide over the devices and the turns of a step.
    """
    on = devices() if on is None else list(on)
    local = [d for d in on if d.process_index == jax.process_index()]
    resident = _resident(resident, on, local=True)
    run, examples = _compose(game.step, prepare, max_steps)
    alone = len(on) == 1
    if alone:  # A call under jit costs a quarter of a millisecond less.
        mapped = jax.jit(run, donate_argnums=0)
    else:
        in_axes = (None, None, examples, None)
        mapped = jax.pmap(run, axis.NAME, in_axes=in_axes, out_axes=None, devices=on, donate_argnums=0)

    def device_shape(shape):
        if alone:  # The game itself checks the slices of a step.
            return shape
        check_divides(game, shape[examples], local)
        return (*shape[:examples], len(local), shape[examples] // len(local), *shape[examples + 1 :])

    def place(x, shape):
        return jax.device_put(x, on[0]) if alone else x.reshape(shape)

    return Step(mapped, resident, max_steps, device_shape, place, _replicated(on) if alone else None)


def shard_map(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    max_steps: int | None = None,
) -> Step:
    """``game.step`` under ``jax.shard_map`` over a mesh of the devices ``on``; the arguments are those of ``pmap``."""
    on = devices() if on is None else list(on)
    local = [d for d in on if d.process_index == jax.process_index()]
    mesh, hosts = Mesh(np.array(on), (axis.NAME,)), len({d.process_index for d in on})
    run, examples = _compose(game.step, prepare, max_steps)
    everywhere, split = PartitionSpec(), PartitionSpec(*[None] * examples, axis.NAME)
    resident = _resident(resident, on)
    mapped = _map_over(mesh, run, state=everywhere, batch=split, metrics=everywhere)
    shards = NamedSharding(mesh, split)

    def device_shape(shape):
        check_divides(game, shape[examples], local)
        return (*shape[:examples], shape[examples] * hosts, *shape[examples + 1 :])

    def place(x, shape):
        return jax.make_array_from_process_local_data(shards, np.asarray(x), shape)

    return Step(mapped, resident, max_steps, device_shape, place)


def members(
    population: Population,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    max_steps: int | None = None,
) -> Step:
    """``population.step`` with its members spread over the devices ``on``, which do not communicate.

    The other arguments are those of ``pmap``. A batch is [B, members, ...], on this host. ``share_out`` places a state.

    Raises:
      ValueError: the members do not divide over the devices.
    """
    on = devices() if on is None else list(on)
    mesh = Mesh(np.array(on), (_MEMBERS,))
    if population.size % len(on):
        raise ValueError(
            f"A population of {population.size} members does not divide over {len(on)} devices; use a number that "
            f"divides {population.size}."
        )

    def share(state, batch):
        return population.share(lax.axis_index(_MEMBERS), len(on)).step(state, batch)

    run, examples = _compose(share, prepare, max_steps)
    split, logs = (PartitionSpec(*[None] * n, _MEMBERS) for n in (examples + 1, examples))
    resident = _resident(resident, on)
    mapped = _map_over(mesh, run, state=_OF_MEMBERS, batch=split, metrics=logs)
    shards = NamedSharding(mesh, split)

    def device_shape(shape):
        return shape

    def place(x, shape):
        return jax.device_put(x, shards)

    return Step(mapped, resident, max_steps, device_shape, place)


def share_out(state: State, on: Sequence[Device]) -> State:
    """The state of a population with its members on the devices ``on``, equally many on each."""
    mesh = Mesh(np.array(on), (_MEMBERS,))

    def place(spec, tree):
        return jax.tree.map(lambda x: _placed(x, NamedSharding(mesh, spec)), tree)

    return jax.tree.map(place, _OF_MEMBERS, state)


def replicate(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """A copy of every leaf on each of the devices ``on``; leaves may be typed keys.

    Args:
      tree: arrays, with equal values on every host.
      on: the devices.
      local: on several hosts, make arrays of this host's devices alone, as ``pmap`` needs them.
    """
    if local:
        on = [d for d in on if d.process_index == jax.process_index()]
    sharding = _replicated(on)
    return jax.tree.map(lambda x: _placed(x, sharding), tree)


def _replicated(on: Sequence[Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(on), (axis.NAME,)), PartitionSpec())


def _placed(x: Any, sharding: NamedSharding) -> jax.Array:
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_placed(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    # By way of the host, because device_put may alias a buffer that a step then donates.
    return jax.make_array_from_process_local_data(sharding, np.array(x), np.shape(x))


def _resident(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """``replicate`` for arrays that no step donates: those that are in place already are not copied."""
    wanted = {d for d in on if not local or d.process_index == jax.process_index()}
    leaves = jax.tree.leaves(tree)
    if all(isinstance(x, jax.Array) and x.is_fully_replicated and x.sharding.device_set == wanted for x in leaves):
        return tree
    return replicate(tree, on, local=local)


def _map_over(mesh: Mesh, run: Callable, *, state: Any, batch: Any, metrics: Any) -> Callable:
    """``run(state, resident, batch, count)`` under ``shard_map``; ``resident`` and ``count`` are replicated."""
    everywhere = PartitionSpec()
    # check_vma would sum what Game.step averages: with it, the pmean of a gradient is the gradient of the whole batch
    # times the number of devices.
    mapped = jax.shard_map(
        run, mesh=mesh, in_specs=(state, everywhere, batch, everywhere), out_specs=(state, metrics), check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)


def _compose(step, prepare, max_steps) -> tuple[Callable, int]:
    """The function ``(state, resident, batch, count) -> (state, metrics)``, and the batch axis of examples."""

    def one(state, resident, batch, count=None):
        return step(state, batch if prepare is None else prepare(resident, batch))

    traced = jax.jit(one, inline=True)  # Traced once for the shapes and the loop: Python takes seconds to trace a step.

    def several(state, resident, batches, count):
        def pick(i):
            return jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, keepdims=False), batches)

        _, shapes = jax.eval_shape(traced, state, resident, pick(0))
        logs = jax.tree.map(lambda x: jnp.zeros((max_steps, *x.shape), x.dtype), shapes)

        def body(i, carry):
            state, logs = carry
            state, metrics = traced(state, resident, pick(i))
            return state, jax.tree.map(lambda log, x: log.at[i].set(x), logs, metrics)

        return lax.fori_loop(0, count, body, (state, logs))

    return (one, 0) if max_steps is None else (several, 1)


def _fill_steps(batches, max_steps) -> tuple[Any, Any]:
    """The batches of ``max_steps`` steps, of which missing ones repeat the last; and the number that were given."""
    if max_steps is None:
        return batches, None
    count = jax.tree.leaves(batches)[0].shape[0]
    if not 1 <= count <= max_steps:
        raise ValueError(f"`batch` must have between 1 and {max_steps} steps, [steps, B, ...], got {count}.")

    def fill(x):
        return np.concatenate([x, np.repeat(x[-1:], max_steps - count, 0)]) if count < max_steps else x

    return jax.tree.map(fill, batches), np.int32(count)


def check_divides(game: GameLike, batch_size: int, on: Sequence[Device]) -> None:
    """``ValueError`` unless a batch divides over the devices ``on`` and the turns of a step."""
    multiple = len(on) * game.batch_multiple
    if batch_size < 1 or batch_size % multiple:
        raise ValueError(
            f"A batch of {batch_size} examples does not divide over {len(on)} devices with {game.batch_multiple} "
            f"slices each; use {nearest_multiples(batch_size, multiple)}."
        )


def nearest_multiples(batch_size: int, multiple: int) -> str:
    """The multiples next to a batch size that is none, for an error message.

    >>> nearest_multiples(50, 20)
    '40 or 60'
    """
    below = batch_size // multiple * multiple
    return f"{below} or {below + multiple}" if below > 0 else f"{multiple}"
