"""The commands ``jaxgan fid``, ``mifid``, ``kid`` and ``prdc``: compare two sets of images."""

import argparse

from jaxgan.cli.errors import warnings_as_lines
from jaxgan.core import system
from jaxgan.core.text import say
from jaxgan.data import load
from jaxgan.evaluation import compare, format_result, make_extractor
from jaxgan.experiment import quality
from jaxgan.monitoring.terminal import reading


def compare_sets(args: argparse.Namespace) -> None:
    """Print the metric that the command is named after, and write it to a file if ``--out`` was passed.

    Args:
      args: the parsed arguments of ``jaxgan fid``, ``kid``, ``mifid`` or ``prdc``.

    Raises:
      ValueError: if a set cannot be loaded, or the metric cannot be computed.
      OSError: if a file cannot be read or written.
    """
    name = args.features or "inception-2048"
    with warnings_as_lines(vars(args)), reading() as progress:
        samples, data = (
            load(getattr(args, argument), resolution=args.resolution, argument=argument, uncropped=name != "classifier")
            for argument in ("samples", "data")
        )
        cache = system.classifier_directory()
        features = make_extractor(name, args.weights, args.resize, data, cache, progress=progress)
        result = compare(samples, data, (args.command,), features, count=args.count, progress=progress)
    for line in format_result(result):  # printed first, because the file may not be writable
        say(line)
    if args.out:
        quality.write_result(result, args.out)
