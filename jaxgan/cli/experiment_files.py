"""The files of the experiments that come with jaxgan, as text: their names, and what their headers say.

Nothing here imports an experiment, which would import JAX.
"""

import re
from pathlib import Path

from jaxgan.cli.fields import PACKAGE, ModuleText, read_module


def folder() -> Path:
    """Where the experiments are: in the package, or in a checkout beside it."""
    inside = PACKAGE / "experiments"
    return inside if (inside / "dcgan.py").exists() else PACKAGE.parent / "experiments"


def names() -> list[str]:
    """The names of the experiments, in order."""
    return sorted(path.stem for path in folder().glob("*.py") if path.stem != "__init__")


def read_experiment(name: str) -> ModuleText:
    """The text of an experiment's module."""
    return read_module(folder() / f"{name}.py")


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
