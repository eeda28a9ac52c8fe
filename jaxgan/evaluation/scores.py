"""How far two sets of images are apart, with all that a figure depends on: its protocol.

Of a file of weights::

    features = InceptionFeatures("weights.pth")
    result = compare(load("samples.npz"), load("photos/"), ("fid", "kid"), features)
    result["fid"], result["protocol"]
"""

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.data import Source
from jaxgan.data.source import Part, in_batches, in_memory
from jaxgan.evaluation import classifier
from jaxgan.evaluation.classifier import READ
from jaxgan.evaluation.features import LAYERS, Features, InceptionFeatures, as_bytes
from jaxgan.metrics import (
    authenticity,
    count_modes,
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    memorisation_informed_distance,
    merge,
    moments,
    ms_ssim_diversity,
    precision_recall,
)
from jaxgan.metrics.checks import warn
from jaxgan.version import __version__

KID_SUBSET = 1000
NEIGHBOURS = 5
PAIRS = 1000
Progress = Callable[[str, int, int], None]  # of what, how many images are seen, and of how many
COPIED = 0.1  # the mean least cosine distance below which the MIFID punishes; set for Inception's 2,048
NAMES = ("classifier", *(f"inception-{layer}" for layer in LAYERS))


class SampleStats(NamedTuple):
    """A set of images as metrics take it; what no metric asked for is None.

    Attributes:
      source: the images themselves, as many as are looked at.
      moments: of the features.
      features: [N, D].
      logits: [N, classes].
      images: [N, height, width, C], uint8.
    """

    source: Source
    moments: Any = None
    features: Any = None
    logits: Any = None
    images: Any = None


@dataclasses.dataclass(frozen=True)
class Metric:
    """A comparison of samples with data.

    Attributes:
      measure: ``(samples, data) -> {name: value}``, of what is ``SampleStats`` of each.
      looks_at: the parts of ``SampleStats`` that it needs. Moments take as much memory whatever the number of images.
      least: how many examples of each it needs.
      protocol: what it depends on besides the features, given how many there are of each.
      figure: of its values the one that checkpoints are ranked by; its own name if empty.
      higher: of that one is better.
    """

    measure: Callable[[SampleStats, SampleStats], dict[str, float]]
    looks_at: tuple[str, ...] = ("features",)
    least: int = 2
    protocol: Callable[[int, int], dict[str, Any]] = lambda samples, data: {}
    figure: str = ""
    higher: bool = False


def _kid(samples, data):
    x, y = samples.features, data.features
    size = _subset(len(x), len(y))
    if size < KID_SUBSET:
        warn(f"kid: one of the sets has {size:,} images, so subsets are of {size:,}, not of the usual {KID_SUBSET:,}")
    if size == len(x) == len(y):
        warn("kid: each subset is all there is, so the deviation says nothing")
    found = kernel_distance(x, y, size=size)
    return {"kid": found.mean, "kid_deviation": found.deviation}


def _subset(samples, data):
    return min(KID_SUBSET, samples, data)


def _prdc(samples, data):
    both = data.features, samples.features
    values = {
        **precision_recall(*both, k=NEIGHBOURS)._asdict(),
        **density_coverage(*both, k=NEIGHBOURS)._asdict(),
    }
    return {name: values[name] for name in ("precision", "recall", "density", "coverage")}


def _inception_score(samples, data):
    score = inception_score(samples.logits)
    return {"is": score.mean, "is_deviation": score.deviation}


def _modes(samples, data):
    found = count_modes(samples.logits.argmax(1), samples.logits.shape[1])
    return {"modes": found.covered, "modes_kl": found.divergence}


def _diversity(samples, data):
    return {
        name: ms_ssim_diversity(seen.images, pairs=PAIRS, low=0, high=255)
        for name, seen in (("ms_ssim", samples), ("ms_ssim_of_data", data))
    }


