"""A trace of some steps with ``jax.profiler``."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jax


class StepProfiler:
    """Traces steps of a run into a folder, which TensorBoard and Perfetto read.

    Args:
      folder: where the trace is written.
      steps: the range of steps to trace: the number of steps that are done before the first one, and after the last.
      wait: called before the trace begins and before it ends; returns when the devices have no work left.
      say: called with a message when the trace is written.
    """

    def __init__(self, folder: Path, steps: range, wait: Callable[[], None], say: Callable[[str], None]):
        self._folder, self._steps, self._wait, self._say = folder, steps, wait, say
        self._is_tracing = False

    @contextlib.contextmanager
    def around(self, step: int, count: int) -> Iterator[None]:
        """Trace the call in the ``with`` block if it is of the steps to trace.

        Args:
          step: the number of steps that are done before the call.
          count: how many the call takes; it must not reach over an end of the range.
        """
        if self._steps and step == self._steps.start:
            self._wait()
            jax.profiler.start_trace(self._folder)
            self._is_tracing = True
        yield
        if self._is_tracing and step + count == self._steps.stop:
            self._wait()
            self.close()

    def close(self) -> None:
        """End the trace, if the run ends within it."""
        if self._is_tracing:
            jax.profiler.stop_trace()
            self._is_tracing = False
            self._say(f"profile in {self._folder}")
