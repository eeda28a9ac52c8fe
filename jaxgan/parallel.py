"""Train one game on several devices, with ``jax.pmap`` or ``jax.shard_map``.

    step = parallel.pmap(game)                          # all devices
    step = parallel.shard_map(game)                     # all devices, which can belong to several hosts
    state = parallel.replicate(game.init(key), jax.devices())
    state, metrics = step(state, batch)                 # batch: this host's rows of the global batch

Both functions run ``Game.step`` on every device with the device's share of the batch and a copy of the state. The
result is the same as on one device with the complete batch: gradients are averaged over the devices, BatchNorm uses the
examples of all devices, and each example has its own random key. ``members`` distributes the games of a population over
the devices. A population is a set of games that one step trains together.

The state that is passed to a step is donated: the next state reuses its buffers, so the old state must not be used
again. With ``max_steps=10``, one call takes up to ten steps, which reduces the overhead per step for small games. No
other module of jaxgan uses ``pmap``, ``shard_map`` or ``Mesh``.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.core import axis, rendezvous, system
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.games.population import AXES, Population

Device = Any  # stands for jax.Device, which type checkers do not accept as a type

LOST_PROCESS = (
    "Another process of the run has ended or does not answer, or the network failed. Start the same command on all "
    "hosts again: the run will be resumed."
)
_CONNECTION_SECONDS = 60  # time after which JAX stops waiting for the other processes of a run
_MEMBERS = "members"
_OF_MEMBERS = jax.tree.map(
    lambda i: PartitionSpec() if i is None else PartitionSpec(_MEMBERS), AXES, is_leaf=lambda i: i is None
)


@dataclasses.dataclass(frozen=True, eq=False)
class PlacedBatch:
    """A batch on the devices, the result of ``Step.put``.

    Attributes:
      arrays: the arrays of the batch, in the form that the compiled function expects.
      count: number of steps of the batch; None if it has no axis of steps.
    """

    arrays: Any
    count: Any


class Step:
    """The compiled step of a game or a population: ``state, metrics = step(state, batch)``.

    Args:
      mapped: the compiled function ``(state, resident, batch, count) -> (state, metrics)``.
      resident: arrays that stay on the devices between calls.
      max_steps: the largest number of steps per call. With None, a call takes one step, and the batch has no axis of
        steps.
      device_shape: a function from the shape of an array of the batch to the shape that ``mapped`` expects.
      place: a function ``(array, device_shape(array.shape)) -> array`` that puts an array of the batch on the devices.
      state_sharding: the sharding of the state that ``trace`` assumes. ``jit`` reuses a trace only for arguments of the
        same sharding. With None, ``trace`` assumes no sharding.
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
        placed = batch if isinstance(batch, PlacedBatch) else self.put(batch)
        return self._mapped(state, self._resident, placed.arrays, placed.count)

    def put(self, batch: Any) -> "PlacedBatch":
        """Copy a batch to the devices, and return it as an argument for a later call of the step.

        The copy does not wait for a step that the devices compute, so another thread can prepare the next batch.

        Args:
          batch: the batch, as for a call of the step.

        Raises:
          ValueError: if the batch cannot be split evenly, see ``pmap``.
        """
        batch, count = _fill_steps(batch, self._max_steps)
        return PlacedBatch(jax.tree.map(lambda x: self._place(x, self._device_shape(x.shape)), batch), count)

    def trace(self, state: Any, batch: Any) -> None:
        """Trace the step to find errors in losses and settings, without running it.

        On one host and with ``max_steps``, the first call reuses this trace.

        Args:
          state: the state, or ``jax.ShapeDtypeStruct`` in place of its arrays.
          batch: a batch of ``max_steps`` steps, or ``jax.ShapeDtypeStruct`` in place of its arrays.
        """
        count = None if self._max_steps is None else np.int32(self._max_steps)
        batch = jax.tree.map(self._batch_shape, batch)
        state = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._state_sharding), state)
        jax.eval_shape(self._mapped, state, self._resident, batch, count)

    def _batch_shape(self, x: Any) -> jax.ShapeDtypeStruct:
        # JAX converts the array to this type. For example, labels in NumPy are often int64, which becomes int32.
        return jax.ShapeDtypeStruct(self._device_shape(x.shape), jax.dtypes.canonicalize_dtype(x.dtype))


