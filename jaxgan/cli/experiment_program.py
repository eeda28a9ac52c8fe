"""An experiment as a program: what its commands are given."""

import dataclasses
from pathlib import Path

from jaxgan.experiment.experiment import Build
from jaxgan.training.sample_grids import signature


@dataclasses.dataclass(frozen=True)
class ExperimentProgram:
    """An experiment as a program.

    Attributes:
      name: the experiment's, ``dcgan``.
      config_class: the dataclass of its settings.
      build: ``(config, source=None) -> Experiment``.
      description: the docstring of its module.
    """

    name: str
    config_class: type
    build: Build
    description: str

    @property
    def signature(self) -> str:
        """The program that is named in files: ``jaxgan 0.1.0 dcgan``."""
        return signature(self.name)

    def path_of_run(self, run_dir: str | None) -> Path:
        """A run's directory; None is the experiment's default."""
        return Path(f"runs/{self.name}" if run_dir is None else run_dir)
