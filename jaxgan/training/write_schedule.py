"""Determine after which steps a run writes its outputs, and how many steps one call of the compiled step takes."""

from collections.abc import Callable
from typing import NamedTuple

from jaxgan.core.wrappers import GameLike
from jaxgan.training.options import RunOptions
from jaxgan.training.steps import MAX_STEPS_PER_CALL

METRICS_EVERY = MAX_STEPS_PER_CALL  # maximum number of steps between checks of metrics and signals
MAX_CALL_SECONDS = 1.0  # approximate maximum time of a call, so that the run reacts to SIGINT and SIGTERM quickly


class Due(NamedTuple):
    """The outputs of a run that are due after a step.

    Attributes:
      metrics: whether metrics are transferred to the host. At these steps, the processes also check for signals.
      samples: whether a sample grid is written.
      checkpoint: whether the state is saved.
    """

    metrics: bool
    samples: bool
    checkpoint: bool


class WriteSchedule:
    """Determines the outputs that are due after a step. All outputs except evaluations are due after the last step.

    Args:
      steps: the last step.
      start: the step that the run starts or resumes after.
      options: options of the run. They set the intervals of samples, checkpoints and evaluations, and the number of
        steps to profile.
      max_steps_per_call: maximum number of steps in a call of the compiled step.
      game_at: returns the game that is trained at a step. All steps of one call must train the same game.

    Attributes:
      start: the step that the run starts or resumes after.
      profiled: the range of steps to profile, as for ``StepProfiler``; empty if no steps are profiled.
    """

    def __init__(
        self, steps: int, start: int, options: RunOptions, max_steps_per_call: int, game_at: Callable[[int], GameLike]
    ):
        self.start = start
        self._steps, self._options = steps, options
        self._max_steps_per_call, self._game_at = max_steps_per_call, game_at
        # The first call compiles the step, so the profiler begins later.
        first = start + METRICS_EVERY
        self.profiled = range(first, first + options.profile)

    def due(self, step: int) -> Due:
        """Return the outputs that are due after ``step``."""
        is_last = step == self._steps
        samples = is_last or step % self._options.sample_every == 0
        checkpoint = is_last or step % self._options.checkpoint_every == 0 or self.is_evaluated(step)
        return Due(samples or checkpoint or step % METRICS_EVERY == 0, samples, checkpoint)

    def is_evaluated(self, step: int) -> bool:
        """Return whether the checkpoint of this step is evaluated."""
        every = self._options.evaluate_every
        return every is not None and step % every == 0

    def next_call(self, step: int, seconds_per_step: float) -> int:
        """Return the number of steps of the next call. A call ends when an output is due or when the game changes.

        Args:
          step: number of steps that were taken so far.
          seconds_per_step: time of a step in seconds. A call takes at most about ``MAX_CALL_SECONDS``.
        """
        options = self._options
        periods = [METRICS_EVERY, options.sample_every, options.checkpoint_every]
        if options.evaluate_every is not None:
            periods.append(options.evaluate_every)
        stops = [step + period - step % period for period in periods]
        stops += [self._steps, step + self._max_steps_per_call]
        stops += [step + max(1, int(MAX_CALL_SECONDS / seconds_per_step))]
        stops += [stop for stop in (self.profiled.start, self.profiled.stop) if self.profiled and stop > step]
        count = min(stops) - step
        game = self._game_at(step)
        return next((n for n in range(1, count) if self._game_at(step + n) is not game), count)
