"""Parse and execute the commands of ``jaxgan`` that do not load an experiment, such as ``list`` and ``fid``.

This module defines only the flags of these commands. The module that implements a command is imported when the command
is executed, so that the help is printed without importing JAX.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxgan.cli import errors
from jaxgan.cli.experiment_program import CONSOLE
from jaxgan.cli.flags import FlagParser, refuse_empty

# A copy of jaxgan.evaluation.EXTRACTORS, because importing that module takes seconds. A test compares the two.
EXTRACTORS = ("classifier", "random", "inception-64", "inception-192", "inception-768", "inception-2048")


WEIGHTS = ("inception", "vgg19")  # a copy of the keys of jaxgan.core.weights.KNOWN, for the same reason


class Tool(NamedTuple):
    """A command that does not load an experiment.

    Attributes:
      about: the description of the command for ``--help``.
      add_arguments: a function that adds the command's arguments to a parser.
      module: the name of the module in ``jaxgan.cli`` that implements the command.
      function: the name of the module's function, which is called with the parsed arguments. It returns the exit code,
        or None for 0.
      operands: the names of the arguments before the flags, for the usage line.
      examples: command lines for the help. ``COMMAND`` in them is replaced by the command.
      less_memory: a sentence that says how the command can use less memory; empty if it cannot.
    """

    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    module: str
    function: str
    operands: str = ""
    examples: tuple[str, ...] = ()
    less_memory: str = ""


def run(name: str, given: Sequence[str]) -> None:
    """Execute a command with its arguments, and exit with its exit code if it fails.

    Args:
      name: the name of the command, a key of ``TOOLS``.
      given: the arguments that follow the name.

    Raises:
      Mistake: if the arguments cannot be parsed.
    """
    command, parser = TOOLS[name], make_parser(name)
    refuse_empty(given)
    args = argparse.Namespace(command=name, **parser.parse(given))
    flags = flag_names(parser)
    code = None
    try:
        with errors.ending_quietly(), errors.warnings_as_lines(flags):
            module = importlib.import_module(f"jaxgan.cli.{command.module}")
            code = getattr(module, command.function)(args)
    except (ValueError, OSError, OverflowError, MemoryError) as error:
        errors.print_error(errors.describe(error), flags, errors.find_fix(error, name, command.less_memory))
        code = 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    if code:
        sys.exit(code)


def make_parser(name: str) -> FlagParser:
    """Return the parser of a command.

    Args:
      name: the name of the command, a key of ``TOOLS``.
    """
    command = TOOLS[name]
    parser = FlagParser(f"{CONSOLE} {name}", command.about, command.examples, command.operands)
    command.add_arguments(parser)
    return parser


def flag_names(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return a dictionary from arguments to the flags, or the names of operands in the help, that messages show.

    Args:
      parser: the parser of the command.
    """
    return {
        action.dest: errors.flag(action.dest) if action.option_strings else str(action.metavar)
        for action in parser._actions
        if action.dest != "help"
    }


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """Add no arguments, for commands that have none."""


def _add_flags_of_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiment",
        nargs="?",
        metavar="EXPERIMENT",
        help="Name of an experiment to describe completely. By default, all experiments are listed.",
    )


def _add_flags_of_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="Name of the new experiment, which is written to NAME.py in the current directory."
    )
    parser.add_argument("--like", default="dcgan", metavar="EXPERIMENT", help="Experiment to copy. (default: dcgan)")


def _add_flags_of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="Directories of two or more runs.")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        default=Path("comparison.html"),
        help="HTML file to write. (default: %(default)s)",
    )


def _add_flags_of_sets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "samples",
        metavar="A",
        help="Generated samples: a folder or a zip file of images, or an .npz file with an array named images, which "
        "has the shape [N, height, width, C] and contains uint8 values or floats in [-1, 1].",
    )
    parser.add_argument(
        "data", metavar="B", help="Real images to compare the samples with, in any of the formats of A."
    )
    parser.add_argument(
        "--features",
        choices=EXTRACTORS,
        help="Features that the metric compares. The names with inception stand for features of the Inception network, "
        "which require its weights. classifier stands for features of a small classifier, which is trained on the "
        "labels of B and cached. random stands for features of a fixed random network, which requires neither weights "
        "nor labels and ranks samples less well. (default: inception-2048)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="File with the weights of the Inception network (.pth or .npz), from pytorch-fid or torch-fidelity. By "
        "default, the file that `jaxgan weights inception` has downloaded.",
    )
    parser.add_argument(
        "--resize",
        choices=("tf1", "clean"),
        default="tf1",
        help="Method that resizes images for the Inception network: tf1 (as in the original FID) or clean (as in "
        "clean-fid). (default: %(default)s)",
    )
    parser.add_argument(
        "--resolution",
        "--size",
        type=int,
        metavar="INT",
        help="Height and width in pixels. All images are cropped to squares and resized to this size before the "
        "comparison. By default, Inception's method of --resize is the only one, which does not crop, and images can "
        "have different sizes.",
    )
    parser.add_argument(
        "--count",
        type=int,
        metavar="INT",
        help="Number of images to use from each set. They are chosen at equal intervals. By default, all images are "
        "used.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="JSON file to which the results and the settings of the measurement are written. By default, no file is "
        "written.",
    )


