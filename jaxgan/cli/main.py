"""The program ``jaxgan``, which needs no experiment: two sets compared, exported files, runs on a page, the machine.

Only the flags are here; a command's module is imported when the command is run.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jaxgan.cli import errors

# As in jaxgan.evaluation, whose import takes seconds.
EXTRACTORS = ("classifier", "inception-64", "inception-192", "inception-768", "inception-2048")


class Command(NamedTuple):
    """A command of ``jaxgan``.

    Attributes:
      about: what it does, for ``--help``.
      add_arguments: adds its arguments to a parser.
      module: the module of ``jaxgan.cli`` that is imported when the command is run.
      function: the module's function of the parsed arguments; what it returns is the exit code, None for 0.
      less_memory: what to do where memory does not suffice, after a colon; empty where nothing can be done.
    """

    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    module: str
    function: str
    less_memory: str = ""


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the command line names; exit with its code if it failed."""
    parser, command_parsers = make_parsers()
    args = parser.parse_args(arguments)
    command, flags = COMMANDS[args.command], flag_names(command_parsers[args.command])
    try:
        module = importlib.import_module(f"jaxgan.cli.{command.module}")
        code = getattr(module, command.function)(args)
    except MemoryError as error:
        errors.print_error(str(error), flags, f"; there is not enough memory{command.less_memory}")
        sys.exit(1)
    except (ValueError, OSError) as error:
        errors.print_error(str(error), flags)
        sys.exit(2)
    if code:
        sys.exit(code)


def make_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of ``jaxgan``, and that of each of its commands by name."""
    parser = argparse.ArgumentParser("jaxgan", description="Generative adversarial networks as pure functions.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    parsers = {}
    for name, command in COMMANDS.items():
        parsers[name] = subparsers.add_parser(name, help=command.about, description=command.about)
        command.add_arguments(parsers[name])
    return parser, parsers


def flag_names(parser: argparse.ArgumentParser) -> set[str]:
    """The arguments of a command that have a flag, as ``resolution``, without those that a place on the line gives."""
    return {action.dest for action in parser._actions if action.option_strings}


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without arguments."""


def _add_flags_of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run's directory; two or more")
    parser.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page (%(default)s)")


def _add_flags_of_sets(parser: argparse.ArgumentParser) -> None:
    images = "a folder or zip of images, or an .npz: images, [N, height, width, C], uint8, or floats in [-1, 1]"
    parser.add_argument("samples", metavar="A", help=f"samples: {images}")
    parser.add_argument("data", metavar="B", help="what they are compared with, likewise")
    parser.add_argument(
        "--features",
        choices=EXTRACTORS,
        help="Inception's of so many dimensions, 2048 if not given; or a small classifier's, trained on B, if B "
        "has labels, and needs no weights",
    )
    parser.add_argument("--weights", help="Inception's, of pytorch-fid or torch-fidelity: a .pth or .npz")
    parser.add_argument(
        "--resize", choices=("tf1", "clean"), default="tf1", help="as the FID has it, or as clean-fid (%(default)s)"
    )
    parser.add_argument("--resolution", "--size", type=int, help="first make images of other sizes this one, square")
    parser.add_argument("--count", type=int, help="so many of each, evenly from first to last")
    parser.add_argument("--out", type=Path, help="write the figures and their protocol to this JSON file too")


def _add_flags_of_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help="a grid, .png, or .npz (%(default)s)")
    parser.add_argument("--count", type=int, default=64, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="sample i of a seed is always the same (%(default)s)")
    parser.add_argument("--label", type=int, help="of a conditional model, the class; all in turn if not given")


def _add_flags_of_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    parser.add_argument("images", metavar="IMAGES", type=Path, help="a file, a folder or a zip of images of any size")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the same names; of one image also a file")
    parser.add_argument("--direction", help="which way, by its name; the first if not given")
    parser.add_argument("--masks", type=Path, help="of what is missing, white; not given, what is transparent")
    parser.add_argument("--memory", type=float, default=4.0, help="gigabytes that networks may take (%(default)s)")
    parser.add_argument("--tile", type=int, help="the side of tiles, for all larger images; else as memory allows")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn for each image (%(default)s)")


def _of_sets(about: str) -> Command:
    return Command(about, _add_flags_of_sets, "fid", "compare_sets", ": lower --count")


COMMANDS = {
    "doctor": Command(
        "what is here, how fast it is, and what looks wrong, with the mend", _add_nothing, "doctor", "main"
    ),
    "fid": _of_sets("the Fréchet distance of two sets of images: 0 of equals"),
    "mifid": _of_sets("the Fréchet distance, the larger the more of data B is copied in samples A"),
    "kid": _of_sets("the kernel distance of two sets of images, which has no bias"),
    "prdc": _of_sets("precision, recall, density and coverage of samples A, given data B"),
    "compare": Command(
        "several runs on one page: curve on curve, samples beside samples",
        _add_flags_of_runs,
        "compare",
        "compare_runs",
    ),
    "sample": Command(
        "samples of a generator that an experiment's command export wrote",
        _add_flags_of_sample,
        "sample",
        "sample_artefact",
        ": lower --count",
    ),
    "translate": Command(
        "images made of images by what an experiment's command export wrote",
        _add_flags_of_translate,
        "translate",
        "translate_artefact",
        ": lower --memory",
    ),
}
