"""Find the experiments that are part of jaxgan, and read their headers from the text of their files.

This module does not import the experiments, because that would import JAX.
"""

import re

from jaxgan.cli import suggestions
from jaxgan.cli.fields import ModuleText, experiments_folder, read_module


def names() -> list[str]:
    """Return the names of the experiments in alphabetical order."""
    return sorted(path.stem for path in experiments_folder().glob("*.py") if path.stem != "__init__")


def find(typed: str) -> str:
    """Return the name of the experiment for a name that a user typed, such as ``DCGAN`` or ``wgan-gp``.

    Raises:
      ValueError: if there is no such experiment. The message suggests a similar name, or lists all names.
    """
    name, known = typed.replace("-", "_").lower(), names()
    if name in known:
        return name
    similar = suggestions.EXPERIMENT_HABITS.get(name) or suggestions.closest(name, known)
    fix = f"Did you mean {similar}?" if similar else f"The experiments are {', '.join(known)}."
    raise ValueError(f"There is no experiment {typed!r}. {fix}")


def read_experiment(name: str) -> ModuleText:
    """Return the text of an experiment's module.

    Args:
      name: the name of the experiment.
    """
    return read_module(experiments_folder() / f"{name}.py")


def title(module: ModuleText) -> str:
    """Return the first line of the docstring.

    Args:
      module: the text of the experiment's module.
    """
    return (module.docstring.splitlines() or [""])[0]


def header(module: ModuleText) -> dict[str, str]:
    """Read the header of an experiment: the entries of its docstring that begin with a word such as Paper or Score.

    Args:
      module: the text of the experiment's module.

    Returns:
      A dictionary from the first word of each entry to the rest of the entry, with line breaks replaced by spaces.
    """
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
