"""Two sets of images compared by several metrics, with all that a figure depends on: its protocol.

With a file of Inception's weights::

    features = InceptionFeatures("weights.pth")
    result = compare(load("samples.npz"), load("photos/"), ("fid", "kid"), features)
    result["fid"], result["protocol"]

How a figure is called depends on the features, see ``jaxgan.evaluation.metric_names``: with those of the small
classifier the same metrics give ``fd_classifier`` and ``kd_classifier``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.data import Source
from jaxgan.data.source import Subset, read_in_batches, read_into_memory
from jaxgan.evaluation import classifier
from jaxgan.evaluation.classifier import READ_BATCH
from jaxgan.evaluation.extractors import FeatureExtractor
from jaxgan.evaluation.metric_names import figure_name
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.metrics import (
    authenticity,
    count_modes,
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    memorisation_informed_distance,
    merge_moments,
    moments,
    ms_ssim_diversity,
    precision_recall,
)
from jaxgan.metrics.checks import warn
from jaxgan.version import __version__

KID_SUBSETS, KID_SUBSET = 100, 1000
NEIGHBOURS = 5  # of precision, recall, density and coverage
IS_SPLITS = 10
MS_SSIM_PAIRS = 1000
# MIFID penalises a mean least cosine distance below this; chosen for Inception's 2,048 features.
MIFID_THRESHOLD = 0.1

PUBLISHED_SEED = 2020  # of the subsets and splits that published figures were drawn with
Progress = Callable[[str, int, int], None]  # (name of the set, images read so far, images in all)


class SampleStats(NamedTuple):
    """A set of images as metrics take it; fields that no metric needs are None.

    Attributes:
      source: the images themselves, as many as are used.
      moments: ``Moments`` of the features.
      features: [N, D].
      logits: [N, classes].
      images: [N, height, width, C], uint8.
    """

    source: Source
    moments: Any = None
    features: Any = None
    logits: Any = None
    images: Any = None


def _no_protocol(samples: int, data: int) -> dict[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A comparison of samples with data.

    Attributes:
      measure: ``(samples, data) -> {name: value}``, a function of the two sets' ``SampleStats``. Names are the
        published ones; ``compare`` adds the features to them.
      needs: the fields of ``SampleStats`` that it takes. Moments take the same memory for any number of images.
      min_count: how many examples of each set it needs.
      protocol: ``(samples, data) -> dict``, everything that the figures depend on besides the features, for these
        numbers of examples.
      ranks_by: the figure that checkpoints are ranked by, if it is not the metric's own name.
      higher_is_better: whether a larger value of that figure is better.
    """

    measure: Callable[[SampleStats, SampleStats], dict[str, float]]
    needs: tuple[str, ...] = ("features",)
    min_count: int = 2
    protocol: Callable[[int, int], dict[str, Any]] = _no_protocol
    ranks_by: str = ""
    higher_is_better: bool = False


def _fid(samples, data):
    return {"fid": frechet_distance(samples.moments, data.moments)}


def _kid(samples, data):
    x, y = samples.features, data.features
    size = _kid_subset(len(x), len(y))
    if size < KID_SUBSET:
        warn(f"kid: one of the sets has {size:,} images, so subsets are of {size:,}, not of the usual {KID_SUBSET:,}")
    if size == len(x) == len(y):
        warn("kid: each subset is the whole set, so the standard deviation says nothing")
    found = kernel_distance(x, y, subsets=KID_SUBSETS, size=size, seed=PUBLISHED_SEED)
    return {"kid": found.mean, "kid_std": found.std}


def _kid_subset(samples: int, data: int) -> int:
    return min(KID_SUBSET, samples, data)


def _kid_protocol(samples, data):
    return {"subsets": KID_SUBSETS, "subset": _kid_subset(samples, data), "seed": PUBLISHED_SEED}


def _mifid(samples, data):
    return {"mifid": memorisation_informed_distance(samples.features, data.features, threshold=MIFID_THRESHOLD)}


def _mifid_protocol(samples, data):
    return {"threshold": MIFID_THRESHOLD}


def _prdc(samples, data):
    fidelity = precision_recall(data.features, samples.features, k=NEIGHBOURS)
    robust = density_coverage(data.features, samples.features, k=NEIGHBOURS)
    return {**fidelity._asdict(), **robust._asdict()}


def _prdc_protocol(samples, data):
    return {"neighbours": NEIGHBOURS}


def _authenticity(samples, data):
    return {"authenticity": authenticity(data.features, samples.features)}


def _inception_score(samples, data):
    score = inception_score(samples.logits, splits=IS_SPLITS, seed=PUBLISHED_SEED)
    return {"is": score.mean, "is_std": score.std}


def _inception_score_protocol(samples, data):
    return {"splits": IS_SPLITS, "seed": PUBLISHED_SEED}


def _modes(samples, data):
    found = count_modes(samples.logits.argmax(1), samples.logits.shape[1])
    return {"modes": found.covered, "modes_kl": found.divergence}


def _diversity(samples, data):
    return {
        name: ms_ssim_diversity(stats.images, pairs=MS_SSIM_PAIRS, low=0, high=255)
        for name, stats in (("ms_ssim", samples), ("ms_ssim_of_data", data))
    }


def _diversity_protocol(samples, data):
    return {"pairs": MS_SSIM_PAIRS, "seed": 0}


def _classification_accuracy(samples, data):
    """The accuracy on the data of a classifier trained on samples alone. Ravuri and Vinyals 2019, 1905.10887."""
    for name, stats in (("samples", samples), ("data", data)):
        if not stats.source.classes:
            raise ValueError(f"cas: the {name}, {stats.source.name}, have no labels, which it compares")
    count = len(data.source.classes)
    params = classifier.fit(read_into_memory(samples.source), count)
    return {"cas": classifier.Classifier(params, count, data.source.shape).accuracy(data.source)}


