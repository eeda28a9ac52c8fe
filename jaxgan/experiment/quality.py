"""Evaluate the samples of an experiment.

The medium of the experiment and the experiment itself define the metrics, see ``Experiment.all_metrics``. Three kinds
of metrics exist: metrics that compare the set of samples with the data, the perceptual path length of the generator,
and metrics that compare each sample with its target image, see ``jaxgan.evaluation.scores``.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.core.keys import fold_in_keys, keys_of
from jaxgan.core.state import State
from jaxgan.data.description import are_same_examples
from jaxgan.data.source import Source
from jaxgan.editing.interpolation import slerp
from jaxgan.evaluation import scores
from jaxgan.evaluation.classifier import READ_BATCH
from jaxgan.evaluation.extractors import FeatureExtractor
from jaxgan.evaluation.metric_names import figure_name
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.evaluation.scores import AnyMetric, PairedMetric, PathMetric
from jaxgan.experiment.experiment import Experiment
from jaxgan.metrics import perceptual_path_length
from jaxgan.metrics.perceptual_path_length import CENTRAL_SHARE

MAX_SAMPLES = 50_000  # maximum number of samples unless ``count`` is passed, as in most publications
MAX_COUNT = 1_000_000  # largest ``count``, 20 times the number in most publications: more samples would take days
PATH_EPSILON = 1e-4  # distance between two points on a path of latents, as a fraction of the path


METRICS = tuple(scores.IMAGE_METRICS)  # names of the metrics of images


class SampleSource:
    """A ``Source`` (data set) of samples, which are drawn when they are read.

    Samples are in the units of the data, such as uint8 for images, see ``Medium.decode``. Sample i of a conditional
    model has the class i modulo the number of classes.

    Args:
      experiment: the experiment, which draws the samples.
      state: the state with the weights.
      count: number of samples.
      seed: seed of the samples. Sample i of a seed is the same for any ``count``.
      name: a name for messages.
      sample: the result of ``experiment.sampler()``. If None, a new sampler is compiled.
    """

    def __init__(
        self, experiment: Experiment, state: State, count: int, seed: int, name: str, sample: Callable | None = None
    ):
        self.name, self.classes, self._count, self._seed = name, experiment.sampling.classes, count, seed
        self._experiment, self._sample = experiment, sample or experiment.sampler(count)
        self._state = jax.device_put(state)  # copies the weights once, not with every batch
        self.shape = experiment.reference.shape

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples with these indices, and the labels that they were generated with.

        Args:
          indices: the indices of the samples, [N] integers.
        """
        labels = self._labels(indices)
        samples = self._draw(self._experiment.draw_latents(self._seed, indices), labels)
        batch = self._experiment.medium.decode(samples)
        if labels is not None:
            batch["label"] = np.asarray(labels)
        return batch

    def on_paths(self, indices: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Return samples at two neighbouring points of each of B paths. Each path connects two random latents.

        Args:
          indices: the indices of the paths, [B].
          epsilon: distance between the two points, as a fraction of the path. The first point is random.

        Returns:
          The samples at the first points and the samples at the second points, as the generator returns them, float32
          [B, ...].
        """
        keys, labels = keys_of(self._seed, indices), self._labels(indices)
        first, last = (self._experiment.sampling.latents(fold_in_keys(keys, n)) for n in (1, 2))
        t = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 3)))(keys)
        t = t.reshape(-1, *(1,) * (first.ndim - 1))
        start, end = slerp(first, last, t), slerp(first, last, t + epsilon)
        return self._draw(start, labels), self._draw(end, labels)

    def _labels(self, indices: np.ndarray) -> jax.Array | None:
        """Return the labels of samples, or None for an unconditional model."""
        return jnp.asarray(indices) % len(self.classes) if self.classes else None

    def _draw(self, z: jax.Array, labels: jax.Array | None) -> np.ndarray:
        """Draw samples.

        Raises:
          ValueError: if the samples are not finite.
        """
        samples = self._sample(self._state, z, labels)
        if not np.isfinite(samples).all():
            raise ValueError(f"The run has diverged. Its samples are not finite ({self.name}).")
        return samples


def path_length(samples: SampleSource, features: FeatureExtractor, progress: scores.Progress | None = None) -> float:
    """Return the ``perceptual_path_length`` of a generator, over one path per sample.

    Args:
      samples: the samples.
      features: the feature extractor.
      progress: called after each batch with a description, the number of finished paths, and the number of all paths.
    """
    parts = []
    for indices in _batches(len(samples)):
        parts.append([features.unrounded(images) for images in samples.on_paths(indices, PATH_EPSILON)])
        if progress:
            progress(f"paths of {samples.name}", int(indices[-1]) + 1, len(samples))
    start, end = (np.concatenate(x) for x in zip(*parts))
    return perceptual_path_length(start, end, PATH_EPSILON)


def paired_figures(
    samples: Source, targets: Source, metrics: Mapping[str, AnyMetric], key: str = "image"
) -> dict[str, float]:
    """Compare each sample with the target of the same index, and return a dictionary from metrics to their means.

    Args:
      samples: the samples.
      targets: the target images.
      metrics: the metrics by name. Metrics that are no ``PairedMetric`` are ignored.
      key: the name of the images in a batch.
    """
    paired = {name: metric for name, metric in metrics.items() if isinstance(metric, PairedMetric)}
    if not paired:
        return {}
    sums = dict.fromkeys(paired, 0.0)
    for indices in _batches(len(samples)):
        generated, expected = samples.read(indices)[key], as_bytes(targets.read(indices)[key])
        for name, metric in paired.items():
            values = metric.measure(generated.astype(np.float64), expected.astype(np.float64))
            sums[name] += float(np.sum(values))
    return {name: value / len(samples) for name, value in sums.items()}


def _batches(count: int) -> list[np.ndarray]:
    """Split the indices from 0 to ``count`` - 1 into batches of at most ``READ_BATCH``."""
    return np.array_split(np.arange(count), -(-count // READ_BATCH))


def compared_examples(experiment: Experiment) -> dict[str, Any]:
    """Return the split of the examples that samples are compared with, and whether the run is trained on them.

    Args:
      experiment: the experiment of the run, after examples were held out.

    Returns:
      The entries ``split`` (train, held-out or test) and ``trained_on`` (a bool). Test data are trained on if they are
      equal to the training examples.
    """
    split = experiment.compared_split
    trained_on = split == "train"
    if split == "test" and experiment.inputs is not None:
        trained_on = are_same_examples(experiment.inputs, experiment.source)
    return {"split": split, "trained_on": trained_on}


def choose_metrics(experiment: Experiment, metrics: Sequence[str]) -> dict[str, AnyMetric]:
    """Return metrics of an experiment by their names.

    Args:
      experiment: the experiment, whose ``all_metrics`` are the metrics that exist.
      metrics: the names of metrics.

    Raises:
      ValueError: if the experiment has no metric of a name, or if there is no name.
    """
    known = experiment.all_metrics
    _check_names(metrics, known)
    return {name: known[name] for name in metrics}


def default_metrics(experiment: Experiment) -> tuple[str, ...]:
    """Return the names of the metrics that are computed if none are chosen. The first one ranks checkpoints.

    Args:
      experiment: the experiment. The defaults of its medium are returned, or the metrics of the experiment if the
        medium has none.

    Raises:
      ValueError: if there are no metrics.
    """
    names = experiment.medium.default_metrics or tuple(experiment.all_metrics)
    if not names:
        raise ValueError(
            f"The samples cannot be evaluated, because no metrics are defined for {experiment.medium.noun}. Pass "
            "`metrics` to the `Experiment` in the function `build`, or define them in its medium."
        )
    return names


def needs_features(metrics: Mapping[str, AnyMetric]) -> bool:
    """Return whether any of the metrics needs a feature extractor or a classifier.

    Args:
      metrics: the metrics by name.
    """
    of_sets = [metric for metric in metrics.values() if isinstance(metric, scores.Metric)]
    has_paths = any(isinstance(metric, PathMetric) for metric in metrics.values())
    return has_paths or any(set(metric.needs) - scores.NO_FEATURES for metric in of_sets)


def reads_data(metrics: Sequence[str]) -> bool:
    """Return whether any of the metrics compares the samples with the data. Other metrics use only the samples.

    Args:
      metrics: names of metrics. Metrics that are no metrics of images are assumed to use the data.
    """
    found = [scores.IMAGE_METRICS.get(name) for name in metrics]
    return not all(
        isinstance(metric, PathMetric) or (isinstance(metric, scores.Metric) and not metric.reads_data)
        for metric in found
    )


def set_metrics(metrics: Mapping[str, AnyMetric]) -> dict[str, scores.Metric]:
    """Return the metrics that compare the set of samples with the data, by name.

    Args:
      metrics: the metrics by name.
    """
    return {name: metric for name, metric in metrics.items() if isinstance(metric, scores.Metric)}


def check_count(count: int | None) -> None:
    """Check a number of samples.

    Args:
      count: the number of samples; None if it is not set.

    Raises:
      ValueError: if ``count`` is below 2 or above ``MAX_COUNT``.
    """
    if count is not None and not 2 <= count <= MAX_COUNT:
        raise ValueError(f"`count` must be between 2 and {MAX_COUNT:,}, got {count:,}.")


def _check_names(metrics: Sequence[str], known: Iterable[str]) -> None:
    unknown = [metric for metric in metrics if metric not in known]
    if unknown or not metrics:
        raise ValueError(
            f"`metrics` must be one or more of {', '.join(known)}, got {', '.join(unknown) or 'no metric'}."
        )


def check_metrics(metrics: Sequence[str], count: int | None, known: Collection[str] = METRICS) -> None:
    """Check names of metrics and a number of samples. This does not need an experiment.

    Args:
      metrics: the names of the metrics.
      count: the number of samples; None if it is not set.
      known: the names of the metrics that exist. By default, the metrics of images.

    Raises:
      ValueError: if ``count`` is below 2 or above ``MAX_COUNT``, if a metric is not in ``known``, or if there is no
        metric.
    """
    check_count(count)
    _check_names(metrics, known)


def validate_metrics(experiment: Experiment, metrics: Sequence[str], count: int | None) -> None:
    """Check that the metrics can be computed for an experiment's samples.

    Args:
      experiment: the experiment that the samples are generated with.
      metrics: the names of the metrics.
      count: the number of samples; None if it is not set.

    Raises:
      ValueError: if ``check_metrics`` rejects the arguments, if a metric cannot be computed for this experiment, or if
        the experiment has fewer than ``count`` images to translate.
    """
    check_metrics(metrics, count, experiment.all_metrics)
    chosen = choose_metrics(experiment, metrics)
    has_pairs = experiment.image_to_image is not None and experiment.image_to_image.paired
    paired = [name for name, metric in chosen.items() if isinstance(metric, PairedMetric)]
    if paired and not has_pairs:
        raise ValueError(
            f"`metrics` {', '.join(paired)} cannot be computed, because they compare each sample with its target "
            "image, and the samples of this experiment have no target images."
        )
    if experiment.inputs is not None:
        paths = [name for name, metric in chosen.items() if isinstance(metric, PathMetric)]
        if paths:
            raise ValueError(
                f"`metrics` {paths[0]} cannot be computed, because it needs samples that are generated from latents, "
                "and this experiment translates images."
            )
        if count is not None and count > experiment.num_samples:
            raise ValueError(
                f"`count` must be at most {experiment.num_samples:,}, the number of images to translate, got {count:,}."
            )


def write_result(result: Mapping[str, Any], out: Path) -> None:
    """Write metrics and their protocol (the settings of the measurement) to a JSON file. Missing folders are created.

    Args:
      result: the metrics and their protocol, as the evaluation returns them.
      out: the JSON file to write.

    Raises:
      OSError: if the file cannot be written.
    """
    with writing_out(out):
        out.write_text(json.dumps(result, indent=2) + "\n")


def ranking_score(
    result: Mapping[str, Any], metric: str, known: Mapping[str, AnyMetric] = scores.IMAGE_METRICS
) -> float:
    """Return the number by which checkpoints are ranked. A lower number is better.

    The number is the metric, or the negative of the metric if a higher metric is better.

    Args:
      result: the result of ``evaluate``.
      metric: the name of one of the metrics that were evaluated.
      known: the metrics by name. By default, the metrics of images.
    """
    ranked = known[metric]
    name = ranked.ranks_by if isinstance(ranked, scores.Metric) and ranked.ranks_by else metric
    figure = result[figure_name(name, result["protocol"])]
    return -figure if ranked.higher_is_better else figure


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
    """Compare the samples of an experiment with all its data.

    Args:
      experiment: the experiment, which draws the samples. Averaged weights are used if the state has them.
      state: the state with the weights.
      metrics: names of metrics in ``experiment.all_metrics``.
      features: the feature extractor. None is allowed if no metric needs features; see ``needs_features``.
      count: number of samples. If None, the number of examples in the data, but at most 50,000.
      seed: seed of the samples.
      name: a name of the samples, for messages and for the settings of the measurement.
      sample: the result of ``experiment.sampler()``, so that several evaluations share the compiled function.
      data: the result of ``collect_stats`` for the experiment's data, so that several evaluations share it.
      progress: called after each batch.

    Returns:
      A dictionary with the metrics and, as ``"protocol"``, the settings of the measurement; see ``evaluation.compare``.

    Raises:
      ValueError: if a metric cannot be computed for this experiment, or the samples are not finite.
    """
    validate_metrics(experiment, metrics, count)
    chosen, key = choose_metrics(experiment, metrics), experiment.medium.key
    samples = SampleSource(experiment, state, count or min(MAX_SAMPLES, experiment.num_samples), seed, name, sample)
    reals, of_sets = experiment.reference if data is None else data, set_metrics(chosen)
    result = scores.compare(samples, reals, list(of_sets), features, progress=progress, key=key, known=of_sets)
    protocol = result.pop("protocol")
    for metric in (metric for metric, kind in chosen.items() if isinstance(kind, PathMetric)):
        if features is None:
            raise ValueError(f"`features` must be a feature extractor for the metric {metric}, got None.")
        result[figure_name(metric, features.protocol)] = path_length(samples, features, progress)
        protocol[metric] = {"epsilon": PATH_EPSILON, "space": "z", "central_share": CENTRAL_SHARE}
    result |= paired_figures(samples, experiment.reference, chosen, key)
    protocol["data"] |= compared_examples(experiment)
    protocol["samples"] |= {"step": int(state.step), "seed": seed, "averaged": sorted(state.ema)}
    return {**result, "protocol": protocol}
