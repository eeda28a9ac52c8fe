"""The commands ``jaxgan fid``, ``mifid``, ``kid`` and ``prdc``: two sets of images compared."""

import argparse

from jaxgan.cli.errors import warnings_as_lines
from jaxgan.core import system
from jaxgan.data import load
from jaxgan.evaluation import compare, format_result, make_extractor
from jaxgan.experiment import quality
from jaxgan.monitoring.terminal import reading


def compare_sets(args: argparse.Namespace) -> None:
    """Print the metric that the command is named after, and write it with its protocol if asked."""
    with warnings_as_lines(vars(args)), reading() as progress:
        samples, data = (load(path, resolution=args.resolution) for path in (args.samples, args.data))
        kept = system.classifier_directory()
        name = args.features or "inception-2048"
        features = make_extractor(name, args.weights, args.resize, data, kept, progress=progress)
        result = compare(samples, data, (args.command,), features, count=args.count, progress=progress)
    print("\n".join(format_result(result)))  # first: hours of computation must not be lost with a file
    if args.out:
        quality.write_result(result, args.out)
