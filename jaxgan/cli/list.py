"""The command ``jaxgan list``: print the experiments that are part of jaxgan, and their headers."""

import argparse
import shutil
import textwrap

from jaxgan.cli import experiment_files
from jaxgan.core.text import say, say_lines


def list_experiments(args: argparse.Namespace) -> None:
    """Print a paragraph for each experiment, or the complete header of one experiment.

    Args:
      args: the parsed arguments: ``experiment``, a name or None.

    Raises:
      ValueError: if there is no such experiment.
    """
    if args.experiment is None:
        for name in experiment_files.names():
            say_lines(f"{_paragraph(name)}\n")
        say("To print the complete description of an experiment, run `jaxgan list EXPERIMENT`.")
        say("To train it, run `jaxgan train EXPERIMENT`.")
        return
    name = experiment_files.find(args.experiment)
    module = experiment_files.read_experiment(name)
    say_lines(f"{module.docstring.strip()}\n")
    say(f"File       {module.path}")


def _paragraph(name: str) -> str:
    """Return the title of an experiment, the beginning of its results, and its presets."""
    module = experiment_files.read_experiment(name)
    width = min(shutil.get_terminal_size((100, 24)).columns, 110) - 11
    score = experiment_files.header(module).get("Score", "")
    lines = [f"{name:<11}{experiment_files.title(module)}"]
    if score:
        lines += textwrap.wrap(textwrap.shorten(f"score: {score}", 2 * width - 20, placeholder=" ..."), width)
    presets = module.dict_keys("PRESETS")
    lines += textwrap.wrap(f"presets: {', '.join(presets) or 'none'}", width)
    return f"\n{' ' * 11}".join(lines)
