"""What the commands of an experiment share: the experiment, and the checkpoint whose networks they use."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.state import State
from jaxgan.experiment import parameter_file
from jaxgan.experiment.experiment import Experiment
from jaxgan.monitoring.run_directory import read_config
from jaxgan.training.checkpoints import Checkpoints, state_from_leaves
from jaxgan.training.runs import make_run


class Restored(NamedTuple):
    """An experiment with the weights of a checkpoint.

    Attributes:
      experiment: what the weights are for.
      state: of one member, if the run is a population.
      member: the member's name, for messages; empty for a single run.
      config: the run's settings; None for a file of parameters.
    """

    experiment: Experiment
    state: State
    member: str
    config: Any = None


@dataclasses.dataclass(frozen=True)
class CheckpointReference:
    """A checkpoint of a run.

    Attributes:
      run_dir: The run's directory; runs/<experiment> if not given.
      step: The checkpoint's step; the newest if not given.
      best: Take the best checkpoint; of a population, the one with the best member.
    """

    run_dir: str | None = None
    step: int | None = None
    best: bool = False

    def path(self, program: ExperimentProgram) -> Path:
        """The run's directory."""
        return program.path_of_run(self.run_dir)

    def read(self, program: ExperimentProgram) -> dict[str, np.ndarray]:
        """The arrays of the checkpoint by name.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        if self.best and self.step is not None:
            raise ValueError(f"`best` and `step` {self.step} cannot be combined.")
        path = self.path(program)
        if not (path / "checkpoints").is_dir():
            raise ValueError(f"`run_dir` {path}: no checkpoints there; train first, or name the run's directory")
        checkpoints = Checkpoints(path / "checkpoints", read_only=True)
        try:
            return checkpoints.read(checkpoints.best() if self.best else self.step)
        finally:
            checkpoints.close()


@dataclasses.dataclass(frozen=True)
class MemberReference(CheckpointReference):
    """A checkpoint of a run, and of a population one of its members.

    Attributes:
      member: The member of a population; the first if not given.
    """

    member: int | None = None

    def restore(self, program: ExperimentProgram) -> Restored:
        """The experiment and the member's state at the checkpoint.

        Raises:
          ValueError: there is no such run, checkpoint or member, or the checkpoint is another experiment's.
        """
        path = self.path(program)
        config = read_config(path, program.name, program.config_class)
        run = make_run(config, program.build(config), program.build)
        last = len(run.seeds) - 1
        if self.member is not None and not 0 <= self.member <= last:
            members = f"members 0 to {last}" if last else "one, 0"
            raise ValueError(f"`member` {self.member}: the run in {path} has {members}")
        state = state_from_leaves(run.init(run.keys), self.read(program), f"the checkpoint in {path}")
        index = self.member or 0
        return Restored(run.experiment, run.member_states(state)[index], run.member_name(index), config)


@dataclasses.dataclass(frozen=True)
class WeightsReference(MemberReference):
    """A checkpoint of a run, or a file of parameters.

    Attributes:
      parameters: A file that export wrote, name.safetensors, in place of a run.
    """

    parameters: str | None = None

    def restore(self, program: ExperimentProgram, own_data: bool = True) -> Restored:
        """The experiment and its state, of a run or of a file.

        Args:
          program: the experiment.
          own_data: whether samples that are made of images need the data that the settings name, see
            ``parameter_file.load``.

        Raises:
          ValueError: there is no such run or file, or it is another experiment's.
        """
        if self.parameters is None:
            return super().restore(program)
        if self.step is not None or self.best or self.member is not None:
            raise ValueError(
                f"`parameters` {self.parameters}: it holds one step; leave out `step`, `best` and `member`"
            )
        path = Path(self.parameters)
        return Restored(*parameter_file.load(path, program.name, program.config_class, program.build, own_data))


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` for a seed that is not a uint32."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be between 0 and {2**32 - 1}, got {seed}.")
