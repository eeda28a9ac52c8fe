"""The command ``jaxgan weights``: list the files of weights that jaxgan can use, and download them."""

import argparse

from jaxgan.core import weights
from jaxgan.core.text import say, say_lines
from jaxgan.monitoring.terminal import reading


def show_or_fetch(args: argparse.Namespace) -> None:
    """Print the known files of weights, or download the one that was named.

    Args:
      args: the parsed arguments of ``jaxgan weights``.

    Raises:
      OSError: if the file cannot be downloaded or written.
    """
    if args.name is None:
        for file in weights.KNOWN.values():
            say_lines(_describe(file))
        return
    file = weights.KNOWN[args.name]
    if weights.state(file) == "present":
        say(f"{file.path} is present, and its SHA-256 is correct.")
        return
    with reading() as progress:
        weights.fetch(file, lambda name, done, total: progress(name, done, total, "bytes"))
    say(f"{file.path} was downloaded, and its SHA-256 is correct.")


def _describe(file: weights.WeightsFile) -> str:
    state = weights.state(file)
    fix = "" if state == "present" else f"; to download it, run `jaxgan weights {file.name}`"
    return "\n".join(
        (
            f"{file.name}: {file.use}, {file.size / 1e6:.0f} MB",
            f"  {state}{fix}",
            f"  file    {file.path}",
            f"  from    {file.url}",
            f"  SHA-256 {file.sha256}",
        )
    )
