"""A run's steps: the compiled step of each of its games, and the batches that they take."""

import functools
from collections.abc import Iterator
from typing import Any, TypeGuard

import jax
import numpy as np

from jaxgan import parallel
from jaxgan.core.protocol import GameLike
from jaxgan.data import Arrays, Batches, Source, Unpaired, normalize, stream
from jaxgan.data.source import size_in_bytes
from jaxgan.training.runs import TrainingRun

TOGETHER = 10  # the most steps of a call
RESIDENT_BYTES = 2**30  # data up to this size lives on the devices
READERS = 4  # threads that read batches ahead of their use
AHEAD_BYTES = 2**25  # of batches that are read for the steps of one call


class Steps:
    """Of a run: ``state, metrics = steps.at(n)(state, batches)``.

    Args:
      run: what is trained.
      config: has ``steps`` and ``batch_size``.
      on: the devices that share a step.
      form: how: ``pmap`` or ``shard_map``.

    Raises:
      ValueError: they cannot share a batch evenly.
    """

    def __init__(self, run: TrainingRun, config: Any, on: list[parallel.Device], form: str):
        run.check_batch_size(config.batch_size, on)
        self.on, self.form = on, form
        self._run, self._config = run, config
        self._source = run.experiment.source
        self._compiled: dict[GameLike, parallel.Step] = {}

    def at(self, step: int) -> parallel.Step:
        """That of the game at ``step``, made when it is first met."""
        game = self._run.experiment.at(step)
        if game not in self._compiled:
            how = {"prepare": prepare, "resident": self._resident, "together": self.together}
            self._compiled[game] = self._run.compile_step(step, self.on, self.form, **how)
        return self._compiled[game]

    def trace(self) -> None:
        """Python's part of the first call of each game's step: it meets what is wrong, and is not done again.

        What is resident is placed for it.
        """
        run, experiment = self._run, self._run.experiment
        state, one = jax.eval_shape(run.init, run.keys), self._one()
        firsts = {experiment.at(0): 0}
        for step in range(1, self._config.steps if experiment.game_at else 1):
            if experiment.at(step) is not experiment.at(step - 1):
                firsts.setdefault(experiment.at(step), step)
        for game, step in firsts.items():
            shape = (self.together, self._config.batch_size * game.batch_multiple // jax.process_count())
            batch = jax.tree.map(lambda x, s=shape: jax.ShapeDtypeStruct((*s, *x.shape[1:]), x.dtype), one)
            self.at(step).trace(state, batch)

    def batches(self, start: int) -> Iterator[Any]:
        """This process's rows of each global batch from ``start`` on: ``batch_size`` for each turn of a step."""
        run, config, source = self._run, self._config, self._source
        experiment = run.experiment
        most = experiment.game.batch_multiple
        size = config.batch_size * most
        seeds = dict.fromkeys(run.seeds)  # members of one seed see the same examples
        own = [Batches(source, size, seed, parallel.rows(size)) for seed in seeds]
        if is_resident(source):
            each = [map(batches.indices, range(start, config.steps)) for batches in own]
        else:
            each = [stream(batches, start, config.steps, max(1, READERS // len(own))) for batches in own]
        for step, parts in enumerate(zip(*each), start):
            share, by_seed = experiment.at(step).batch_multiple, dict(zip(seeds, parts))
            batch = run.join_batches([by_seed[seed] for seed in run.seeds])
            yield jax.tree.map(lambda x, k=share: x[: len(x) * k // most], batch)

    @functools.cached_property
    def together(self) -> int:
        """The most steps of a call; few where batches are read and large, for they wait for each other in memory."""
        if is_resident(self._source):
            return TOGETHER
        size = self._config.batch_size * self._run.experiment.game.batch_multiple
        batch = sum(x.nbytes for x in self._one().values()) * size
        return min(max(1, AHEAD_BYTES // batch), TOGETHER)

    @functools.cached_property
    def _resident(self) -> Any:
        if not is_resident(self._source):
            return None
        return parallel.replicate(self._source.by_name, self.on, local=self.form == "pmap")

    def _one(self) -> Any:
        """A step's batch of one example, of each member."""
        first = np.zeros(1, np.int32)
        if is_resident(self._source):
            one = dict.fromkeys(self._source.domains, first) if isinstance(self._source, Unpaired) else first
        else:
            one = self._source.read(first)
        return self._run.join_batches([one] * len(self._run.seeds))


def prepare(resident: dict[str, jax.Array] | None, batch: Any) -> dict[str, jax.Array]:
    """The batch as the game sees it: picked from resident data by row, if there is any; as floats."""
    if resident is None:
        return normalize(batch)
    rows = batch if isinstance(batch, dict) else dict.fromkeys(resident, batch)  # unpaired data has rows for each
    return normalize({name: array[rows[name]] for name, array in resident.items()})


def is_resident(source: Source) -> TypeGuard[Arrays | Unpaired]:
    """Whether all examples live on the devices, and a batch is the numbers of its rows."""
    whole = isinstance(source, Arrays | Unpaired) and bool(source.by_name)
    return whole and size_in_bytes(source) <= RESIDENT_BYTES
