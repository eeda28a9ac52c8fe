"""Select a checkpoint of a run by flags, and restore the experiment with its weights.

``sample``, ``evaluate``, ``export`` and other commands share these flags. Each of these commands has a field that holds
one of the dataclasses of this module.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxgan.cli.errors import print_warning
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.state import State
from jaxgan.data.description import blank_source
from jaxgan.experiment import parameter_file
from jaxgan.experiment.experiment import Experiment
from jaxgan.monitoring.data_paths import locate_data
from jaxgan.monitoring.data_record import check_data, describe_data
from jaxgan.monitoring.run_directory import read_classes, read_config, read_data_paths, read_data_record
from jaxgan.training.checkpoints import Checkpoints, state_from_leaves
from jaxgan.training.runs import TrainingRun, make_run

# The data of a run that a command requires: nothing; the images that an experiment translates for its samples, if it is
# such an experiment; or all data.
Needs = Literal["nothing", "inputs", "data"]


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

    def restore(self, program: ExperimentProgram, needs: Needs = "data", *, complete_images: bool = False) -> Restored:
        """Restore the experiment and the state of the member at the checkpoint.

        Args:
          program: the experiment.
          needs: the data that the command requires, see ``Needs``. If other data cannot be loaded, blank examples
            replace them, and a warning is printed.
          complete_images: whether to decode images completely, even if the run has the setting ``jpeg_draft``.

        Raises:
          ValueError: if there is no such run, checkpoint or member, the checkpoint belongs to another experiment, or
            the data are required and cannot be loaded.
        """
        path = self.path(program)
        config = read_config(path, program.name, program.config_class)
        run = _make_run_in(path, program, config, needs, complete_images)
        last = len(run.seeds) - 1
        if self.member is not None and not 0 <= self.member <= last:
            if last:
                raise ValueError(f"`member` must be between 0 and {last} for the run in {path}, got {self.member}.")
            raise ValueError(f"`member` must be 0 for the run in {path}, which has one member, got {self.member}.")
        state = state_from_leaves(run.state_shapes(), self.read(program), f"The checkpoint in {path}")
        index = self.member or 0
        # Some layers do not accept NumPy arrays, which a checkpoint contains, as constants of a compiled function.
        member_state = jax.device_put(run.member_states(state)[index])
        return Restored(run.experiment, member_state, run.member_name(index), config)


@dataclasses.dataclass(frozen=True)
class WeightsReference(MemberReference):
    """A checkpoint of a run, or a parameter file.

    Attributes:
      parameters: Parameter file (.safetensors) to use in place of a run, written by ``jaxgan export``.
    """

    parameters: str | None = None

    def restore(self, program: ExperimentProgram, needs: Needs = "data", *, complete_images: bool = False) -> Restored:
        """Restore the experiment and its state from a run or from a parameter file.

        Args:
          program: the experiment.
          needs, complete_images: see ``MemberReference.restore``. An experiment of a parameter file reads its data only
            if it translates images.

        Raises:
          ValueError: if there is no such run or file, or it belongs to another experiment.
        """
        if self.parameters is None:
            return super().restore(program, needs, complete_images=complete_images)
        if self.step is not None or self.best or self.member is not None:
            raise ValueError(
                f"`parameters` {self.parameters} cannot be combined with `step`, `best` or `member`, because the file "
                "holds the parameters of one step and one member."
            )
        path = Path(self.parameters)
        own_data = needs != "nothing"
        return Restored(*parameter_file.load(path, program.name, program.config_class, program.build, own_data))


def _make_run_in(
    path: Path, program: ExperimentProgram, config: Any, needs: Needs, complete_images: bool
) -> TrainingRun:
    """Create the run of a directory. If its data are missing or have changed, blank examples replace them.

    Raises:
      ValueError: if the command needs the missing data.
    """
    record, paths = read_data_record(path), read_data_paths(path)
    try:
        experiment = program.build_with_classes(locate_data(config, paths), read_classes(path))
        if "hash" in record:
            check_data(path, record, describe_data(experiment, config))
        if complete_images and getattr(config, "jpeg_draft", False):
            config = dataclasses.replace(config, jpeg_draft=False)
            experiment = program.build_with_classes(locate_data(config, paths), read_classes(path))
    except (ValueError, OSError) as error:
        if needs == "data" or not record:
            raise
        config, experiment = _build_without_data(program, locate_data(config, paths, may_be_missing=True), record)
        if needs == "inputs" and experiment.inputs is experiment.source:
            raise ValueError(
                f"{error} The samples of this experiment are translations of these images. To translate other images, "
                "use the command `translate`."
            ) from None
        names = {field.name: field.name for field in dataclasses.fields(config)}
        print_warning(f"The data of the run could not be loaded. This command does not need them. {error}", names)
    return make_run(config, experiment, program.build)


def _build_without_data(program: ExperimentProgram, config: Any, record: Mapping[str, Any]) -> tuple[Any, Experiment]:
    """Build an experiment with blank training examples, and with its test images if they can be loaded.

    Returns:
      The settings that the experiment was built with, and the experiment.
    """
    # No blank examples are held out, because the layout of a checkpoint does not depend on their number.
    config = dataclasses.replace(config, num_held_out=0)
    translates = hasattr(config, "test_data")
    source = blank_source(record, has_inputs=translates)
    if translates and config.test_data is not None:
        with contextlib.suppress(ValueError, OSError):
            return config, program.build(config, source)
        config = dataclasses.replace(config, test_data=None)
    return config, program.build(config, source)


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` if a seed is not between 0 and 2**32 - 1."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be between 0 and {2**32 - 1}, got {seed}.")