METRICS = {
    "fid": Metric(_fid, ("moments",)),
    "kid": Metric(_kid, protocol=_kid_protocol),
    "mifid": Metric(_mifid, protocol=_mifid_protocol),
    "prdc": Metric(
        _prdc, min_count=NEIGHBOURS + 1, protocol=_prdc_protocol, ranks_by="precision", higher_is_better=True
    ),
    "authenticity": Metric(_authenticity, higher_is_better=True),
    "is": Metric(
        _inception_score, ("logits",), min_count=IS_SPLITS, protocol=_inception_score_protocol, higher_is_better=True
    ),
    "modes": Metric(_modes, ("logits",), higher_is_better=True),
    "ms_ssim": Metric(_diversity, ("images",), protocol=_diversity_protocol),
    "cas": Metric(_classification_accuracy, (), higher_is_better=True),
}


def min_count(metrics: Sequence[str]) -> int:
    """How many examples of each set the metrics need; metrics that are not in ``METRICS`` need none."""
    return max((METRICS[name].min_count for name in metrics if name in METRICS), default=0)


def collect_stats(
    source: Source,
    metrics: Sequence[str],
    features: FeatureExtractor | None,
    count: int | None = None,
    progress: Progress | None = None,
) -> SampleStats:
    """What metrics need of a source, which is read once, in batches; ``compare`` takes it in the place of the data.

    Args:
      source: images.
      metrics: names of ``METRICS``.
      features: the feature extractor; None where metrics need pixels alone.
      count: use so many examples, evenly from first to last; a smaller source is used whole.
      progress: called after each batch.

    Raises:
      ValueError: a metric is not known, ``count`` is too small, or features are needed and none are given.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise ValueError(f"`metrics` must be some of {', '.join(METRICS)}, got {', '.join(unknown)}.")
    if count is not None and count < 2:
        raise ValueError(f"`count` must be at least 2, got {count}.")
    if count is not None and count < len(source):
        source = Subset(source, np.arange(count) * len(source) // count)  # files lie class by class
    needs = {field for name in metrics for field in METRICS[name].needs}
    if needs - {"images"}:
        if features is None:
            raise ValueError(f"`features` are needed by {', '.join(metrics)}, and none are given.")
        if "features" not in features.protocol:
            raise ValueError("The features' `protocol` must name their network, {'features': name}.")
    return SampleStats(source, **_collect(source, needs, features, progress))


def compare(
    samples: Source,
    data: Source | SampleStats,
    metrics: Sequence[str],
    features: FeatureExtractor | None,
    *,
    count: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Figures of samples against data, both read in batches, with their ``"protocol"``.

    Args:
      samples: images.
      data: images; or their ``collect_stats``, for several comparisons with the same data.
      metrics: names of ``METRICS``.
      features: the feature extractor; None where metrics need pixels alone.
      count: use so many examples of each set, evenly from first to last; a smaller set is used whole.
      progress: called after each batch.

    Returns:
      ``{figure: value, ..., "protocol": {...}}``, figures named as ``jaxgan.evaluation.metric_names`` says.

    Raises:
      ValueError: a metric is not known, or the sets cannot be compared by it; the message says why.
    """
    real = data if isinstance(data, SampleStats) else None
    source = data.source if isinstance(data, SampleStats) else data
    counts = [len(x) if count is None else min(count, len(x)) for x in (samples, source)]
    least = min_count(metrics)
    if min(counts) < least and (count is None or count >= 2):
        raise ValueError(f"{counts[0]:,} samples and {counts[1]:,} data: {', '.join(metrics)} needs {least} of each")
    fake = collect_stats(samples, metrics, features, count, progress)
    real = real or collect_stats(source, metrics, features, count, progress)
    of_features = features.protocol if features else {}
    values = {
        figure_name(name, of_features): value
        for metric in metrics
        for name, value in METRICS[metric].measure(fake, real).items()
    }
    protocols = {metric: METRICS[metric].protocol(*counts) for metric in metrics}
    protocol = {
        "samples": {"name": samples.name, "count": counts[0], "shape": list(samples.shape)},
        "data": {"name": source.name, "count": counts[1], "shape": list(source.shape)},
        **of_features,
        "jax": f"{jax.__version__} on {jax.default_backend()}",
        **{metric: protocol for metric, protocol in protocols.items() if protocol},
        "jaxgan": __version__,
    }
    return {**values, "protocol": protocol}


def _collect(
    source: Source, needs: set[str], features: FeatureExtractor | None, progress: Progress | None
) -> dict[str, Any]:
    """The fields of ``SampleStats`` that are needed; for moments alone, features are not kept."""
    found: dict[str, Any] = {}
    kept: dict[str, list[np.ndarray]] = {field: [] for field in needs if field in ("images", "logits")}

    def features_in_batches() -> Iterator[np.ndarray]:
        done = 0
        for batch in read_in_batches(source, READ_BATCH):
            images = np.asarray(batch["image"])
            if "images" in kept:
                kept["images"].append(as_bytes(images))
            if "logits" in kept and features:
                kept["logits"].append(features.logits(images))
            if needs & {"features", "moments"} and features:
                yield features(images)
            done += len(images)
            if progress:
                progress(source.name, done, len(source))

    if not needs:
        return found
    if "features" in needs:
        found["features"] = np.concatenate(list(features_in_batches()))
        if "moments" in needs:
            found["moments"] = moments(found["features"])
    elif "moments" in needs:
        found["moments"] = merge_moments(map(moments, features_in_batches()))
    else:
        for _ in features_in_batches():
            pass
    return found | {field: np.concatenate(arrays) for field, arrays in kept.items()}
