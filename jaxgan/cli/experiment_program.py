"""An experiment as a program: the object that its commands get, and the command lines that run them."""

import dataclasses
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CONSOLE = "jaxgan"

# Settings by name; or a function that derives them from the settings, and from the mapping of those that were given.
Preset = Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class ExperimentProgram:
    """An experiment as a program.

    Attributes:
      name: the experiment's, ``dcgan``.
      config_class: the dataclass of its settings.
      build: ``(config, source=None) -> Experiment``.
      description: the docstring of its module.
      presets: settings to start from, by name.
      invoked_as: how it was started: ``python mine.py``, ``python -m experiments.dcgan``; or ``jaxgan`` for an
        experiment that comes with jaxgan.
    """

    name: str
    config_class: type
    build: Callable[..., Any]
    description: str
    presets: Mapping[str, Preset] = dataclasses.field(default_factory=dict)
    invoked_as: str = CONSOLE

    @property
    def signature(self) -> str:
        """The program that is named in files: ``jaxgan 0.1.0 dcgan``."""
        from jaxgan.core import system  # here, because flags are parsed before JAX is imported

        return system.signature(self.name)

    @property
    def is_console(self) -> bool:
        """Whether it was started as the program ``jaxgan``."""
        return self.invoked_as == CONSOLE

    @property
    def train_command(self) -> str:
        """The command that trains: ``jaxgan train dcgan``, or ``python mine.py``."""
        return f"{CONSOLE} train {self.name}" if self.is_console else self.invoked_as

    def command(self, name: str, run_dir: str | Path) -> str:
        """The command line of another command for a run: ``jaxgan sample runs/dcgan``."""
        if self.is_console:
            return f"{CONSOLE} {name} {run_dir}"
        is_default = Path(run_dir) == self.path_of_run(None)
        return f"{self.invoked_as} {name}" + ("" if is_default else f" --run-dir {run_dir}")

    def path_of_run(self, run_dir: str | None) -> Path:
        """A run's directory; None is the experiment's default."""
        return Path(f"runs/{self.name}" if run_dir is None else run_dir)


def load_program(name: str) -> ExperimentProgram:
    """The program of an experiment that comes with jaxgan. This imports JAX."""
    module = importlib.import_module(f"jaxgan.experiments.{name}")
    return ExperimentProgram(
        name, module.Config, module.build, module.__doc__ or "", getattr(module, "PRESETS", {}), CONSOLE
    )


def invocation(config_class: type) -> str:
    """How the program that defines these settings was started: ``python mine.py``."""
    module = config_class.__module__
    if module != "__main__":
        return f"python -m {module}"
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name}" if spec else f"python {sys.argv[0]}"
