"""The console command: ``jaxgan fid A B``, ``jaxgan doctor``; or ``python -m jaxgan``."""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

LAYERS = (64, 192, 768, 2048)
TOLD = {
    "fid": "the Fréchet distance of two sets of images: 0 of equals",
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
    asked = parser.parse_args(arguments)
    if asked.verb == "doctor":
        from jaxgan import doctor

        sys.exit(doctor.main())
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        try:
            _compare(asked)
        except (ValueError, OSError, MemoryError) as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    images = "a folder or zip of images, or an .npz: images, [N, height, width, C], uint8, or floats in [-1, 1]"
    parser.add_argument("samples", metavar="A", help=f"samples: {images}")
    parser.add_argument("data", metavar="B", help="what they are compared with, likewise")
    parser.add_argument(
        "--features",
        choices=[f"inception-{layer}" for layer in LAYERS],
        default="inception-2048",
        help="Inception's of this many dimensions (%(default)s, which published figures have)",
    )
    parser.add_argument(
        "--weights", required=True, help="Inception's, of pytorch-fid or torch-fidelity: a .pth or .npz"
    )
    parser.add_argument(
        "--resize", choices=("tf1", "clean"), default="tf1", help="as the FID has it, or as clean-fid (%(default)s)"
    )
    parser.add_argument("--size", type=int, help="first make images of other sizes this one, square")
    parser.add_argument("--count", type=int, help="of each the first so many")
    parser.add_argument("--out", type=Path, help="write the figures and their protocol to this JSON file too")


def _compare(asked: argparse.Namespace) -> None:
    from jaxgan.data import load
    from jaxgan.evaluation import compare
    from jaxgan.metrics.features import InceptionFeatures

    samples, data = (load(path, size=asked.size) for path in (asked.samples, asked.data))
    features = InceptionFeatures(asked.weights, int(asked.features.rpartition("-")[2]), resize=asked.resize)
    result = compare(samples, data, (asked.verb,), features, count=asked.count)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=2) + "\n")
    for name, value in result.items():
        if name != "protocol":
            print(f"{name} {value:.6g}")
    for line in _told(result["protocol"]):
        print(f"  {line}")


def _told(protocol: dict[str, Any]) -> list[str]:
    sets = [f"{protocol[name]['count']:,} of {protocol[name]['name']}" for name in ("samples", "data")]
    weights = protocol["weights"][:8]
    return [
        " against ".join(sets),
        f"{protocol['features']}, layer {protocol['layer']}, weights {weights}, resize {protocol['resize']}",
    ]


if __name__ == "__main__":
    main()
