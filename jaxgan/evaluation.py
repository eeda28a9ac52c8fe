"""How far two sets of images are apart, with all that a figure depends on: its protocol.

features = InceptionFeatures("weights.pth")
result = compare(load("samples.npz"), load("photos/"), ("fid", "kid"), features)
result["fid"], result["protocol"]
"""

import contextlib
import dataclasses
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.data import Source
from jaxgan.metrics import density_coverage, frechet_distance, kernel_distance, merge, moments, precision_recall
from jaxgan.metrics.checks import warn
from jaxgan.metrics.features import Features
from jaxgan.version import __version__

READ = 256  # images at a time
KID_SUBSET = 1000
NEIGHBOURS = 5


@dataclasses.dataclass(frozen=True)
class Metric:
    """A comparison of samples' features with the data's.

    Attributes:
      measure: ``(samples, data) -> {name: value}``, of moments, or of features [N, D].
      least: how many examples of each it needs.
      of_moments: whether moments are enough, which take as much memory whatever the number of images.
      protocol: what it depends on besides the features.
    """

    measure: Callable[[Any, Any], dict[str, float]]
    least: int = 2
    of_moments: bool = False
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)


def _kid(x, y):
    size = min(KID_SUBSET, len(x), len(y))
    if size < KID_SUBSET:
        warn(f"kid: one of the sets has {size:,} images, so subsets are of {size:,}, not of the usual {KID_SUBSET:,}")
    if size == len(x) == len(y):
        warn("kid: each subset is all there is, so the deviation says nothing")
    found = kernel_distance(x, y, size=size)
    return {"kid": found.mean, "kid_deviation": found.deviation}


def _prdc(samples, data):
    values = {
        **precision_recall(data, samples, k=NEIGHBOURS)._asdict(),
        **density_coverage(data, samples, k=NEIGHBOURS)._asdict(),
    }
    return {name: values[name] for name in ("precision", "recall", "density", "coverage")}


METRICS = {
    "fid": Metric(lambda x, y: {"fid": frechet_distance(x, y)}, of_moments=True),
    "kid": Metric(_kid, protocol={"subsets": 100, "seed": 2020}),
    "prdc": Metric(_prdc, least=NEIGHBOURS + 1, protocol={"neighbours": NEIGHBOURS}),
}


def compare(
    samples: Source, data: Source, names: Sequence[str], features: Features, *, count: int | None = None
) -> dict[str, Any]:
    """The metrics ``names`` of samples against data, both read in batches, and under ``"protocol"`` how.

    Args:
      samples, data: images.
      names: of ``METRICS``.
      features: what is looked at.
      count: so many of each alone, evenly from first to last; of a smaller set all.

    Raises:
      ValueError: a metric is not known, or what was given cannot be measured; it says why.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(f"metrics {', '.join(unknown) or 'none'}: want some of {', '.join(METRICS)}")
    if count is not None and count < 2:
        raise ValueError(f"count {count}: at least 2")
    counts = [len(source) if count is None else min(count, len(source)) for source in (samples, data)]
    least = max(METRICS[name].least for name in names)
    if min(counts) < least:
        raise ValueError(f"{counts[0]:,} samples and {counts[1]:,} data: {', '.join(names)} needs {least} of each")
    whole = not all(METRICS[name].of_moments for name in names)
    found = []
    for source, number in zip((samples, data), counts):
        parts = (features(images) for images in _images(source, number))
        found.append(np.concatenate(list(parts)) if whole else merge(map(moments, parts)))
    values = {key: value for name in names for key, value in METRICS[name].measure(*found).items()}
    protocol = {
        "samples": {"name": samples.name, "count": counts[0], "shape": list(samples.shape)},
        "data": {"name": data.name, "count": counts[1], "shape": list(data.shape)},
        **features.protocol,
        "jax": f"{jax.__version__} on {jax.default_backend()}",
        **{name: METRICS[name].protocol for name in names if METRICS[name].protocol},
        **({"kid_subset": min(KID_SUBSET, *counts)} if "kid" in names else {}),
        "jaxgan": __version__,
    }
    return {**values, "protocol": protocol}


@contextlib.contextmanager
def told_warnings() -> Iterator[None]:
    """Within, a warning is a line on standard error, for people who did not write the code that it came from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        yield


def write(result: dict[str, Any], path: Path) -> None:
    """The figures and their protocol as JSON, in folders that are made if need be.

    Raises:
      OSError: it cannot be written; the message says where.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise OSError(f"--out {path} cannot be written: {error.strerror or error}") from error


def table(result: dict[str, Any]) -> list[str]:
    """Lines for people: each figure, then of what, and by what."""
    protocol = result["protocol"]
    sets = [f"{protocol[name]['count']:,} of {protocol[name]['name']}" for name in ("samples", "data")]
    how = [f"{key} {str(protocol[key])[:8]}" for key in ("layer", "weights", "resize") if key in protocol]
    figures = [f"{name} {value:.6g}" for name, value in result.items() if name != "protocol"]
    return [
        *figures,
        "  " + " against ".join(sets),
        "  " + ", ".join([str(protocol.get("features", "features")), *how]),
    ]


def _images(source: Source, count: int) -> Iterator[np.ndarray]:
    # Evenly from first to last: files lie class by class.
    chosen = np.arange(count) * len(source) // count
    for start in range(0, count, READ):
        yield np.asarray(source.read(chosen[start : start + READ])["image"])
