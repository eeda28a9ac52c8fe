"""The command ``jaxgan new``: create a custom experiment as a copy of an experiment that is part of jaxgan."""

import argparse
import importlib.util
import keyword
import re
import textwrap
from pathlib import Path

from jaxgan.cli import experiment_files
from jaxgan.cli.fields import ModuleText
from jaxgan.core.text import say

HEADER = '''"""{name}: a custom experiment, created as a copy of {like}.

Train      python {name}.py
Flags      python {name}.py train --help
Sample     python {name}.py sample --out grid.png
Resume     python {name}.py resume --steps 20000
Copy of    {title}
           {paper}
"""'''


def write_experiment(args: argparse.Namespace) -> None:
    """Write ``NAME.py`` to the working directory, and print how to train it.

    Args:
      args: the parsed arguments: ``name``, the name of the new experiment, and ``like``, the experiment to copy.

    Raises:
      ValueError: if the name is not allowed, or there is no such experiment to copy.
      OSError: if the file cannot be written.
    """
    name = args.name.removesuffix(".py")
    path = Path(f"{name}.py")
    _check_name(name, path)
    like = experiment_files.find(args.like)
    with path.open("x", encoding="utf-8") as file:
        file.write(rename_experiment(experiment_files.read_experiment(like), like, name))
    say(f"Created {path} as a copy of {like}. Edit its settings, networks and losses as you like.")
    say(f"To train it, run `python {path}`. To list its commands, run `python {path} --help`.")


def rename_experiment(module: ModuleText, like: str, name: str) -> str:
    """Return the text of an experiment's program under another name, with a new header.

    Args:
      module: the text of the experiment to copy.
      like: the name of the experiment to copy.
      name: the new name.

    Raises:
      ValueError: if the program does not end with a call of ``main`` with the name of the experiment.
    """
    first = module.tree.body[0]  # the docstring
    body = "\n".join(module.lines[first.end_lineno :])
    header = HEADER.format(
        name=name,
        like=like,
        title=experiment_files.title(module),
        paper=experiment_files.header(module).get("Paper", "").rstrip(";,"),
    )
    text = "\n".join(_wrap(header.splitlines())) + "\n\n" + body.strip("\n") + "\n"
    renamed, count = re.subn(rf'^(    main\()"{like}"', rf'\1"{name}"', text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{module.path} does not end with main({like!r}, ...).")
    return renamed


def _wrap(lines: list[str]) -> list[str]:
    """Wrap lines at 118 characters, so that the lines of the docstring are shorter than the project's limit of 120."""
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, 118, subsequent_indent=" " * 11, break_on_hyphens=False) or [""]
    return wrapped


def _check_name(name: str, path: Path) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        valid = re.sub(r"\W+", "_", name).strip("_")
        fix = f" Did you mean {valid}?" if valid.isidentifier() and not keyword.iskeyword(valid) else ""
        raise ValueError(f"`name` must be a Python name (letters, digits and underscores), got {name!r}.{fix}")
    if name in experiment_files.names():
        raise ValueError(f"`name` must not be the name of an experiment of jaxgan, got {name}. Choose another name.")
    if path.exists():
        raise ValueError(f"{path} already exists. Choose another name, or remove the file.")
    if importlib.util.find_spec(name) is not None:
        raise ValueError(
            f"`name` must not be the name of an installed module, got {name}: Python would import {path} instead of "
            "that module. Choose another name."
        )
