"""The files of the experiments that come with jaxgan, as text: their names and their headers.

Nothing here imports an experiment, which would import JAX.
"""

import re

from jaxgan.cli import suggestions
from jaxgan.cli.fields import ModuleText, experiments_folder, read_module


def names() -> list[str]:
    """The names of the experiments, in order."""
    return sorted(path.stem for path in experiments_folder().glob("*.py") if path.stem != "__init__")


def find(typed: str) -> str:
    """The name of the experiment that is typed as ``dcgan``, ``DCGAN`` or ``wgan-gp``.

    Raises:
      ValueError: there is none; the message says which is meant, or which there are.
    """
    name, there = typed.replace("-", "_").lower(), names()
    if name in there:
        return name
    near = suggestions.EXPERIMENT_HABITS.get(name) or suggestions.closest(name, there)
    mend = f"did you mean {near}?" if near else f"there are {', '.join(there)}."
    raise ValueError(f"there is no experiment {typed}; {mend}")


def read_experiment(name: str) -> ModuleText:
    """The text of an experiment's module."""
    return read_module(experiments_folder() / f"{name}.py")


def title(module: ModuleText) -> str:
    """The first line of the docstring."""
    return (module.docstring.splitlines() or [""])[0]


def header(module: ModuleText) -> dict[str, str]:
    """The entries of the docstring by name, each on one line: Paper, Command, Data, Hardware, Time, Score."""
    entries: dict[str, str] = {}
    name = ""
    for line in module.docstring.splitlines():
        if found := re.fullmatch(r"([A-Z]\w+)\s{2,}(.*)", line):
            name, entries[found[1]] = found[1], found[2]
        elif name and line.startswith("  "):
            entries[name] += " " + line.strip()
        else:
            name = ""
    return entries
