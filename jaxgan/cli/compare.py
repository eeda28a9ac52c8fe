"""The command ``jaxgan compare``: several runs on one page."""

import argparse

from jaxgan.reporting import comparison


def compare_runs(args: argparse.Namespace) -> None:
    """Write the page."""
    print(f"comparison: {comparison.write(args.runs, args.out)}")
