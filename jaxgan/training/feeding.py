"""Prepare the batches of the calls of the compiled step, and copy streamed batches to the devices ahead of their call.

The first step and the number of steps of a call are planned one call ahead, so that a thread can read the batches of
the next call, stack them and copy them to the devices while the devices compute the current call. At most the batches
of two calls are on the devices. The batch of a step does not depend on the call that contains it.
"""

import concurrent.futures
import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any, Self

import jax
import numpy as np

from jaxgan import parallel
from jaxgan.training.steps import Steps


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of the compiled step.

    Attributes:
      step: number of steps that were taken before the call.
      count: number of steps that the call takes.
      compiles: whether the call compiles the step of its game.
    """

    step: int
    count: int
    compiles: bool

    @property
    def stop(self) -> int:
        """The number of steps that were taken after the call."""
        return self.step + self.count


class BatchFeeder:
    """Provides the batches of consecutive calls, inside a ``with`` block.

    Args:
      steps: the compiled steps of the run, and its batches.
      start: the number of steps that were taken before the first call.

    Attributes:
      works_ahead: whether ``prepare`` has an effect. It has none if all data are on the devices, because a batch then
        consists of indices.
    """

    def __init__(self, steps: Steps, start: int):
        self._steps, self._batches = steps, steps.batches(start)
        self.works_ahead = steps.streams
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "jaxgan-feeder") if self.works_ahead else None
        self._coming: tuple[Call, concurrent.futures.Future] | None = None
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_closed = True
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._batches.close()  # after the thread has ended, because a running generator cannot be closed

    def prepare(self, call: Call) -> None:
        """Start to read the batches of the call that follows the last one, and return immediately.

        Args:
          call: the call, which must be the next argument of ``take``.
        """
        if self._pool:
            self._coming = call, self._pool.submit(self._read, self._steps.at(call.step), call.count)

    def take(self, call: Call) -> Any:
        """Return the batches of a call, for its compiled step.

        Args:
          call: the call that follows the call of the last ``take``.

        Raises:
          Exception: any error of the source, if a batch could not be read.
        """
        coming, self._coming = self._coming, None
        if coming and coming[0] == call:
            return coming[1].result()
        return self._read(self._steps.at(call.step), call.count)

    def _read(self, step: parallel.Step, count: int) -> Any:
        batches = []
        for batch in itertools.islice(self._batches, count):
            if self._is_closed:  # the run ends, and nobody waits for the batches
                return None
            batches.append(batch)
        return step.put(stack(batches))


def stack(batches: Iterable[Any]) -> Any:
    """Return the batches of several steps as one batch with an axis of steps.

    Args:
      batches: the batches. Each is an array or a dictionary of arrays, [B, ...].
    """
    return jax.tree.map(lambda *xs: np.stack(xs), *batches)