def _classification_accuracy(samples, data):
    """Ravuri and Vinyals 2019, 1905.10887: of reals, by a classifier that has seen samples alone."""
    for name, seen in (("samples", samples), ("data", data)):
        if not seen.source.classes:
            raise ValueError(f"cas: the {name}, {seen.source.name}, have no labels, which it compares")
    taught = classifier.fit(in_memory(samples.source), len(data.source.classes))
    judge = classifier.Classifier(taught, len(data.source.classes), data.source.shape)
    return {"cas": judge.accuracy(data.source)}


METRICS = {
    "fid": Metric(lambda x, y: {"fid": frechet_distance(x.moments, y.moments)}, ("moments",)),
    "kid": Metric(_kid, protocol=lambda *counts: {"subsets": 100, "subset": _subset(*counts), "seed": 2020}),
    "mifid": Metric(
        lambda x, y: {"mifid": memorisation_informed_distance(x.features, y.features, threshold=COPIED)},
        protocol=lambda *_: {"threshold": COPIED},
    ),
    "prdc": Metric(
        _prdc, least=NEIGHBOURS + 1, protocol=lambda *_: {"neighbours": NEIGHBOURS}, figure="precision", higher=True
    ),
    "authenticity": Metric(lambda x, y: {"authenticity": authenticity(y.features, x.features)}, higher=True),
    "is": Metric(
        _inception_score, ("logits",), least=10, protocol=lambda *_: {"splits": 10, "seed": 2020}, higher=True
    ),
    "modes": Metric(_modes, ("logits",), higher=True),
    "ms_ssim": Metric(_diversity, ("images",), protocol=lambda *_: {"pairs": PAIRS, "seed": 0}),
    "cas": Metric(_classification_accuracy, (), higher=True),
}


def extractor(
    features: str | None, weights: str | Path | None, resize: str, data: Source, cache: Path | None
) -> Features:
    """Features by the name that a user types.

    Args:
      features: of ``NAMES``; not given, Inception's 2,048 where there are weights, else the classifier's.
      weights: Inception's file.
      resize: to Inception's size, ``tf1`` or ``clean``.
      data: what the classifier is trained on.
      cache: a directory where it is kept.

    Raises:
      ValueError: the name is not known, or does not go with the weights given; or what its making raises.
    """
    features = features or ("classifier" if weights is None else "inception-2048")
    if features not in NAMES:
        raise ValueError(f"--features {features}: want one of {', '.join(NAMES)}")
    if features == "classifier":
        if weights is not None:
            raise ValueError("--weights are Inception's; the classifier is trained on the data, leave them out")
        return classifier.trained(data, cache=cache)
    if weights is None:
        raise ValueError(f"--features {features} needs --weights, Inception's file; --features classifier needs none")
    return InceptionFeatures(weights, int(features.rpartition("-")[2]), resize=resize)  # pyright: ignore


