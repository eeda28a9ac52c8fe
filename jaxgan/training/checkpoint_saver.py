"""Save checkpoints of a run. Each is saved with a score, and the checkpoint with the lowest score is the best one."""

import math

import jax

from jaxgan.core.state import State
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.experiment.settings import CommonSettings
from jaxgan.training.checkpoints import KEEP_NEWEST, Checkpoints
from jaxgan.training.divergence import DivergedMembers, find_diverged_states
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.runs import TrainingRun, to_host
from jaxgan.training.write_schedule import WriteSchedule


class CheckpointSaver:
    """Saves checkpoints of a run and computes their scores.

    The score of a population's checkpoint is the lowest score among the members that have not diverged.

    Args:
      run: the game or the population that is trained.
      config: the experiment's settings.
      checkpoints: the directory that the checkpoints are saved to.
      schedule: defines the steps at which checkpoints are evaluated.
      diverged: the members that have diverged. ``save`` adds each member with a NaN or an infinity in its state.
      evaluator: computes the scores of the checkpoints at the steps of the schedule. Checkpoints at other steps have no
        score. If None, every checkpoint is scored by the Frechet distance between the pixels of downsampled samples and
        of downsampled data.

    Attributes:
      last_step: the step of the newest checkpoint that this object saved; None before the first checkpoint.
    """

    def __init__(
        self,
        run: TrainingRun,
        config: CommonSettings,
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
        """Copy the state to the host, then score and save it in the background.

        Raises:
          Diverged: if all members have diverged, that is, if the state of every member that had not diverged before
            contains NaN or infinity.
          OSError: if the previous checkpoint could not be written.
        """
        state = jax.tree.map(to_host, state)  # a copy, because the next step reuses the buffers
        step = int(state.step)
        self._diverged.add(step, find_diverged_states(state, len(self._run.seeds)))
        states = dict(enumerate(self._run.member_states(state)))
        finite = {i: own for i, own in states.items() if i not in self._diverged.indices}
        self._checkpoints.save(state, lambda: self._score(step, finite))
        self.last_step = step

    def newest_steps(self) -> list[int]:
        """Return the steps of the checkpoints that will be the newest ones besides the next checkpoint.

        The last checkpoint may not be complete yet.
        """
        last = [] if self.last_step is None else [self.last_step]
        return sorted({*self._checkpoints.steps(), *last})[1 - KEEP_NEWEST :]

    def _score(self, step: int, states: dict[int, State]) -> float:
        """Return the lowest score among the members, or infinity if the checkpoint of this step has no score."""
        if self._pixel_score is not None:
            return min(map(self._pixel_score, states.values()))
        if self._evaluator is not None and self._schedule.is_evaluated(step):
            return self._evaluator(step, states, len(self._run.seeds))
        return math.inf
