"""Select a checkpoint of a run by flags, and restore the experiment with its weights.

``sample``, ``evaluate``, ``export`` and other commands share these flags. Each of these commands has a field that holds
one of the dataclasses of this module.
"""

import dataclasses
import functools
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
from jaxgan.monitoring.run_directory import read_classes, read_config, read_data_paths, read_data_record
from jaxgan.training.checkpoints import Checkpoints, state_from_leaves
from jaxgan.training.runs import TrainingRun, make_run


class Restored(NamedTuple):
    """An experiment with the weights of a checkpoint.

    Attributes:
      experiment: the experiment to which the weights belong.
      state: the training state; if the run trains a population (several games in one vmapped step), the state of one
        member.
      member: the member's name for messages; empty if the run does not train a population.
      config: the run's settings; None for a parameter file.
    """

    experiment: Experiment
    state: State
    member: str
    config: Any = None


@dataclasses.dataclass(frozen=True)
class CheckpointReference:
    """A checkpoint of a run.

    Attributes:
      run_dir: Directory of the run. By default, runs/<experiment>.
      step: Step of the checkpoint to use. By default, the newest checkpoint is used.
      best: Use the checkpoint with the best score. For a population, the score of a checkpoint is the best score
        among its members.
    """

    run_dir: str | None = None
    step: int | None = None
    best: bool = False

    def path(self, program: ExperimentProgram) -> Path:
        """Return the directory of the run.

        Args:
          program: the program of the experiment, which determines the default directory.
        """
        return program.path_of_run(self.run_dir)

    def read(self, program: ExperimentProgram) -> dict[str, np.ndarray]:
        """Read the checkpoint, and return a dictionary from names to arrays.

        Args:
          program: the program of the experiment, which determines the default directory.

        Raises:
          ValueError: if there is no such checkpoint, or it is damaged.
        """
        if self.best and self.step is not None:
            raise ValueError(f"`best` and `step` {self.step} cannot be combined.")
        path = self.path(program)
        if not (path / "checkpoints").is_dir():
            raise ValueError(f"`run_dir` {path} has no checkpoints. Pass the directory of a run, or train first.")
        checkpoints = Checkpoints(path / "checkpoints", read_only=True, say=functools.partial(print_warning, names=()))
        try:
            return checkpoints.read(checkpoints.best() if self.best else self.step)
        finally:
            checkpoints.close()


@dataclasses.dataclass(frozen=True)
class MemberReference(CheckpointReference):
    """A checkpoint of a run, and the index of a member if the run trains a population.

    Attributes:
      member: For a run that trains a population: index of the member to use, starting at 0. By default, the first
        member is used.
    """

    member: int | None = None

    def restore(self, program: ExperimentProgram, needs_data: bool = True) -> Restored:
        """Restore the experiment and the state of the member at the checkpoint.

        Args:
          program: the experiment.
          needs_data: whether the command requires the data. If False, and the data cannot be loaded, blank examples
            replace the data and a warning is printed. Experiments that generate samples from images always require the
            data.

        Raises:
          ValueError: if there is no such run, checkpoint or member, the checkpoint belongs to another experiment, or
            the data are required and cannot be loaded.
        """
        path = self.path(program)
        config = read_config(path, program.name, program.config_class)
        run = _make_run_in(path, program, config, needs_data)
        last = len(run.seeds) - 1
        if self.member is not None and not 0 <= self.member <= last:
            if last:
                raise ValueError(f"`member` must be between 0 and {last} for the run in {path}, got {self.member}.")
            raise ValueError(f"`member` must be 0 for the run in {path}, which has one member, got {self.member}.")
        state = state_from_leaves(run.init(run.keys), self.read(program), f"The checkpoint in {path}")
        index = self.member or 0
        return Restored(run.experiment, run.member_states(state)[index], run.member_name(index), config)


@dataclasses.dataclass(frozen=True)
class WeightsReference(MemberReference):
    """A checkpoint of a run, or a parameter file.

    Attributes:
      parameters: Parameter file (.safetensors) to use in place of a run, written by ``jaxgan export``.
    """

    parameters: str | None = None

    def restore(self, program: ExperimentProgram, needs_data: bool = True, own_data: bool = True) -> Restored:
        """Restore the experiment and its state from a run or from a parameter file.

        Args:
          program: the experiment.
          needs_data: see ``MemberReference.restore``; not used for a parameter file.
          own_data: see ``parameter_file.load``; not used for a run.

        Raises:
          ValueError: if there is no such run or file, or it belongs to another experiment.
        """
        if self.parameters is None:
            return super().restore(program, needs_data)
        if self.step is not None or self.best or self.member is not None:
            raise ValueError(
                f"`parameters` {self.parameters} cannot be combined with `step`, `best` or `member`, because the file "
                "holds the parameters of one step and one member."
            )
        path = Path(self.parameters)
        return Restored(*parameter_file.load(path, program.name, program.config_class, program.build, own_data))


def _make_run_in(path: Path, program: ExperimentProgram, config: Any, needs_data: bool) -> TrainingRun:
    """Create the run of a directory. If the data cannot be loaded and are not needed, blank examples replace them."""
    try:
        experiment = program.build_with_classes(locate_data(config, read_data_paths(path)), read_classes(path))
    except (ValueError, OSError) as error:
        record = read_data_record(path)
        if needs_data or not record or hasattr(config, "test_data"):  # image translation requires images
            raise
        # No blank examples are held out, because the layout of a checkpoint does not depend on the number of held-out
        # examples.
        config = dataclasses.replace(config, num_held_out=0)
        experiment = program.build(config, _blank_examples(record, config.data))
        if experiment.inputs is not None:
            raise
        names = {field.name: field.name for field in dataclasses.fields(config)}
        print_warning(f"The data of the run could not be loaded. This command does not need them. {error}", names)
    return make_run(config, experiment, program.build)


def _blank_examples(record: Mapping[str, Any], name: str) -> Arrays:
    """Return zeros in place of the data. Broadcasting one zero to their full shape needs almost no memory.

    Args:
      record: the number, the shape and the classes of the examples, as the run's config.json records them.
      name: the name of the data.
    """
    shape, classes, count = tuple(record["shape"]), tuple(record["classes"]), record["examples"]
    zero = np.zeros((), np.uint8 if len(shape) == 3 else np.float32)
    labels = np.broadcast_to(np.zeros((), np.int32), count) if classes else None
    return Arrays(np.broadcast_to(zero, (count, *shape)), labels, name, classes, checked=True)


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` if a seed is not between 0 and 2**32 - 1."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be between 0 and {2**32 - 1}, got {seed}.")