def look(
    source: Source,
    names: Sequence[str],
    features: Features | None,
    count: int | None = None,
    progress: Progress | None = None,
) -> SampleStats:
    """What the metrics ``names`` look at of a source, read in batches: of the data once for several comparisons.

    Args:
      source: images.
      names: of ``METRICS``.
      features: what is looked at; None where metrics look at pixels alone.
      count: so many alone, evenly from first to last; of a smaller source all.
      progress: is told of each batch.

    Raises:
      ValueError: a metric is not known, or the count is too small.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f"metrics {', '.join(unknown)}: want some of {', '.join(METRICS)}")
    if count is not None and count < 2:
        raise ValueError(f"count {count}: at least 2")
    if count is not None and count < len(source):
        source = Part(source, np.arange(count) * len(source) // count)  # files lie class by class
    parts = {part for name in names for part in METRICS[name].looks_at}
    return SampleStats(source, **_parts(source, parts, features, progress))


def compare(
    samples: Source,
    data: Source | SampleStats,
    names: Sequence[str],
    features: Features | None,
    *,
    count: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The metrics ``names`` of samples against data, both read in batches, and under ``"protocol"`` how.

    Args:
      samples: images.
      data: images; or what ``look`` saw of them.
      names: of ``METRICS``.
      features: what is looked at.
      count: so many of each alone, evenly from first to last; of a smaller set all.
      progress: is told of each batch.

    Raises:
      ValueError: a metric is not known, or what was given cannot be measured; it says why.
    """
    reals = data if isinstance(data, SampleStats) else None
    given = data.source if isinstance(data, SampleStats) else data
    counts = [len(source) if count is None else min(count, len(source)) for source in (samples, given)]
    least = max((METRICS[name].least for name in names if name in METRICS), default=0)
    if min(counts) < least and (count is None or count >= 2):
        raise ValueError(f"{counts[0]:,} samples and {counts[1]:,} data: {', '.join(names)} needs {least} of each")
    fakes = look(samples, names, features, count, progress)
    reals = reals or look(given, names, features, count, progress)
    values = {key: value for name in names for key, value in METRICS[name].measure(fakes, reals).items()}
    protocol = {
        "samples": {"name": samples.name, "count": counts[0], "shape": list(samples.shape)},
        "data": {"name": given.name, "count": counts[1], "shape": list(given.shape)},
        **(features.protocol if features else {}),
        "jax": f"{jax.__version__} on {jax.default_backend()}",
        **{name: how for name in names if (how := METRICS[name].protocol(*counts))},
        "jaxgan": __version__,
    }
    return {**values, "protocol": protocol}


def _parts(source: Source, parts: set[str], features: Features | None, progress: Progress | None) -> dict[str, Any]:
    """Of ``SampleStats`` those parts, of images that are read once; of moments alone without keeping the features."""
    kept: dict[str, list] = {part: [] for part in parts}
    if features is None and parts - {"images"}:
        raise ValueError(f"these metrics look at {', '.join(sorted(parts - {'images'}))}, and no features are given")

    def batches() -> Iterator[np.ndarray]:
        seen = 0
        for batch in in_batches(source, READ) if parts else ():
            images = np.asarray(batch["image"])
            if "images" in parts:
                kept["images"].append(as_bytes(images))
            if "logits" in parts and features:
                kept["logits"].append(features.logits(images))
            if ("features" in parts or "moments" in parts) and features:
                yield features(images)
            seen += len(images)
            if progress:
                progress(source.name, seen, len(source))

    found: dict[str, Any] = {}
    if "features" in parts:
        kept["features"] = list(batches())
    elif "moments" in parts:
        found["moments"] = merge(map(moments, batches()))
    else:
        list(batches())
    found |= {part: np.concatenate(arrays) for part, arrays in kept.items() if arrays}
    if "moments" in parts and "features" in parts:
        found["moments"] = moments(found["features"])
    return found


@contextlib.contextmanager
def told_warnings() -> Iterator[None]:
    """Within, a warning is a line on standard error, for people who did not write the code that it came from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        yield


def table(result: dict[str, Any]) -> list[str]:
    """Lines for people: each figure, then of what, and by what."""
    protocol = result["protocol"]
    sets = [f"{protocol[name]['count']:,} of {protocol[name]['name']}" for name in ("samples", "data")]
    keys = ("layer", "trained_on", "accuracy", "weights", "resize")
    how = [f"{key.replace('_', ' ')} {_short(protocol[key])}" for key in keys if key in protocol]
    figures = [f"{name} {value:.6g}" for name, value in result.items() if name != "protocol"]
    by = [", ".join([str(protocol["features"]), *how])] if "features" in protocol else []
    return [*figures, "  " + " against ".join(sets), *("  " + line for line in by)]


def _short(value: Any) -> str:
    """Of a digest what people compare."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value[:8] if isinstance(value, str) and len(value) == 64 else str(value)
