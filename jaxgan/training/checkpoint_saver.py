"""Saves a run's state with a score, which decides which checkpoint is the best."""

import math

import jax

from jaxgan.core.state import State
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.experiment.settings import Settings
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.divergence import DivergedMembers, find_diverged_states
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.runs import TrainingRun, to_host
from jaxgan.training.write_schedule import WriteSchedule


class CheckpointSaver:
    """Saves a run's state, scored by the best of its members that did not diverge.

    With an evaluator only the checkpoints that the schedule evaluates have a score. Without one every checkpoint is
    scored by the Frechet distance on downsampled pixels.

    Attributes:
      last_step: the step of the newest checkpoint that was saved here; None before the first.
    """

    def __init__(
        self,
        run: TrainingRun,
        config: Settings,
        checkpoints: Checkpoints,
        schedule: WriteSchedule,
        diverged: DivergedMembers,
        evaluator: Evaluator | None,
    ):
        self.last_step: int | None = None
        self._run, self._checkpoints, self._schedule = run, checkpoints, schedule
        self._diverged, self._evaluator = diverged, evaluator
        self._pixel_score = PixelScore(run.experiment, config.seed) if evaluator is None else None

    def save(self, state: State) -> None:
        """Copy the state to the host and save it; the score is computed in the background.

        Raises:
          Diverged: a leaf of the state is not finite, in every member that was left.
          OSError: the checkpoint before this one could not be written.
        """
        state = jax.tree.map(to_host, state)  # the next step reuses the buffers on the devices
        step = int(state.step)
        self._diverged.add(step, find_diverged_states(state, len(self._run.seeds)))
        states = dict(enumerate(self._run.member_states(state)))
        finite = {i: own for i, own in states.items() if i not in self._diverged.indices}
        self._checkpoints.save(state, lambda: self._score(step, finite))
        self.last_step = step

    def _score(self, step: int, states: dict[int, State]) -> float:
        """The best member's score, the lower the better."""
        if self._pixel_score is not None:
            return min(map(self._pixel_score, states.values()))
        if self._evaluator is not None and self._schedule.is_evaluated(step):
            return self._evaluator(step, states, len(self._run.seeds))
        return math.inf
