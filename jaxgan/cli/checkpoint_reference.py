"""What the commands of an experiment share: the experiment, and the checkpoint whose networks they use."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.cli.errors import print_warning
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.state import State
from jaxgan.data import Arrays
from jaxgan.experiment import parameter_file
from jaxgan.experiment.experiment import Experiment
from jaxgan.monitoring.data_paths import locate_data
from jaxgan.monitoring.run_directory import read_config, read_data_paths, read_data_record
from jaxgan.training.checkpoints import Checkpoints, state_from_leaves
from jaxgan.training.runs import TrainingRun, make_run


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

    def restore(self, program: ExperimentProgram, needs_data: bool = True) -> Restored:
        """The experiment and the member's state at the checkpoint.

        Args:
          program: the experiment.
          needs_data: whether the data are needed. If they are not, and cannot be loaded, blank examples stand for
            them, which a warning says; not so where samples are made of images.

        Raises:
          ValueError: there is no such run, checkpoint or member, or the checkpoint is another experiment's, or the data
            are needed and not there.
        """
        path = self.path(program)
        config = read_config(path, program.name, program.config_class)
        run = _make_run_in(path, program, config, needs_data)
        last = len(run.seeds) - 1
        if self.member is not None and not 0 <= self.member <= last:
            members = f"members 0 to {last}" if last else "one, 0"
            raise ValueError(f"`member` {self.member}: the run in {path} has {members}")
        state = state_from_leaves(run.init(run.keys), self.read(program), f"The checkpoint in {path}")
        index = self.member or 0
        return Restored(run.experiment, run.member_states(state)[index], run.member_name(index), config)


@dataclasses.dataclass(frozen=True)
class WeightsReference(MemberReference):
    """A checkpoint of a run, or a file of parameters.

    Attributes:
      parameters: A file that export wrote, name.safetensors, in place of a run.
    """

    parameters: str | None = None

    def restore(self, program: ExperimentProgram, needs_data: bool = True, own_data: bool = True) -> Restored:
        """The experiment and its state, of a run or of a file.

        Args:
          program: the experiment.
          needs_data: as in ``MemberReference``; a file of parameters never needs the data for such samples.
          own_data: whether samples that are made of images need the data that the settings name, see
            ``parameter_file.load``.

        Raises:
          ValueError: there is no such run or file, or it is another experiment's.
        """
        if self.parameters is None:
            return super().restore(program, needs_data)
        if self.step is not None or self.best or self.member is not None:
            raise ValueError(
                f"`parameters` {self.parameters}: it holds one step; leave out `step`, `best` and `member`"
            )
        path = Path(self.parameters)
        return Restored(*parameter_file.load(path, program.name, program.config_class, program.build, own_data))


def _make_run_in(path: Path, program: ExperimentProgram, config: Any, needs_data: bool) -> TrainingRun:
    """The run in a directory, with the data that its settings name, or with blank examples if they may be missing."""
    try:
        experiment = program.build(locate_data(config, read_data_paths(path)))
    except (ValueError, OSError) as error:
        record = read_data_record(path)
        if needs_data or not record or hasattr(config, "test_data"):  # translators make samples of images
            raise
        # The layout of a checkpoint does not depend on how many examples are held out.
        config = dataclasses.replace(config, num_held_out=0)
        experiment = program.build(config, _blank_examples(record, config.data))
        if experiment.inputs is not None:
            raise
        names = {field.name: field.name for field in dataclasses.fields(config)}
        print_warning(f"the data are not there, and are not needed here: {error}", names)
    return make_run(config, experiment, program.build)


def _blank_examples(record: Mapping[str, Any], name: str) -> Arrays:
    """Examples of the recorded number, shape and classes, all zeros, which take the memory of one number."""
    shape, classes, count = tuple(record["shape"]), tuple(record["classes"]), record["examples"]
    zero = np.zeros((), np.uint8 if len(shape) == 3 else np.float32)
    labels = np.broadcast_to(np.zeros((), np.int32), count) if classes else None
    return Arrays(np.broadcast_to(zero, (count, *shape)), labels, name, classes)


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` for a seed that is not a uint32."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be between 0 and {2**32 - 1}, got {seed}.")
