"""An experiment as a program: what its commands are given."""

import dataclasses
from pathlib import Path

from jaxgan.core import system
from jaxgan.experiment.experiment import Build


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
        return system.signature(self.name)

    def path_of_run(self, run_dir: str | None) -> Path:
        """A run's directory; None is the experiment's default."""
        return Path(f"runs/{self.name}" if run_dir is None else run_dir)
