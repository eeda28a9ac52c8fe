"""Compile the training step of each game of a run, and provide the batches of examples.

The game of a run may change with the step, for example after a warm-up, so that a run can have several compiled steps.
"""

import functools
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeGuard

import jax
import numpy as np

from jaxgan import parallel
from jaxgan.core.wrappers import GameLike
from jaxgan.data import Batches, Source, Unpaired, normalize, stream
from jaxgan.data.image_cache import cache_examples
from jaxgan.data.pipeline import batches_ahead
from jaxgan.data.source import size_in_bytes
from jaxgan.experiment.settings import CommonSettings
from jaxgan.training.runs import TrainingRun, depends_on_value

# Maximum number of training steps that one call of the compiled step takes. Several steps in one call save overhead for
# small games.
MAX_STEPS_PER_CALL = 10
RESIDENT_BYTES = 2**30  # maximum size in bytes of data that is copied to the devices; larger data is streamed
AHEAD_BYTES = 2**25  # maximum total size in bytes of the streamed batches of one call


class Steps:
    """The compiled steps of a run. Use them as ``state, metrics = steps.at(n)(state, batches)``.

    Args:
      run: the game or the population to train.
      config: the experiment's settings.
      devices: the devices that share a step.
      method: the JAX transformation that distributes a step over the devices, ``pmap`` or ``shard_map``.
      cache_bytes: the largest size of the cache of decoded images, see ``jaxgan.data.image_cache``; None for its
        default.
      remat: whether a step computes activations again instead of storing them.

    Attributes:
      streams: whether batches are read while the run trains. Otherwise, all examples are on the devices.
      cache_line: a line about the cache of decoded images; "" if no images are decoded while the run trains.

    Raises:
      ValueError: if the devices cannot share a batch evenly.
    """

    def __init__(
        self,
        run: TrainingRun,
        config: CommonSettings,
        devices: list[parallel.Device],
        method: str,
        cache_bytes: int | None = None,
        *,
        remat: bool = False,
    ):
        run.check_batch_size(config.batch_size, devices)
        self.devices, self.method = devices, method
        self._run, self._config, self._remat = run, config, remat
        self._source, self.cache_line = cache_examples(run.experiment.source, cache_bytes)
        self.streams = not is_resident(self._source)
        # One object for all games, because a function is traced again for each new object.
        self._prepare = functools.partial(prepare, normalize=run.experiment.medium.normalize)
        self._compiled: dict[GameLike, parallel.Step] = {}
        self._called: set[GameLike] = set()

    def call_compiles(self, step: int) -> bool:
        """Return whether the compiled step of the game at ``step`` has not been called yet. Its first call compiles it.

        If the result is True, the caller must call the step, because this method returns True only once for each game.
        """
        game = self._run.experiment.at(step)
        is_first = game not in self._called
        self._called.add(game)
        return is_first

    def at(self, step: int) -> parallel.Step:
        """Return the compiled step of the game that is trained at ``step``. It is created at the first call."""
        game = self._run.experiment.at(step)
        if game not in self._compiled:
            how = {"prepare": self._prepare, "resident": self._resident, "max_steps": self.max_steps_per_call}
            self._compiled[game] = self._run.compile_step(step, self.devices, self.method, remat=self._remat, **how)
        return self._compiled[game]

    def trace(self) -> None:
        """Trace the step of each game, so that errors in losses and settings are raised before any file is written.

        A traced step is not traced again when it is called. If the data fits on the devices, this method also copies
        the data to the devices.

        Raises:
          ValueError: if the Python code of an experiment depends on the value of a setting that varies between the
            members of a population.
        """
        try:
            self._trace_games()
        except jax.errors.ConcretizationTypeError as error:
            names = [name for name in (self._run.member_settings or [{}])[0] if name != "seed"]
            if not names:
                raise
            raise depends_on_value(names) from error

    def _trace_games(self) -> None:
        run, experiment = self._run, self._run.experiment
        state, example = jax.eval_shape(run.init, run.keys), self._batch_of_one()
        first_steps = {experiment.at(0): 0}
        for step in range(1, self._config.steps if experiment.game_at else 1):
            if experiment.at(step) is not experiment.at(step - 1):
                first_steps.setdefault(experiment.at(step), step)
        for game, step in first_steps.items():
            rows = self._config.batch_size * game.batch_multiple // jax.process_count()
            leading = (self.max_steps_per_call, rows)
            batch = jax.tree.map(lambda x, s=leading: jax.ShapeDtypeStruct((*s, *x.shape[1:]), x.dtype), example)
            self.at(step).trace(state, batch)

    def batches(self, start: int) -> Generator[Any]:
        """Yield the batch of each step after ``start``.

        If players have several turns in a step, the batch contains ``batch_size`` examples for each turn of the player
        with the most turns. On several hosts, each process receives only its own rows of the batch.
        """
        run, config, source = self._run, self._config, self._source
        experiment = run.experiment
        most_turns = experiment.game.batch_multiple
        size = config.batch_size * most_turns
        seeds = list(dict.fromkeys(run.seeds))  # members with the same seed receive the same examples
        orders = [Batches(source, size, seed, parallel.rows(size)) for seed in seeds]
        if is_resident(source):
            streams = [map(batches.indices, range(start, config.steps)) for batches in orders]
        else:
            ahead = max(1, batches_ahead(size // jax.process_count()) // len(orders))
            streams = [stream(batches, start, config.steps, ahead) for batches in orders]
        for step, parts in enumerate(zip(*streams), start):
            turns, by_seed = experiment.at(step).batch_multiple, dict(zip(seeds, parts))
            batch = run.join_batches([by_seed[seed] for seed in run.seeds])
            yield jax.tree.map(lambda x, k=turns: x[: len(x) * k // most_turns], batch)

    @functools.cached_property
    def max_steps_per_call(self) -> int:
        """Maximum number of training steps that one call of the compiled step takes.

        The number is smaller for large batches that are streamed, because all batches of a call are in memory at the
        same time.
        """
        if is_resident(self._source):
            return MAX_STEPS_PER_CALL
        size = self._config.batch_size * self._run.experiment.game.batch_multiple
        batch_bytes = sum(x.nbytes for x in self._batch_of_one().values()) * size
        return min(max(1, AHEAD_BYTES // batch_bytes), MAX_STEPS_PER_CALL)

    @functools.cached_property
    def _resident(self) -> Any:
        if not is_resident(self._source):
            return None
        return parallel.replicate(self._source.by_name, self.devices, local=self.method == "pmap")

    def _batch_of_one(self) -> Any:
        """Return the batch of a step with one example per member."""
        first = np.zeros(1, np.int32)
        if not is_resident(self._source):
            batch = self._source.read(first)
        elif isinstance(self._source, Unpaired):
            batch = dict.fromkeys(self._source.domains, first)
        else:
            batch = first
        return self._run.join_batches([batch] * len(self._run.seeds))


def prepare(
    resident: dict[str, jax.Array] | None,
    batch: Any,
    normalize: Callable[[dict[str, Any]], dict[str, Any]] = normalize,
) -> dict[str, jax.Array]:
    """Convert a batch to the arrays that the game receives.

    Args:
      resident: a dictionary from names to the arrays of all examples, if the data is stored on the devices. Otherwise
        None.
      batch: if ``resident`` is None, a dictionary from names to arrays of examples, each of shape [B, ...]. Otherwise,
        the indices of the examples, of shape [B]. For unpaired data, each array has its own indices, and ``batch`` is a
        dictionary from names to indices.
      normalize: the function that converts the batch, the method ``normalize`` of a ``Medium``.
    """
    if resident is None:
        return normalize(batch)
    rows = batch if isinstance(batch, dict) else dict.fromkeys(resident, batch)
    return normalize({name: array[rows[name]] for name, array in resident.items()})


class SourceInMemory(Source, Protocol):
    """A source of arrays in memory."""

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of the source, keyed by their names in a batch; empty if the examples are not in memory."""
        ...


def is_resident(source: Source) -> TypeGuard[SourceInMemory]:
    """Return whether all examples are stored on the devices, so that a batch consists of indices.

    Args:
      source: the training data. A source with arrays in memory returns them by the property ``by_name``.
    """
    return bool(getattr(source, "by_name", None)) and size_in_bytes(source) <= RESIDENT_BYTES
