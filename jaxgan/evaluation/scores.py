"""Compute several metrics between two sets of examples, and record how they were measured.

This example uses a file with Inception's weights::

    features = InceptionFeatures("weights.pth")
    result = compare(load("samples.npz"), load("photos/"), ("fid", "kid"), features)
    result["fid"], result["protocol"]

The protocol is a dictionary of everything that the metrics depend on. The names of metrics depend on the features; see
``jaxgan.evaluation.metric_names``. With the features of the small classifier, the names above would be
``fd_classifier`` and ``kd_classifier``.

``METRICS`` contains the metrics that compare two sets. A medium, see ``jaxgan.media.Medium``, can have other metrics.
The samples of a generator can be measured with more kinds of metrics: ``PairedMetric`` and ``PathMetric``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.data import Source
from jaxgan.data.source import Subset, read_in_batches, read_into_memory
from jaxgan.data.uncropped import ImageSequence
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
    psnr,
    ssim,
)
from jaxgan.metrics.checks import warn
from jaxgan.version import __version__

KID_SUBSETS, KID_SUBSET = 100, 1000  # number of subsets for the KID, and number of images in each subset
NEIGHBOURS = 5  # number of nearest neighbours for precision, recall, density and coverage
IS_SPLITS = 10  # number of splits for the Inception Score
MS_SSIM_PAIRS = 1000  # number of pairs of images for MS-SSIM
# The MiFID is increased if the mean cosine distance between a sample and its nearest example of the data is below this
# threshold. The threshold was chosen for Inception's 2,048 features.
MIFID_THRESHOLD = 0.1

PUBLISHED_SEED = 2020  # seed of the random subsets and splits with which published numbers were measured
NO_FEATURES = {"images", "arrays"}  # fields of SampleStats that are computed without features
Progress = Callable[[str, int, int], None]  # (name of the set, number of images read so far, total number of images)


class SampleStats(NamedTuple):
    """Statistics of a set of examples that metrics need. Fields that no metric needs are None.

    Attributes:
      source: the examples that are used. Of the data, it can have test examples, as ``source.test``.
      moments: ``Moments`` (mean and covariance) of the features.
      features: features of the examples, [N, D].
      logits: logits of the feature network, [N, classes].
      images: the images, [N, height, width, C], uint8.
      arrays: the examples as the source reads them: a dictionary from names to arrays, [N, ...].
    """

    source: Source
    moments: Any = None
    features: Any = None
    logits: Any = None
    images: Any = None
    arrays: Any = None


def _no_protocol(samples: int, data: int) -> dict[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class Metric:
    """Metric that compares samples with data and returns one or more numbers.

    Attributes:
      measure: function ``(samples, data) -> {name: value}`` that computes the metric. Its arguments are the
        ``SampleStats`` of the two sets. It returns published names, and ``compare`` adds the features to the names.
      needs: names of the fields of ``SampleStats`` that ``measure`` uses. If a metric only needs ``moments``, the
        features of all images are never in memory at once.
      min_count: minimum number of examples in each set.
      protocol: function ``(samples, data) -> dict`` that describes the settings of the metric. Its arguments are the
        numbers of examples in the two sets. It returns everything that the result of ``measure`` depends on, except the
        features.
      ranks_by: name of the number that ranks checkpoints, one of the names that ``measure`` returns. If it is empty,
        the number with the name of the metric ranks checkpoints.
      higher_is_better: whether a larger value of the number that ranks checkpoints is better.
      reads_data: whether ``measure`` uses the statistics of the data, besides those of the samples.
      trains: whether ``measure`` trains a network, which takes minutes. Such a metric is not tried before a training.
      needs_labels: whether samples and data must have labels.
    """

    measure: Callable[[SampleStats, SampleStats], dict[str, float]]
    needs: tuple[str, ...] = ("features",)
    min_count: int = 2
    protocol: Callable[[int, int], dict[str, Any]] = _no_protocol
    ranks_by: str = ""
    higher_is_better: bool = False
    reads_data: bool = True
    trains: bool = False
    needs_labels: bool = False


@dataclasses.dataclass(frozen=True)
class PairedMetric:
    """A comparison of each sample with its target image.

    Attributes:
      measure: function ``(samples, images) -> numbers`` from samples and target images, each [N, h, w, C] from 0 to
        255, to one number per sample, [N].
      higher_is_better: whether a larger number is better.
    """

    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    higher_is_better: bool = False


@dataclasses.dataclass(frozen=True)
class PathMetric:
    """The perceptual path length of a generator, for features with ``unrounded``.

    Attributes:
      higher_is_better: whether a larger number is better.
    """

    higher_is_better: bool = False


AnyMetric = Metric | PairedMetric | PathMetric


def _fid(samples, data):
    return {"fid": frechet_distance(samples.moments, data.moments)}


def _kid(samples, data):
    x, y = samples.features, data.features
    size = _kid_subset(len(x), len(y))
    if size < KID_SUBSET:
        warn(
            f"kid uses subsets of {size:,} images instead of the usual {KID_SUBSET:,}, because one of the sets does "
            "not contain more images."
        )
    if size == len(x) == len(y):
        warn("The standard deviation of kid is meaningless, because each subset is the complete set.")
    found = kernel_distance(x, y, subsets=KID_SUBSETS, size=size, seed=PUBLISHED_SEED)
    if found.mean < 0:
        warn(
            "kid is below 0, as an unbiased estimate of a distance near 0 can be: these images show no difference "
            "between the sets."
        )
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
    """Return the accuracy, measured on the real data, of a classifier that was trained only on samples.

    Source: Ravuri and Vinyals 2019, arXiv:1905.10887.
    """
    for name, stats in (("samples", samples), ("data", data)):
        if not stats.source.classes:
            raise ValueError(f"The metric cas requires labels, but the {name} ({stats.source.name}) have none.")
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
        _inception_score,
        ("logits",),
        min_count=IS_SPLITS,
        protocol=_inception_score_protocol,
        higher_is_better=True,
        reads_data=False,
    ),
    "modes": Metric(_modes, ("logits",), higher_is_better=True),
    "ms_ssim": Metric(_diversity, ("images",), protocol=_diversity_protocol),
    "cas": Metric(_classification_accuracy, (), higher_is_better=True, trains=True, needs_labels=True),
}


def _l1(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.abs(samples - images).mean((1, 2, 3)) / 127.5


def _psnr(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return psnr(samples, images, low=0, high=255)


def _ssim(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return ssim(samples, images, low=0, high=255)


PAIRED_METRICS = {
    "l1": PairedMetric(_l1),
    "psnr": PairedMetric(_psnr, higher_is_better=True),
    "ssim": PairedMetric(_ssim, higher_is_better=True),
}
# The metrics of the samples of a generator of images.
IMAGE_METRICS: dict[str, AnyMetric] = {**METRICS, "ppl": PathMetric(), **PAIRED_METRICS}


def min_count(metrics: Sequence[str], known: Mapping[str, AnyMetric] | None = None) -> int:
    """Return the minimum number of examples in each set for the metrics.

    Args:
      metrics: names of metrics. Names that are unknown, and metrics that do not compare sets, need 0 examples.
      known: the metrics by name; None for ``METRICS``.
    """
    found = [(METRICS if known is None else known).get(name) for name in metrics]
    return max((metric.min_count for metric in found if isinstance(metric, Metric)), default=0)


def collect_stats(
    source: Source,
    metrics: Sequence[str],
    features: FeatureExtractor | None,
    count: int | None = None,
    progress: Progress | None = None,
    *,
    key: str = "image",
    known: Mapping[str, Metric] | None = None,
) -> SampleStats:
    """Compute the statistics of a source that metrics need.

    The source is read once, in batches. To compare several sets of samples with the same data, pass the result to
    ``compare`` as ``data``.

    Args:
      source: the examples.
      metrics: names of metrics, keys of ``known``.
      features: feature extractor; None if no metric needs features.
      count: number of examples to use, evenly spaced from the first to the last. If it is None, or larger than the
        source, all examples are used.
      progress: function that is called after each batch with the name of the source, the number of images that were
        read so far, and the total number of images. None reports nothing.
      key: the name of the examples in a batch.
      known: the metrics by name; None for ``METRICS``.

    Raises:
      ValueError: if a metric is unknown, ``count`` is too small, or a metric needs features and ``features`` is None.
    """
    known = METRICS if known is None else known
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise ValueError(f"`metrics` must be one or more of {', '.join(known)}, got {', '.join(unknown)}.")
    if count is not None and count < 2:
        raise ValueError(f"`count` must be at least 2, got {count}.")
    if count is not None and count < len(source):
        # The examples are evenly spaced, because files are often sorted by class.
        source = Subset(source, np.arange(count) * len(source) // count)
    needs = {field for name in metrics for field in known[name].needs}
    if needs - NO_FEATURES:
        if features is None:
            raise ValueError(f"`features` must be a feature extractor for the metrics {', '.join(metrics)}, got None.")
        if "features" not in features.protocol:
            raise ValueError(
                "The `protocol` of the feature extractor must contain the name of its network: {'features': name}."
            )
    _check_sizes(source, needs, features, key)
    return SampleStats(source, **_collect(source, needs, features, progress, key))


def compare(
    samples: Source,
    data: Source | SampleStats,
    metrics: Sequence[str],
    features: FeatureExtractor | None,
    *,
    count: int | None = None,
    progress: Progress | None = None,
    key: str = "image",
    known: Mapping[str, Metric] | None = None,
) -> dict[str, Any]:
    """Compute metrics between samples and data. Both are read in batches.

    Args:
      samples: examples, in the units of the data.
      data: examples; or the result of ``collect_stats``, for several comparisons with the same data.
      metrics: names of metrics, keys of ``known``.
      features: feature extractor; None if no metric needs features.
      count: number of examples of each set to use, evenly spaced from the first to the last. If it is None, or larger
        than a set, all examples of the set are used.
      progress: function that is called after each batch, see ``collect_stats``.
      key: the name of the examples in a batch.
      known: the metrics by name; None for ``METRICS``.

    Returns:
      A dictionary from the names of the metrics to their values, with the entry ``protocol``.
      ``jaxgan.evaluation.metric_names`` explains the names.

    Raises:
      ValueError: if a metric is unknown, or cannot be computed for the two sets.
    """
    known = METRICS if known is None else known
    real = data if isinstance(data, SampleStats) else None
    source = data.source if isinstance(data, SampleStats) else data
    counts = [len(x) if count is None else min(count, len(x)) for x in (samples, source)]
    least = min_count(metrics, known)
    if min(counts) < least and (count is None or count >= 2):
        raise ValueError(
            f"The metrics {', '.join(metrics)} require at least {least:,} samples and {least:,} examples of the data, "
            f"got {counts[0]:,} and {counts[1]:,}."
        )
    fake = collect_stats(samples, metrics, features, count, progress, key=key, known=known)
    reading_data = [metric for metric in metrics if known[metric].reads_data]
    real = real or collect_stats(source, reading_data, features, count, progress, key=key, known=known)
    features_protocol = features.protocol if features else {}
    values = {
        figure_name(name, features_protocol): value
        for metric in metrics
        for name, value in known[metric].measure(fake, real).items()
    }
    protocols = {metric: known[metric].protocol(*counts) for metric in metrics}
    protocol = {
        "samples": _describe(samples, counts[0]),
        "data": _describe(source, counts[1]),
        **({"equal_features": True} if _have_equal_features(fake, real) else {}),
        **features_protocol,
        "jax": f"{jax.__version__} on {jax.default_backend()}",
        **{metric: protocol for metric, protocol in protocols.items() if protocol},
        "jaxgan": __version__,
    }
    return {**values, "protocol": protocol}


def _have_equal_features(samples: SampleStats, data: SampleStats) -> bool:
    """Return whether two sets have the same number of examples and equal features or moments of features."""
    if len(samples.source) != len(data.source):
        return False
    if samples.features is not None and data.features is not None:
        return np.array_equal(samples.features, data.features)
    if samples.moments is None or data.moments is None:
        return False
    return all(np.array_equal(getattr(samples.moments, x), getattr(data.moments, x)) for x in ("mean", "scatter"))


def _describe(source: Source, count: int) -> dict[str, Any]:
    """Return the entry of a set in the protocol. If the sizes of images differ, ``shape`` is the largest size."""
    entry = {"name": source.name, "count": count, "shape": list(source.shape)}
    return {**entry, "sizes": "different"} if getattr(source, "sizes_differ", False) else entry


def _check_sizes(source: Source, needs: set[str], features: FeatureExtractor | None, key: str) -> None:
    """Raise a ``ValueError`` if the images are not in arrays, but a metric or the feature extractor needs arrays."""
    if "images" not in needs and getattr(features, "resizes_images", False):
        return
    image = source.read(np.zeros(1, np.int64))[key] if needs else None
    if isinstance(image, ImageSequence):
        raise ValueError(
            f"The images of {source.name} have different sizes or are not square, and these features and metrics "
            "require square images of one size. Set `resolution`, to crop the images to squares and resize them."
        )


def _collect(
    source: Source, needs: set[str], features: FeatureExtractor | None, progress: Progress | None, key: str
) -> dict[str, Any]:
    """Return a dictionary from the fields of ``SampleStats`` in ``needs`` to their values.

    If ``needs`` contains ``moments`` but not ``features``, the features of a batch are discarded after the batch.
    """
    found: dict[str, Any] = {}
    stored: dict[str, list[np.ndarray]] = {field: [] for field in needs if field in ("images", "logits")}
    arrays: dict[str, list[np.ndarray]] = {}

    def features_in_batches() -> Iterator[np.ndarray]:
        done = 0
        for batch in read_in_batches(source, READ_BATCH):
            images = batch[key]
            if not isinstance(images, ImageSequence):
                images = np.asarray(images)
            if "arrays" in needs:
                for name, x in batch.items():
                    arrays.setdefault(name, []).append(np.asarray(x))
            if "images" in stored:
                stored["images"].append(as_bytes(images))
            if "logits" in stored and features:
                stored["logits"].append(features.logits(images))
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
    if "arrays" in needs:
        found["arrays"] = {name: np.concatenate(parts) for name, parts in arrays.items()}
    return found | {field: np.concatenate(parts) for field, parts in stored.items()}
