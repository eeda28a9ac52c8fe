"""Figures of an experiment's samples: against its data as sets, along paths of latents, and pair by pair."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import media
from jaxgan.core.files import writing_out
from jaxgan.core.keys import fold_in_keys, keys_of
from jaxgan.core.state import State
from jaxgan.data.source import Source
from jaxgan.editing.interpolation import slerp
from jaxgan.evaluation import scores
from jaxgan.evaluation.classifier import READ_BATCH
from jaxgan.evaluation.extractors import FeatureExtractor
from jaxgan.evaluation.metric_names import figure_name
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.experiment.experiment import Experiment
from jaxgan.metrics import perceptual_path_length, psnr, ssim
from jaxgan.metrics.perceptual_path_length import CENTRAL_SHARE

MAX_SAMPLES = 50_000  # as many as published figures have; for more, give ``count``
PATH_EPSILON = 1e-4  # the step along a path of latents


class PairedMetric(NamedTuple):
    """A comparison of each sample with the image that it should be.

    Attributes:
      measure: a function of samples and images, [N, h, w, C] from 0 to 255, to figures, [N].
      higher_is_better: whether a larger figure is better.
    """

    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    higher_is_better: bool


def _l1(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.abs(samples - images).mean((1, 2, 3)) / 127.5


def _psnr(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return psnr(samples, images, low=0, high=255)


def _ssim(samples: np.ndarray, images: np.ndarray) -> np.ndarray:
    return ssim(samples, images, low=0, high=255)


PAIRED_METRICS = {
    "l1": PairedMetric(_l1, higher_is_better=False),
    "psnr": PairedMetric(_psnr, higher_is_better=True),
    "ssim": PairedMetric(_ssim, higher_is_better=True),
}
METRICS = (*scores.METRICS, "ppl", *PAIRED_METRICS)


class SampleSource:
    """A ``Source`` of samples, which are drawn when they are read, uint8 as in a file; classes take turns.

    Args:
      experiment: draws the samples.
      state: the weights.
      count: number of samples.
      seed: seed of the samples; sample i of a seed is the same for any ``count``.
      name: a name for people.
      sample: the result of ``experiment.sampler()``, if it has been compiled already.
    """

    def __init__(
        self, experiment: Experiment, state: State, count: int, seed: int, name: str, sample: Callable | None = None
    ):
        self.name, self.classes, self._count, self._seed = name, experiment.sampling.classes, count, seed
        self._experiment, self._sample = experiment, sample or experiment.sampler()
        self._state = jax.device_put(state)  # once, not with every batch
        self.shape = experiment.reference.shape

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The samples of these indices, and the classes that were asked for."""
        labels = self._labels(indices)
        batch = {"image": media.to_bytes(self._draw(self._experiment.draw_latents(self._seed, indices), labels))}
        if labels is not None:
            batch["label"] = np.asarray(labels)
        return batch

    def on_paths(self, indices: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Samples at random points of paths between latents, and ``epsilon`` further on, as float32 in [-1, 1]."""
        keys, labels = keys_of(self._seed, indices), self._labels(indices)
        first, last = (self._experiment.sampling.latents(fold_in_keys(keys, n)) for n in (1, 2))
        t = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 3)))(keys)
        t = t.reshape(-1, *(1,) * (first.ndim - 1))
        start, end = slerp(first, last, t), slerp(first, last, t + epsilon)
        return self._draw(start, labels), self._draw(end, labels)

    def _labels(self, indices: np.ndarray) -> jax.Array | None:
        return jnp.asarray(indices) % len(self.classes) if self.classes else None

    def _draw(self, z: jax.Array, labels: jax.Array | None) -> np.ndarray:
        samples = self._sample(self._state, z, labels)
        if not np.isfinite(samples).all():
            raise ValueError(f"{self.name}: its samples are not finite, the run has diverged")
        return samples


def path_length(samples: SampleSource, features: FeatureExtractor, progress: scores.Progress | None = None) -> float:
    """``perceptual_path_length`` of a generator, over as many paths as there are samples."""
    parts = []
    for indices in _batches(len(samples)):
        parts.append([features.unrounded(images) for images in samples.on_paths(indices, PATH_EPSILON)])
        if progress:
            progress(f"paths of {samples.name}", int(indices[-1]) + 1, len(samples))
    start, end = (np.concatenate(x) for x in zip(*parts))
    return perceptual_path_length(start, end, PATH_EPSILON)


def paired_figures(samples: SampleSource, targets: Source, metrics: Sequence[str]) -> dict[str, float]:
    """Means of those ``metrics`` that are in ``PAIRED_METRICS``, of sample i and target i."""
    sums = {name: 0.0 for name in PAIRED_METRICS if name in metrics}
    if not sums:
        return {}
    for indices in _batches(len(samples)):
        made, wanted = samples.read(indices)["image"], as_bytes(targets.read(indices)["image"])
        for name in sums:
            values = PAIRED_METRICS[name].measure(made.astype(np.float64), wanted.astype(np.float64))
            sums[name] += float(np.sum(values))
    return {name: value / len(samples) for name, value in sums.items()}


def _batches(count: int) -> list[np.ndarray]:
    return np.array_split(np.arange(count), -(-count // READ_BATCH))


def needs_features(metrics: Sequence[str]) -> bool:
    """Whether any of the metrics needs a feature extractor or a classifier; pixels are enough for the others."""
    of_pixels = {name for name, metric in scores.METRICS.items() if set(metric.needs) <= {"images"}}
    return not set(metrics) <= {*PAIRED_METRICS, *of_pixels}


def set_metrics(metrics: Sequence[str]) -> list[str]:
    """Those metrics that compare samples with data as sets."""
    return [metric for metric in metrics if metric in scores.METRICS]


def check_metrics(metrics: Sequence[str], count: int | None) -> None:
    """Check metrics and a count without an experiment.

    Raises:
      ValueError: a metric is not in ``METRICS``, there is none, or ``count`` is below 2.
    """
    if count is not None and count < 2:
        raise ValueError(f"`count` must be at least 2, got {count}.")
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown or not metrics:
        raise ValueError(f"`metrics` must be some of {', '.join(METRICS)}, got {', '.join(unknown) or 'none'}.")


def validate_metrics(experiment: Experiment, metrics: Sequence[str], count: int | None) -> None:
    """Check that the metrics can be measured of an experiment's samples.

    Raises:
      ValueError: ``check_metrics`` raises, or this experiment has no such figure, or fewer than ``count`` inputs.
    """
    check_metrics(metrics, count)
    has_pairs = experiment.image_to_image is not None and experiment.image_to_image.paired
    paired = [name for name in metrics if name in PAIRED_METRICS]
    if paired and not has_pairs:
        raise ValueError(
            f"`metrics` {', '.join(paired)} compare pairs, and this experiment has no images that samples should be."
        )
    if experiment.inputs is not None:
        if "ppl" in metrics:
            raise ValueError("`metrics` ppl follows paths between latents, and these samples are made of images.")
        if count is not None and count > experiment.num_samples:
            raise ValueError(
                f"`count` must be at most {experiment.num_samples:,}, the number of inputs of samples, got {count:,}."
            )


def write_result(result: Mapping[str, Any], out: Path) -> None:
    """Write figures and their protocol as JSON; folders are made if need be.

    Raises:
      OSError: the file cannot be written; the message says which.
    """
    with writing_out(out):
        out.write_text(json.dumps(result, indent=2) + "\n")


def ranking_score(result: Mapping[str, Any], metric: str) -> float:
    """The number that checkpoints are ranked by, lower is better: the metric's figure, or minus a higher-is-better one.

    Args:
      result: the result of ``evaluate``.
      metric: one of ``METRICS``, which was among those that were evaluated.
    """
    known = scores.METRICS.get(metric)
    figure = figure_name(known.ranks_by or metric if known else metric, result["protocol"])
    known = known or PAIRED_METRICS.get(metric)
    return -result[figure] if known and known.higher_is_better else result[figure]


def evaluate(
    experiment: Experiment,
    state: State,
    metrics: Sequence[str],
    features: FeatureExtractor | None,
    *,
    count: int | None = None,
    seed: int = 0,
    name: str = "samples",
    sample: Callable | None = None,
    data: scores.SampleStats | None = None,
    progress: scores.Progress | None = None,
) -> dict[str, Any]:
    """Figures of samples against all of the run's data, with their protocol, as ``evaluation.compare`` gives them.

    Args:
      experiment: draws the samples, with averaged weights where it has them.
      state: the weights.
      metrics: some of ``METRICS``.
      features: the feature extractor; None where metrics need pixels alone, see ``needs_features``.
      count: number of samples; by default as many as there are data, at most 50,000.
      seed: seed of the samples.
      name: a name of the samples, for people.
      sample: the result of ``experiment.sampler()``, which several evaluations may share.
      data: ``collect_stats`` of the experiment's data, which several evaluations may share.
      progress: called after each batch.

    Raises:
      ValueError: a metric cannot be measured of this experiment, or the samples are not finite.
    """
    validate_metrics(experiment, metrics, count)
    samples = SampleSource(experiment, state, count or min(MAX_SAMPLES, experiment.num_samples), seed, name, sample)
    reals = experiment.reference if data is None else data
    result = scores.compare(samples, reals, set_metrics(metrics), features, progress=progress)
    protocol = result.pop("protocol")
    if "ppl" in metrics:
        if features is None:
            raise ValueError("`features` are needed by ppl, and none are given.")
        result[figure_name("ppl", features.protocol)] = path_length(samples, features, progress)
        protocol["ppl"] = {"epsilon": PATH_EPSILON, "space": "z", "central_share": CENTRAL_SHARE}
    result |= paired_figures(samples, experiment.reference, metrics)
    protocol["samples"] |= {"step": int(state.step), "seed": seed, "averaged": sorted(state.ema)}
    return {**result, "protocol": protocol}