def _add_flags_of_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        choices=WEIGHTS,
        help="File to download: inception or vgg19. By default, the files are listed and nothing is downloaded.",
    )


def _add_flags_of_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="File (.jaxgan), written by `jaxgan export`.")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="File to write: a grid of samples (.png or .jpg), arrays with the samples and their labels (.npz), or "
        "another format of the data, such as .csv or .txt. By default, the file samples with the first format of the "
        "data, such as samples.png.",
    )
    parser.add_argument(
        "--count", type=int, metavar="INT", default=64, help="Number of samples. (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="INT",
        default=0,
        help="Seed of the samples. The i-th sample of a seed is the same for any number of samples. (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--label",
        metavar="TEXT",
        help="For a conditional model: class to generate, by its name or by its index, which starts at 0. If a name "
        "consists of digits, the name takes precedence. By default, sample i has the class i modulo the number of "
        "classes.",
    )


def _add_flags_of_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="FILE", type=Path, help="File (.jaxgan), written by `jaxgan export`.")
    parser.add_argument(
        "images",
        metavar="IMAGES",
        type=Path,
        help="Images to translate: a file, a folder or a zip file. Images can have any size. Animations are translated "
        "frame by frame.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        required=True,
        help="Folder for the results. Each result has the name of its image. For a single image, this can also be a "
        "file. Required.",
    )
    parser.add_argument(
        "--direction",
        metavar="TEXT",
        help="Name of the direction of the translation. By default, the first direction of the exported model.",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="PATH",
        help="Masks for a model that fills missing parts of images: a file, or a folder or zip file in which each mask "
        "has the name of its image. The white pixels of a mask are filled. By default, the transparent pixels of the "
        "image are filled.",
    )
    parser.add_argument(
        "--memory",
        type=float,
        metavar="FLOAT",
        default=4.0,
        help="Memory that the networks may use, in gigabytes. An image that requires more memory is translated in "
        "overlapping tiles. (default: %(default)g)",
    )
    parser.add_argument(
        "--tile",
        type=int,
        metavar="INT",
        help="Height and width of the tiles, in pixels. Larger images are divided into tiles of this size. By default, "
        "only images that require more memory than --memory are divided, and the tiles are as large as --memory "
        "allows.",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="INT",
        default=0,
        help="Seed of the random inputs of the networks. (default: %(default)s)",
    )


def _of_sets(about: str) -> Tool:
    example = "COMMAND samples/ photos/ --weights pt_inception-2015-12-05-6726825d.pth"
    return Tool(about, _add_flags_of_sets, "fid", "compare_sets", "A B", (example,), "Lower --count.")


# The entries ``sample`` and ``translate`` handle files that ``jaxgan export`` wrote. For runs, ``sample`` and
# ``translate`` are commands of the experiment, see ``jaxgan.cli.commands``.
TOOLS = {
    "list": Tool(
        "List the experiments that are part of jaxgan, with their results and presets.",
        _add_flags_of_list,
        "list",
        "list_experiments",
        "[EXPERIMENT]",
        ("COMMAND", "COMMAND dcgan"),
    ),
    "new": Tool(
        "Create a custom experiment as a copy of an experiment of jaxgan.",
        _add_flags_of_new,
        "new",
        "write_experiment",
        "NAME",
        ("COMMAND my_gan --like dcgan",),
    ),
    "compare": Tool(
        "Write an HTML page that shows the metrics and samples of several runs side by side.",
        _add_flags_of_runs,
        "compare",
        "compare_runs",
        "RUN RUN ...",
        ("COMMAND runs/dcgan runs/second",),
    ),
    "fid": _of_sets("Compute the Frechet Inception distance (FID) between two sets of images."),
    "kid": _of_sets("Compute the kernel Inception distance (KID) between two sets of images."),
    "prdc": _of_sets("Compute precision, recall, density and coverage of generated samples."),
    "mifid": _of_sets("Compute the memorization-informed FID, which penalises copies of real images."),
    "weights": Tool(
        "List the files of weights that metrics and losses can use, or download one of them.",
        _add_flags_of_weights,
        "weights",
        "show_or_fetch",
        "[NAME]",
        ("COMMAND", "COMMAND inception"),
    ),
    "doctor": Tool(
        "Check the installation and its speed, and print how to fix problems.",
        _add_nothing,
        "doctor",
        "main",
    ),
    "sample": Tool(
        "Generate samples with a generator that `jaxgan export` wrote to a file.",
        _add_flags_of_sample,
        "sample",
        "sample_artefact",
        "FILE",
        ("COMMAND digits.jaxgan --out grid.png",),
        "Lower --count.",
    ),
    "translate": Tool(
        "Translate images with a model that `jaxgan export` wrote to a file.",
        _add_flags_of_translate,
        "translate",
        "translate_artefact",
        "FILE IMAGES",
        ("COMMAND maps.jaxgan photos/ --out translated/",),
        "Lower --memory.",
    ),
}