def initialize(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    same: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Connect this process to the other processes of a run on several hosts. Call it before JAX is used.

    Without arguments, JAX detects the processes from the cluster (Cloud TPU, SLURM, Open MPI, Kubernetes).

    Args:
      coordinator: the address of process 0 as "host:port", which all processes must be able to reach.
      num_processes: the number of processes.
      process_id: the index of this process, starting at 0.
      same: a dictionary from names to values that must be equal in all processes, such as a digest of the settings.
        They are compared if all other arguments are passed.

    Raises:
      ValueError: if JAX has already been used, if an argument is missing or out of its range, or if the processes do
        not belong together.
      OSError: if a process is missing after a minute, or cannot be reached.
    """
    rendezvous.check_place(coordinator, num_processes, process_id)
    if coordinator is not None and num_processes is not None and process_id is not None:
        rendezvous.meet(coordinator, num_processes, process_id, same)
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id, initialization_timeout=_CONNECTION_SECONDS)
        # JAX aborts the process if another process has ended or does not answer.
        system.exit_on_abort(LOST_PROCESS)
    except (ValueError, TypeError):
        if None not in (coordinator, num_processes, process_id):
            raise
        raise ValueError(
            "JAX found no cluster (Cloud TPU, SLURM, Open MPI or Kubernetes) that provides `coordinator`, "
            "`num_processes` and `process_id`. Pass all three."
        ) from None
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise ValueError(
            "`coordinator` must be set before JAX is used, but JAX is already in use. If `preset` is photos, the "
            "preset used JAX to detect accelerators. On several hosts, pass the settings of this preset one by one. "
            "Otherwise, connect the processes before other code uses JAX."
        ) from None


def devices(count: int | None = None) -> list[Device]:
    """Return the devices to train on, ordered by host.

    Args:
      count: the number of devices to return. By default, all devices of all hosts are returned. If there are several
        hosts, ``count`` must be None or the number of devices of all hosts.

    Raises:
      ValueError: if there are several hosts and ``count`` is not the number of all their devices; or if ``count`` is
        below 1 or larger than the number of devices.
    """
    available = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    if count is None:
        return available
    if jax.process_count() > 1 and count != len(available):
        raise ValueError(
            f"`devices` must be {len(available)}, the number of devices of all {jax.process_count()} hosts, "
            f"got {count}."
        )
    if not 1 <= count <= len(available):
        raise ValueError(
            f"`devices` must be between 1 and {len(available)}, the number of devices of this machine "
            f"({available[0].platform}), got {count}. To use {max(count, 1)} virtual CPU devices, set the environment "
            f"variable JAX_NUM_CPU_DEVICES={max(count, 1)}."
        )
    return available[:count]


def rows(batch_size: int) -> slice:
    """Return the rows of the global batch that this process reads.

    Args:
      batch_size: the number of examples of the global batch, a multiple of the number of processes.
    """
    share = batch_size // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def max_over_processes(number: int) -> int:
    """Return the largest of the numbers that all processes pass. Every process must make the same number of calls."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.array(number)).max())


def find_different(digest: bytes) -> list[int]:
    """Return the indices of the processes that pass another digest than process 0. All processes must call this.

    Args:
      digest: bytes of the same length in all processes.
    """
    digests = multihost_utils.process_allgather(np.frombuffer(digest, np.uint8), tiled=False)
    return [i for i, each in enumerate(digests) if not np.array_equal(each, digests[0])]


def pmap(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    max_steps: int | None = None,
) -> Step:
    """Compile ``game.step`` with ``jax.pmap`` for several devices, or with ``jax.jit`` for a single device.

    Args:
      game: a ``Game`` or a wrapper.
      on: the devices, ordered by host. By default, all devices are used.
      prepare: a function ``(resident, batch) -> batch`` that is compiled into the step, for example to select examples
        from resident data or to convert bytes to floating-point numbers.
      resident: arrays that stay on every device between calls, for ``prepare``.
      max_steps: the largest number of steps per call. If it is set, the batch of a call is [steps, B, ...] with at most
        ``max_steps`` steps, and each metric is [max_steps]. Only the first ``steps`` entries of a metric are valid. The
        same compiled program is used for any number of steps, so the result of a step does not depend on the number of
        steps in its call. By default, a call takes one step, and the batch is [B, ...].

    Returns:
      The compiled step. It raises a ValueError if a batch cannot be split evenly over the devices and, on each device,
      into the ``game.batch_multiple`` slices of a step.
    """
    on = devices() if on is None else list(on)
    local = [d for d in on if d.process_index == jax.process_index()]
    resident = _resident(resident, on, local=True)
    run, examples = _compose(game.step, prepare, max_steps)
    alone = len(on) == 1
    if alone:  # A call of a function takes 0.25 ms less with `jit` than with `pmap`.
        mapped = jax.jit(run, donate_argnums=0)
    else:
        in_axes = (None, None, examples, None)
        mapped = jax.pmap(run, axis.NAME, in_axes=in_axes, out_axes=None, devices=on, donate_argnums=0)
    shards = NamedSharding(Mesh(np.array(local), (axis.NAME,)), PartitionSpec(*[None] * examples, axis.NAME))

    def device_shape(shape):
        if alone:  # The game itself checks that the batch can be split evenly among the turns of a step.
            return shape
        check_divides(game, shape[examples], local)
        return (*shape[:examples], len(local), shape[examples] // len(local), *shape[examples + 1 :])

    def place(x, shape):
        return jax.device_put(x, on[0]) if alone else jax.device_put(x.reshape(shape), shards)

    return Step(mapped, resident, max_steps, device_shape, place, _replicated(on) if alone else None)


def shard_map(
    game: GameLike,
    on: Sequence[Device] | None = None,
    *,
    prepare: Callable | None = None,
    resident: Any = None,
    max_steps: int | None = None,
) -> Step:
    """Compile ``game.step`` with ``jax.shard_map`` for a mesh of devices; see ``pmap`` for the arguments.

    Raises:
      ValueError: when the step is called, if the batch cannot be split evenly over the devices and the slices of a
        step.
    """
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
    """Compile ``population.step`` for several devices, each of which trains some of the members.

    The devices do not communicate. A batch is an array [B, members, ...] on this host.
    Use ``share_out`` to place the first state on the devices.

    Args:
      population: the games to train.
      on: the devices. Their number must be a divisor of the number of members. By default, all devices are used.
      prepare: a function ``(resident, batch) -> batch`` that is compiled into the step.
      resident: arrays that stay on every device between calls, for ``prepare``.
      max_steps: the largest number of steps per call. By default, a call takes one step; see ``pmap``.

    Raises:
      ValueError: if the number of members is not a multiple of the number of devices.
    """
    on = devices() if on is None else list(on)
    mesh = Mesh(np.array(on), (_MEMBERS,))
    if population.size % len(on):
        raise ValueError(
            f"A population of {population.size} members cannot be split evenly over {len(on)} devices. The number of "
            f"devices must be a divisor of {population.size}."
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
    """Distribute the members of a population's state over the devices ``on``, the same number on each device.

    Args:
      state: the state of a population, on this host.
      on: the devices. Their number must be a divisor of the number of members.
    """
    mesh = Mesh(np.array(on), (_MEMBERS,))

    def place(spec, tree):
        return jax.tree.map(lambda x: _placed(x, NamedSharding(mesh, spec)), tree)

    return jax.tree.map(place, _OF_MEMBERS, state)


def replicate(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """Copy every leaf of a pytree to each of the devices ``on``.

    Args:
      tree: a pytree of arrays, which can be typed random keys. The values must be equal on every host.
      on: the devices.
      local: whether to copy only to the devices of this host, as ``pmap`` requires if there are several hosts.
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
    # Copy the array to the host first. device_put might share its buffer, which a step would then donate.
    return jax.make_array_from_process_local_data(sharding, np.array(x), np.shape(x))


def _resident(tree: Any, on: Sequence[Device], *, local: bool = False) -> Any:
    """Replicate arrays that no step donates. They are not copied if they are already on all of the devices."""
    wanted = {d for d in on if not local or d.process_index == jax.process_index()}
    leaves = jax.tree.leaves(tree)
    if all(isinstance(x, jax.Array) and x.is_fully_replicated and x.sharding.device_set == wanted for x in leaves):
        return tree
    return replicate(tree, on, local=local)


def _map_over(mesh: Mesh, run: Callable, *, state: Any, batch: Any, metrics: Any) -> Callable:
    """Compile ``run(state, resident, batch, count)`` with ``shard_map``; ``resident`` and ``count`` are replicated."""
    everywhere = PartitionSpec()
    # With check_vma=True, gradients are already summed over the devices before Game.step averages them. The result
    # would be the gradient of the complete batch times the number of devices.
    mapped = jax.shard_map(
        run, mesh=mesh, in_specs=(state, everywhere, batch, everywhere), out_specs=(state, metrics), check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)


def _compose(step, prepare, max_steps) -> tuple[Callable, int]:
    """Return a function ``(state, resident, batch, count) -> (state, metrics)``, and the index of the axis of examples.

    The function takes one step, or up to ``max_steps`` steps if this is not None.
    """

    def one(state, resident, batch, count=None):
        return step(state, batch if prepare is None else prepare(resident, batch))

    # `eval_shape` and the loop below both trace the step, which can take seconds. With `jit`, they share one trace.
    traced = jax.jit(one, inline=True)

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
    """Repeat the last batch until there are ``max_steps`` batches. Return them and the original number of steps."""
    if max_steps is None:
        return batches, None
    count = jax.tree.leaves(batches)[0].shape[0]
    if not 1 <= count <= max_steps:
        raise ValueError(f"`batch` must have the shape [steps, B, ...] with 1 to {max_steps} steps, got {count} steps.")

    def fill(x):
        return np.concatenate([x, np.repeat(x[-1:], max_steps - count, 0)]) if count < max_steps else x

    return jax.tree.map(fill, batches), np.int32(count)


def check_divides(game: GameLike, batch_size: int, on: Sequence[Device]) -> None:
    """Raise a ``ValueError`` unless a batch can be split evenly over the devices ``on`` and the slices of a step.

    Args:
      game: the game that takes the step. Its ``batch_multiple`` is the number of slices.
      batch_size: the number of examples of a batch on all of the devices together.
      on: the devices that share the batch.
    """
    multiple = len(on) * game.batch_multiple
    if batch_size < 1 or batch_size % multiple:
        raise ValueError(
            f"A batch of {batch_size} examples cannot be split evenly over {len(on)} devices if each device splits its "
            f"examples into {game.batch_multiple} slices. Use {nearest_multiples(batch_size, multiple)} examples."
        )


def nearest_multiples(batch_size: int, multiple: int) -> str:
    """Return the nearest multiples below and above a batch size, for an error message.

    >>> nearest_multiples(50, 20)
    '40 or 60'

    Args:
      batch_size: the number of examples, at least 1.
      multiple: the number by which the result must be divisible.
    """
    below = batch_size // multiple * multiple
    return f"{below} or {below + multiple}" if below > 0 else f"{multiple}"
