"""The console command: ``jaxgan fid A B``, ``jaxgan compare RUN RUN``, ``jaxgan doctor``; or ``python -m jaxgan``."""

import argparse
import sys
from pathlib import Path

from jaxgan.cli.errors import as_flags

NAMES = ("classifier", "inception-64", "inception-192", "inception-768", "inception-2048")  # as evaluation.EXTRACTORS
TOLD = {
    "fid": "the Fréchet distance of two sets of images: 0 of equals",
    "mifid": "the Fréchet distance, the larger the more of data B is copied in samples A",
    "kid": "the kernel distance of two sets of images, which has no bias",
    "prdc": "precision, recall, density and coverage of samples A, given data B",
}


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser("jaxgan", description="Generative adversarial networks as pure functions.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    about = "what is here, how fast it is, and what looks wrong, with the mend"
    verbs.add_parser("doctor", help=about, description=about)
    for verb, told in TOLD.items():
        _add_comparison(verbs.add_parser(verb, help=told, description=told))
    about = "several runs on one page: curve on curve, samples beside samples"
    comparison = verbs.add_parser("compare", help=about, description=about)
    comparison.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run's directory; two or more")
    comparison.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page (%(default)s)")
    about = "samples of a generator that an experiment's verb export wrote"
    drawn = verbs.add_parser("sample", help=about, description=about)
    drawn.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    drawn.add_argument("--out", type=Path, default=Path("samples.png"), help="a grid, .png, or .npz (%(default)s)")
    drawn.add_argument("--count", type=int, default=64, help="how many (%(default)s)")
    drawn.add_argument("--seed", type=int, default=0, help="sample i of a seed is always the same (%(default)s)")
    drawn.add_argument("--label", type=int, help="of a conditional model, the class; all in turn if not given")
    about = "images made of images by what an experiment's verb export wrote"
    made = verbs.add_parser("translate", help=about, description=about)
    made.add_argument("artefact", metavar="FILE", type=Path, help="what export wrote")
    made.add_argument("images", metavar="IMAGES", type=Path, help="a file, a folder or a zip of images of any size")
    made.add_argument("--out", type=Path, required=True, help="a folder, for the same names; of one image also a file")
    made.add_argument("--direction", help="which way, by its name; the first if not given")
    made.add_argument("--masks", type=Path, help="of what is missing, white; not given, what is transparent")
    made.add_argument("--memory", type=float, default=4.0, help="gigabytes that networks may take (%(default)s)")
    made.add_argument("--tile", type=int, help="the side of tiles, for all larger images; else as memory allows")
    made.add_argument("--seed", type=int, default=0, help="of what is drawn for each image (%(default)s)")
    asked = parser.parse_args(arguments)
    if asked.verb == "doctor":
        from jaxgan.cli import doctor

        sys.exit(doctor.main())
    try:
        {"compare": _pages, "sample": _sample, "translate": _translate}.get(asked.verb, _compare)(asked)
    except MemoryError as error:
        mend = {"compare": "", "translate": ": lower --memory"}.get(asked.verb, ": lower --count")
        print(f"error: {as_flags(str(error), vars(asked))}; there is not memory enough{mend}", file=sys.stderr)
        sys.exit(1)
    except (ValueError, OSError) as error:
        print(f"error: {as_flags(str(error), vars(asked))}", file=sys.stderr)
        sys.exit(2)


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    images = "a folder or zip of images, or an .npz: images, [N, height, width, C], uint8, or floats in [-1, 1]"
    parser.add_argument("samples", metavar="A", help=f"samples: {images}")
    parser.add_argument("data", metavar="B", help="what they are compared with, likewise")
    parser.add_argument(
        "--features",
        choices=NAMES,
        help="Inception's of so many dimensions, 2048 if not given; or a small classifier's, trained on B, if B "
        "has labels, and needs no weights",
    )
    parser.add_argument("--weights", help="Inception's, of pytorch-fid or torch-fidelity: a .pth or .npz")
    parser.add_argument(
        "--resize", choices=("tf1", "clean"), default="tf1", help="as the FID has it, or as clean-fid (%(default)s)"
    )
    parser.add_argument("--resolution", type=int, help="first make images of other sizes this one, square")
    parser.add_argument("--count", type=int, help="so many of each, evenly from first to last")
    parser.add_argument("--out", type=Path, help="write the figures and their protocol to this JSON file too")


def _compare(asked: argparse.Namespace) -> None:
    from jaxgan.cli import cache
    from jaxgan.cli.errors import warnings_as_lines
    from jaxgan.data import load
    from jaxgan.evaluation import compare, format_result, make_extractor
    from jaxgan.experiment import quality
    from jaxgan.monitoring.terminal import reading

    with warnings_as_lines(vars(asked)), reading() as progress:
        samples, data = (load(path, resolution=asked.resolution) for path in (asked.samples, asked.data))
        named = asked.features or "inception-2048"
        features = make_extractor(named, asked.weights, asked.resize, data, cache.classifiers())
        result = compare(samples, data, (asked.verb,), features, count=asked.count, progress=progress)
    print("\n".join(format_result(result)))  # first: what cost hours must not be lost with a file
    if asked.out:
        quality.write_result(result, asked.out)


def _sample(asked: argparse.Namespace) -> None:
    from jaxgan import media
    from jaxgan.core.files import writing_out
    from jaxgan.core.keys import class_labels
    from jaxgan.export import stablehlo

    if asked.out.suffix.lower() not in (".png", ".npz"):
        raise ValueError(f"--out {asked.out}: its format is not known; use .png or .npz")
    if not 0 <= asked.seed < 2**32:
        raise ValueError(f"--seed {asked.seed}: from 0 to {2**32 - 1}")
    artefact = stablehlo.read_generator(asked.artefact)
    samples = artefact.sample(asked.seed, asked.count, asked.label)
    with writing_out(asked.out):
        if asked.out.suffix.lower() == ".npz":
            labels = class_labels(asked.count, artefact.classes, asked.label) if artefact.classes else None
            media.save_arrays(asked.out, samples, labels)
        elif samples.ndim not in (2, 4):
            raise ValueError(f"--out {asked.out}: samples of shape {samples.shape[1:]} are no pictures; write an .npz")
        else:
            frame = media.make_grid(samples)
            by = str(artefact.metadata.get("made_by", "an exported generator"))
            media.save_images(asked.out, frame, by, scale=max(1, 256 // frame.shape[-3]))
    print(f"{asked.out}: {asked.count:,} samples of {asked.artefact}, seed {asked.seed}")


def _translate(asked: argparse.Namespace) -> None:
    from jaxgan.editing.translate_files import translate_files
    from jaxgan.editing.translator import Translator, choose_direction
    from jaxgan.export import stablehlo

    metadata, directions = stablehlo.read_translator(asked.artefact)
    direction = choose_direction(directions, asked.direction)
    translator = Translator(direction, memory=asked.memory * 1e9, tile=asked.tile, seed=asked.seed)
    by = str(metadata.get("made_by", "an exported network"))
    translate_files(translator, asked.images, asked.out, by, masks=asked.masks, log=print)


def _pages(asked: argparse.Namespace) -> None:
    from jaxgan.reporting import comparison

    print(f"comparison: {comparison.write(asked.runs, asked.out)}")
