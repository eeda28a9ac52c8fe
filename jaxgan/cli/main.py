"""The program ``jaxgan``, which needs no experiment: two sets compared, exported files, runs on a page, the machine.

Only the flags are here; a command's module is imported when the command is run.
"""

import argparse
import sys
from pathlib import Path

from jaxgan.cli import errors

# As in jaxgan.evaluation, whose import takes seconds.
EXTRACTORS = ("classifier", "inception-64", "inception-192", "inception-768", "inception-2048")
SETS = {
    "fid": "the Fréchet distance of two sets of images: 0 of equals",
    "mifid": "the Fréchet distance, the larger the more of data B is copied in samples A",
    "kid": "the kernel distance of two sets of images, which has no bias",
    "prdc": "precision, recall, density and coverage of samples A, given data B",
}
POSITIONALS = {"command", "samples", "data", "runs", "artefact", "images"}


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the command line names; exit with its code if it failed."""
    args = make_parser().parse_args(arguments)
    if args.command == "doctor":
        from jaxgan.cli import doctor

        sys.exit(doctor.main())
    names = set(vars(args)) - POSITIONALS
    try:
        _run(args)
    except MemoryError as error:
        mend = {"compare": "", "translate": ": lower --memory"}.get(args.command, ": lower --count")
        errors.print_error(str(error), names, f"; there is not enough memory{mend}")
        sys.exit(1)
    except (ValueError, OSError) as error:
        errors.print_error(str(error), names)
        sys.exit(2)


def _run(args: argparse.Namespace) -> None:
    if args.command == "compare":
        from jaxgan.cli.compare import compare_runs

        compare_runs(args)
    elif args.command == "sample":
        from jaxgan.cli.sample import sample_artefact

        sample_artefact(args)
    elif args.command == "translate":
        from jaxgan.cli.translate import translate_artefact

        translate_artefact(args)
    else:
        from jaxgan.cli.fid import compare_sets

        compare_sets(args)


def make_parser() -> argparse.ArgumentParser:
    """The commands of ``jaxgan`` and their flags."""
    parser = argparse.ArgumentParser("jaxgan", description="Generative adversarial networks as pure functions.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_command(commands, "doctor", "what is here, how fast it is, and what looks wrong, with the mend")
    for name, about in SETS.items():
        _add_flags_of_sets(_add_command(commands, name, about))
    compare = _add_command(commands, "compare", "several runs on one page: curve on curve, samples beside samples")
    compare.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run's directory; two or more")
    compare.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page (%(default)s)")
    about = "samples of a generator that an experiment's command export wrote"
    _add_flags_of_sample(_add_command(commands, "sample", about))
    about = "images made of images by what an experiment's command export wrote"
    _add_flags_of_translate(_add_command(commands, "translate", about))
    return parser


def _add_command(commands, name: str, about: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=about)


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
