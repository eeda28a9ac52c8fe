"""The command ``jaxgan compare``: show several runs on one HTML page."""

import argparse

from jaxgan.core.text import say
from jaxgan.reporting import comparison


def compare_runs(args: argparse.Namespace) -> None:
    """Write the page and print its path.

    Args:
      args: the parsed arguments: ``runs``, the directories to compare, and ``out``, the file to write.
    """
    say(f"comparison: {comparison.write(args.runs, args.out)}")
