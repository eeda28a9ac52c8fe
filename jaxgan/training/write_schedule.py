"""What is due after which step, and how many steps one call of the compiled step takes."""

from collections.abc import Callable
from typing import NamedTuple

from jaxgan.core.wrappers import GameLike
from jaxgan.training.options import RunOptions
from jaxgan.training.steps import MAX_STEPS_PER_CALL

METRICS_EVERY = MAX_STEPS_PER_CALL  # steps between looks at metrics and signals
MAX_CALL_SECONDS = 1.0  # a call takes about this long at most, so that a signal is noticed soon


class Due(NamedTuple):
    """What is due after a step.

    Attributes:
      metrics: metrics are brought to the host, and the processes of a run agree on signals.
      samples: a sample grid is written.
      checkpoint: the state is saved.
    """

    metrics: bool
    samples: bool
    checkpoint: bool


class WriteSchedule:
    """Says what is due after which step. After the last step everything is due.

    Args:
      steps: the last step.
      start: the step that the run starts or resumes after.
      options: how often samples, checkpoints and evaluations are made, and how many steps are profiled.
      max_steps_per_call: how many steps a call may take.
      game_at: ``step -> Game``: the steps of one call must be of one game.

    Attributes:
      start: the step that the run starts or resumes after.
    """

    def __init__(
        self, steps: int, start: int, options: RunOptions, max_steps_per_call: int, game_at: Callable[[int], GameLike]
    ):
        self.start = start
        self._steps, self._options = steps, options
        self._max_steps_per_call, self._game_at = max_steps_per_call, game_at
        # The first call compiles, so the profiler begins after it.
        first = start + METRICS_EVERY
        self.profiled = range(first, first + options.profile)
        """The steps after which a profiled step begins: ``range(first, last)``; empty if none is profiled."""

    def due(self, step: int) -> Due:
        """What is due after ``step``."""
        is_last = step == self._steps
        samples = is_last or step % self._options.sample_every == 0
        checkpoint = is_last or step % self._options.checkpoint_every == 0 or self.is_evaluated(step)
        return Due(samples or checkpoint or step % METRICS_EVERY == 0, samples, checkpoint)

    def is_evaluated(self, step: int) -> bool:
        """Whether the checkpoint of this step is evaluated."""
        every = self._options.evaluate_every
        return every is not None and step % every == 0

    def next_call(self, step: int, seconds_per_step: float) -> int:
        """How many steps the next call takes: until something is due, or the game changes.

        Args:
          step: the number of steps that are done.
          seconds_per_step: how long a step takes; a call takes about ``MAX_CALL_SECONDS`` at most.
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
