"""Trace some training steps with ``jax.profiler``."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jax


class StepProfiler:
    """Traces steps of a run and writes the trace to a folder, in the format of TensorBoard and Perfetto.

    Args:
      folder: the folder to write to.
      steps: the steps to trace. The trace begins after ``steps.start`` steps of the run and ends after ``steps.stop``
        steps. An empty range traces nothing.
      wait: called before the trace begins and before the trace ends. This function must not return until the devices
        have finished all work.
      say: called with a message when the trace is written.
    """

    def __init__(self, folder: Path, steps: range, wait: Callable[[], None], say: Callable[[str], None]):
        self._folder, self._steps, self._wait, self._say = folder, steps, wait, say
        self._is_tracing = False

    @contextlib.contextmanager
    def around(self, step: int, count: int) -> Iterator[None]:
        """Trace the call of the compiled step in the ``with`` block if it takes steps that should be traced.

        Args:
          step: number of steps that were taken before the call.
          count: number of steps that the call takes. A call must not extend over the start or the end of the range.
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
        """End the trace if one is in progress."""
        if self._is_tracing:
            jax.profiler.stop_trace()
            self._is_tracing = False
            self._say(f"profile: {self._folder}")
