"""The commands of ``jaxgan`` that need no experiment: files and sets of images, runs compared, this machine.

Only their flags are here; a command's module is imported when the command is run.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxgan.cli import errors
from jaxgan.cli.experiment_program import CONSOLE
from jaxgan.cli.flags import FlagParser

# As in jaxgan.evaluation, whose import takes seconds.
EXTRACTORS = ("classifier", "inception-64", "inception-192", "inception-768", "inception-2048")


class Tool(NamedTuple):
    """A command that needs no experiment.

    Attributes:
      about: what it does, for ``--help``.
      add_arguments: adds its arguments to a parser.
      module: the module of ``jaxgan.cli`` that is imported when the command is run.
      function: the module's function of the parsed arguments; what it returns is the exit code, None for 0.
      operands: what stands before the flags, for the line of usage.
      examples: command lines; ``COMMAND`` in them stands for the command.
      less_memory: what to do where memory does not suffice, after a colon; empty where nothing can be done.
    """

    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    module: str
    function: str
    operands: str = ""
    examples: tuple[str, ...] = ()
    less_memory: str = ""


def run(name: str, given: Sequence[str]) -> None:
    """Run a command with its arguments; exit with its code if it failed.

    Raises:
      Mistake: the arguments are wrong.
    """
    command, parser = TOOLS[name], make_parser(name)
    args = argparse.Namespace(command=name, **parser.parse(given))
    flags = flag_names(parser)
    code = None
    try:
        with errors.ending_quietly():
            module = importlib.import_module(f"jaxgan.cli.{command.module}")
            code = getattr(module, command.function)(args)
    except MemoryError as error:
        errors.print_error(str(error), flags, f"; there is not enough memory{command.less_memory}")
        code = 1
    except (ValueError, OSError) as error:
        errors.print_error(str(error), flags)
        code = 2 if isinstance(error, ValueError) else 1
    if code:
        sys.exit(code)


def make_parser(name: str) -> FlagParser:
    """The parser of a command without an experiment."""
    command = TOOLS[name]
    parser = FlagParser(f"{CONSOLE} {name}", command.about, command.examples, command.operands)
    command.add_arguments(parser)
    return parser


def flag_names(parser: argparse.ArgumentParser) -> dict[str, str]:
    """What messages of a command name, by the argument: its flag, or the operand as help shows it."""
    return {
        action.dest: errors.flag(action.dest) if action.option_strings else str(action.metavar)
        for action in parser._actions
        if action.dest != "help"
    }


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without arguments."""


def _add_flags_of_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="show the whole header of this one")


def _add_flags_of_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the experiment; its program is NAME.py")
    parser.add_argument("--like", default="dcgan", metavar="EXPERIMENT", help="the experiment that is copied [dcgan]")


def _add_flags_of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run's directory; two or more")
    parser.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page [%(default)s]")


def _add_flags_of_sets(parser: argparse.ArgumentParser) -> None:
    images = "a folder or zip of images, or an .npz: images, [N, height, width, C], uint8, or floats in [-1, 1]"
    parser.add_argument("samples", metavar="A", help=f"samples: {images}")
    parser.add_argument("data", metavar="B", help="what they are compared with, likewise")
    parser.add_argument(
        "--features",
        choices=EXTRACTORS,
        help="what is compared: Inception's features of this dimension [inception-2048], or those of a small "
        "classifier that is trained on B's labels and needs no weights",
    )
    parser.add_argument("--weights", metavar="FILE", help="of Inception, pytorch-fid's or torch-fidelity's: .pth, .npz")
    parser.add_argument(
        "--resize", choices=("tf1", "clean"), default="tf1", help="as the FID has it, or as clean-fid [%(default)s]"
    )
    parser.add_argument(
        "--resolution", "--size", type=int, metavar="INT", help="first make images of other sizes this one, square"
    )
    parser.add_argument("--count", type=int, metavar="INT", help="so many of each, evenly from first to last")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures and their protocol")


def _add_flags_of_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help="a grid, .png, or .npz [%(default)s]")
    parser.add_argument("--count", type=int, default=64, help="how many [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="sample i of a seed is always the same [%(default)s]")
    parser.add_argument("--label", type=int, help="of a conditional model, the class; all in turn if not given")


def _add_flags_of_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    parser.add_argument("images", metavar="IMAGES", type=Path, help="a file, a folder or a zip of images of any size")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the same names; of one image also a file")
    parser.add_argument("--direction", help="which way, by its name; the first if not given")
    parser.add_argument("--masks", type=Path, help="masks, white where to fill; by default what is transparent")
    parser.add_argument("--memory", type=float, default=4.0, help="gigabytes that networks may take [%(default)s]")
    parser.add_argument("--tile", type=int, help="the side of tiles, for all larger images; else as memory allows")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn for each image [%(default)s]")


def _of_sets(about: str) -> Tool:
    example = "COMMAND samples/ photos/ --weights pt_inception-2015-12-05-6726825d.pth"
    return Tool(about, _add_flags_of_sets, "fid", "compare_sets", "A B", (example,), ": lower --count")


# ``sample`` and ``translate`` are here for files of compiled functions. With a run they are commands of its experiment.
TOOLS = {
    "list": Tool("The experiments that come with jaxgan.", _add_flags_of_list, "list", "list_experiments", "[NAME]"),
    "new": Tool(
        "Write an experiment of your own: a copy of one that comes with jaxgan.",
        _add_flags_of_new,
        "new",
        "write_experiment",
        "NAME",
        ("COMMAND my_gan --like dcgan",),
    ),
    "compare": Tool(
        "Several runs on one page: curve on curve, samples beside samples.",
        _add_flags_of_runs,
        "compare",
        "compare_runs",
        "RUN RUN ...",
        ("COMMAND runs/dcgan runs/second",),
    ),
    "fid": _of_sets("The Fréchet distance of two sets of images; it is 0 for equal sets."),
    "kid": _of_sets("The kernel distance of two sets of images, which has no bias."),
    "prdc": _of_sets("Precision, recall, density and coverage of samples A, given data B."),
    "mifid": _of_sets("The Fréchet distance, made larger where samples A are copies of data B."),
    "doctor": Tool(
        "Check the installation and its speed, and say how to mend what is wrong.",
        _add_nothing,
        "doctor",
        "main",
    ),
    "sample": Tool(
        "Samples of a generator in a file that export wrote.",
        _add_flags_of_sample,
        "sample",
        "sample_artefact",
        "FILE",
        ("COMMAND digits.jaxgan --out grid.png",),
        ": lower --count",
    ),
    "translate": Tool(
        "Images made of images, by a network in a file that export wrote.",
        _add_flags_of_translate,
        "translate",
        "translate_artefact",
        "FILE IMAGES",
        ("COMMAND maps.jaxgan photos/ --out made/",),
        ": lower --memory",
    ),
}
