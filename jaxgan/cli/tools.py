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

# A copy of jaxgan.evaluation.EXTRACTORS, because importing that takes seconds; a test compares them.
EXTRACTORS = ("classifier", "inception-64", "inception-192", "inception-768", "inception-2048")


class Tool(NamedTuple):
    """A command that needs no experiment.

    Attributes:
      about: what it does, for ``--help``.
      add_arguments: adds its arguments to a parser.
      module: the module of ``jaxgan.cli`` that is imported when the command is run.
      function: the module's function of the parsed arguments. It returns the exit code, or None for 0.
      operands: the names of the arguments before the flags, for the line of usage.
      examples: command lines; ``COMMAND`` in them stands for the command.
      less_memory: the end of the message about a lack of memory, which says how to use less; empty if nothing helps.
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
    """For each argument of a command its flag, or the operand as help shows it: messages name these."""
    return {
        action.dest: errors.flag(action.dest) if action.option_strings else str(action.metavar)
        for action in parser._actions
        if action.dest != "help"
    }


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without arguments."""


def _add_flags_of_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="the experiment to describe in full")


def _add_flags_of_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name of the new experiment, which is written to NAME.py")
    parser.add_argument("--like", default="dcgan", metavar="EXPERIMENT", help="the experiment to copy [dcgan]")


def _add_flags_of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="the directories of two runs or more")
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), help="the HTML file to write [%(default)s]"
    )


def _add_flags_of_sets(parser: argparse.ArgumentParser) -> None:
    images = "a folder or zip of images, or an .npz: images, [N, height, width, C], uint8, or floats in [-1, 1]"
    parser.add_argument("samples", metavar="A", help=f"the samples: {images}")
    parser.add_argument(
        "data", metavar="B", help="the data that the samples are compared with, in one of the same forms"
    )
    parser.add_argument(
        "--features",
        choices=EXTRACTORS,
        help="the features that are compared: Inception's of this dimension [inception-2048], or those of a small "
        "classifier that is trained on B's labels and needs no weights",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="Inception's weights of pytorch-fid or torch-fidelity, .pth or .npz"
    )
    parser.add_argument(
        "--resize",
        choices=("tf1", "clean"),
        default="tf1",
        help="how images are resized for Inception: as for the published FID, or as in clean-fid [%(default)s]",
    )
    parser.add_argument(
        "--resolution", "--size", type=int, metavar="INT", help="resize all images to this height and width first"
    )
    parser.add_argument(
        "--count", type=int, metavar="INT", help="the number of images of each set to use, spread evenly over it"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the figures and their protocol to this JSON file"
    )


def _add_flags_of_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="a file that export has written")
    parser.add_argument(
        "--out", type=Path, default=Path("samples.png"), help="the grid, .png, or the raw samples, .npz [%(default)s]"
    )
    parser.add_argument("--count", type=int, default=64, help="the number of samples [%(default)s]")
    parser.add_argument(
        "--seed", type=int, default=0, help="the seed; sample i of a seed is always the same [%(default)s]"
    )
    parser.add_argument("--label", type=int, help="the class of a conditional model; by default all classes in turn")


def _add_flags_of_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="a file that export has written")
    parser.add_argument("images", metavar="IMAGES", type=Path, help="a file, a folder or a zip of images of any size")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="the folder to write to, under the same names; for one image also a file",
    )
    parser.add_argument("--direction", help="the direction's name; by default the first")
    parser.add_argument(
        "--masks", type=Path, help="masks, white where to fill; by default transparent pixels are filled"
    )
    parser.add_argument(
        "--memory", type=float, default=4.0, help="the memory that networks may take, in gigabytes [%(default)s]"
    )
    parser.add_argument(
        "--tile", type=int, help="the side of tiles for larger images; by default as large as --memory allows"
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of the noise of each image [%(default)s]")


def _of_sets(about: str) -> Tool:
    example = "COMMAND samples/ photos/ --weights pt_inception-2015-12-05-6726825d.pth"
    return Tool(about, _add_flags_of_sets, "fid", "compare_sets", "A B", (example,), ": lower --count")


# ``sample`` and ``translate`` are here for files of compiled functions. With a run they are commands of its experiment.
TOOLS = {
    "list": Tool(
        "List the experiments that come with jaxgan, with their results and presets.",
        _add_flags_of_list,
        "list",
        "list_experiments",
        "[NAME]",
    ),
    "new": Tool(
        "Write an experiment of your own: a copy of one that comes with jaxgan.",
        _add_flags_of_new,
        "new",
        "write_experiment",
        "NAME",
        ("COMMAND my_gan --like dcgan",),
    ),
    "compare": Tool(
        "Compare runs on one page: their curves in one chart, their samples side by side.",
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
        "Check the installation and its speed, and say how to mend problems.",
        _add_nothing,
        "doctor",
        "main",
    ),
    "sample": Tool(
        "Draw samples from a generator in a file that export has written.",
        _add_flags_of_sample,
        "sample",
        "sample_artefact",
        "FILE",
        ("COMMAND digits.jaxgan --out grid.png",),
        ": lower --count",
    ),
    "translate": Tool(
        "Translate images with a network in a file that export has written.",
        _add_flags_of_translate,
        "translate",
        "translate_artefact",
        "FILE IMAGES",
        ("COMMAND maps.jaxgan photos/ --out made/",),
        ": lower --memory",
    ),
}
