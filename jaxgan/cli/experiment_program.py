"""Describe an experiment as a program: its settings, its build function, and the command lines that start it."""

import dataclasses
import importlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

CONSOLE = "jaxgan"

# A dictionary from settings to values, or a function ``(config, given) -> settings`` that returns such a dictionary.
# ``config`` has the settings without the preset. ``given`` is a dictionary of the settings that the user passed.
Preset = Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class ExperimentProgram:
    """The parts of an experiment that the command line requires.

    Attributes:
      name: the experiment's name, such as ``dcgan``.
      config_class: the dataclass of its settings.
      build: a function ``(config, source=None) -> Experiment``.
      description: the docstring of its module.
      presets: dictionary from names to presets. A preset is a set of settings to use in place of the defaults.
      invoked_as: the command that started the program, such as ``python mine.py`` or ``python -m experiments.dcgan``;
        ``jaxgan`` for an experiment that was started by the program ``jaxgan``.
    """

    name: str
    config_class: type
    build: Callable[..., Any]
    description: str
    presets: Mapping[str, Preset] = dataclasses.field(default_factory=dict)
    invoked_as: str = CONSOLE

    def build_with_classes(self, config: Any, classes: Sequence[str]) -> Any:
        """Return the experiment for these settings, with the classes in the order in which a run recorded them.

        Args:
          config: the settings of the experiment.
          classes: the names of the classes that the run recorded; see ``jaxgan.data.match_classes``.
        """
        from jaxgan.data import match_classes  # not at the top, because flags are parsed without importing JAX

        experiment = self.build(config)
        source = match_classes(experiment.source, classes)
        return experiment if source is experiment.source else self.build(config, source)

    @property
    def signature(self) -> str:
        """The name of the program in the metadata of written files, such as ``jaxgan 0.1.0 dcgan``."""
        from jaxgan.core import system  # not at the top, because flags are parsed without importing JAX

        return system.signature(self.name)

    @property
    def is_console(self) -> bool:
        """Whether the experiment was started by the program ``jaxgan``."""
        return self.invoked_as == CONSOLE

    @property
    def train_command(self) -> str:
        """The command that trains the experiment, such as ``jaxgan train dcgan`` or ``python mine.py``."""
        return f"{CONSOLE} train {self.name}" if self.is_console else self.invoked_as

    def command(self, name: str, run_dir: str | Path) -> str:
        """Return the command line that applies another command to a run, such as ``jaxgan sample runs/dcgan``.

        Args:
          name: the name of the command, such as ``sample``.
          run_dir: the directory of the run.
        """
        if self.is_console:
            return f"{CONSOLE} {name} {shlex.quote(str(run_dir))}"
        is_default = Path(run_dir) == self.path_of_run(None)
        return f"{self.invoked_as} {name}" + ("" if is_default else f" --run-dir {shlex.quote(str(run_dir))}")

    def path_of_run(self, run_dir: str | None) -> Path:
        """Return ``run_dir`` as a path. If it is None, return the default directory of the experiment's runs.

        Args:
          run_dir: the directory that the user passed, or None.
        """
        return Path(f"runs/{self.name}" if run_dir is None else run_dir)


def load_program(name: str) -> ExperimentProgram:
    """Load the program of an experiment that is part of jaxgan. This imports JAX.

    Args:
      name: the name of the experiment.
    """
    module = importlib.import_module(f"jaxgan.experiments.{name}")
    return ExperimentProgram(
        name, module.Config, module.build, module.__doc__ or "", getattr(module, "PRESETS", {}), CONSOLE
    )


def invocation(config_class: type) -> str:
    """Return the command that started the program in which the settings are defined, such as ``python mine.py``.

    Args:
      config_class: the class of the settings.
    """
    module = config_class.__module__
    if module != "__main__":
        return f"python -m {module}"
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name}" if spec else f"python {sys.argv[0]}"
