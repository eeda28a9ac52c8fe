"""The command ``jaxgan new``: an experiment of one's own, which begins as a copy of one that comes with jaxgan."""

import argparse
import importlib.util
import keyword
import re
import textwrap
from pathlib import Path

from jaxgan.cli import experiment_files
from jaxgan.cli.fields import ModuleText

HEADER = '''"""{name}: an experiment of your own, which began as a copy of {like}.

Train      python {name}.py
Flags      python {name}.py train --help
Sample     python {name}.py sample --out grid.png
Resume     python {name}.py resume --steps 20000
Began as   {title}
           {paper}
"""'''


def write_experiment(args: argparse.Namespace) -> None:
    """Write ``NAME.py`` to the working directory, and print what to do with it.

    Raises:
      ValueError: the name cannot be that of a module here, or there is no such experiment to copy.
      OSError: the file cannot be written.
    """
    name = args.name.removesuffix(".py")
    path = Path(f"{name}.py")
    _check_name(name, path)
    like = experiment_files.find(args.like)
    with path.open("x", encoding="utf-8") as file:
        file.write(rename_experiment(experiment_files.read_experiment(like), like, name))
    print(f"{path}: a copy of {like}, with every command. Its settings, networks and losses are yours to change.")
    print(f"train it: python {path}")


def rename_experiment(module: ModuleText, like: str, name: str) -> str:
    """The text of an experiment's program under another name, with a header of its own.

    Args:
      module: the text of the experiment that is copied.
      like: its name.
      name: the new name.
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
    """Lines of at most 120 characters, as those of the project."""
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, 118, subsequent_indent=" " * 11, break_on_hyphens=False) or [""]
    return wrapped


def _check_name(name: str, path: Path) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        better = re.sub(r"\W+", "_", name).strip("_")
        mend = f"; did you mean {better}?" if better.isidentifier() and not keyword.iskeyword(better) else "."
        raise ValueError(f"`name` has to be a name in Python, of letters, digits and underscores, got {name!r}{mend}")
    if name in experiment_files.names():
        raise ValueError(f"`name` {name} is an experiment that comes with jaxgan; choose another.")
    if path.exists():
        raise ValueError(f"{path} is there already; choose another name, or remove it.")
    if importlib.util.find_spec(name) is not None:
        raise ValueError(f"`name` {name}: a file {path} would hide the module {name} from Python; choose another.")
