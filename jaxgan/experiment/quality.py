"""How near an experiment's samples are to its data."""

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
from jaxgan.data import as_float
from jaxgan.data.source import Source
from jaxgan.editing.interpolation import slerp
from jaxgan.evaluation import scores as evaluation
from jaxgan.evaluation.features import Features, as_bytes
from jaxgan.evaluation.scores import READ
from jaxgan.experiment.experiment import SAMPLE_BATCH, Experiment, _parts
from jaxgan.metrics import gaussian_distance, moments, perceptual_path_length, psnr, ssim
from jaxgan.metrics.perceptual_path_length import KEPT

SCORE_SAMPLES = 1024


class PixelScore:
    """A quick score for the best checkpoint, lower is better: the Fréchet distance on pixels.

    Images are first averaged down to at most 8 x 8 and grey, voxels to 4 x 4 x 4, so it is cheap, and blind to detail:
    for choosing among checkpoints of one run, not for comparing models.
    """

    def __init__(self, experiment: Experiment, seed: int):
        source = experiment.measured
        count = min(SCORE_SAMPLES, len(source))
        chosen = np.sort(np.random.default_rng(seed).choice(len(source), count, replace=False))
        # Few at a time: coarse images are small, what they are made from is not.
        parts = (source.read(part)["image"] for part in _parts(chosen, SAMPLE_BATCH))
        self._real = moments(np.concatenate([_coarse(np.asarray(as_float({"image": x})["image"])) for x in parts]))
        self._z = experiment.draw(seed + 1, np.arange(count))
        self._sample = experiment.sampler()

    def __call__(self, state: State) -> float:
        if self._real.count < 2:
            return float("inf")  # one example has no covariance
        pixels = np.concatenate([_coarse(self._sample(state, z)) for z in _parts(self._z, SAMPLE_BATCH)])
        if not np.isfinite(pixels).all():
            return float("inf")
        fake = moments(pixels)
        return gaussian_distance(fake.mean, fake.covariance, self._real.mean, self._real.covariance)


def _coarse(images: np.ndarray) -> np.ndarray:
    """[N, h, w, C], or voxels, [N, d, h, w, C], to features [N, at most 64]; anything else, flat, to its first 64."""
    if images.ndim < 4:
        return images.reshape(len(images), -1)[:, :64]
    grey = images.mean(-1)
    space = grey.shape[1:]
    most = round(64 ** (1 / len(space)))  # cells along each
    by = [max(1, -(-n // most)) for n in space]
    cut = grey[(slice(None), *(slice(n // k * k) for n, k in zip(space, by)))]
    cells = cut.reshape(len(grey), *(part for n, k in zip(space, by) for part in (n // k, k)))
    return cells.mean(tuple(range(2, cells.ndim, 2))).reshape(len(grey), -1)


MOST = 50_000  # samples, if not told: as many as published figures have


EPSILON = 1e-4  # of a path, its step


class PairedMetric(NamedTuple):
    """A measure of each sample and what it should be, [N, h, w, C] from 0 to 255, to [N]."""

    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    higher: bool


PAIRED = {
    "l1": PairedMetric(lambda x, y: np.abs(x - y).mean((1, 2, 3)) / 127.5, higher=False),
    "psnr": PairedMetric(lambda x, y: psnr(x, y, low=0, high=255), higher=True),
    "ssim": PairedMetric(lambda x, y: ssim(x, y, low=0, high=255), higher=True),
}


METRICS = (*evaluation.METRICS, "ppl", *PAIRED)


class SampleSource:
    """A ``Source`` of samples, drawn when they are read, in bytes as a file has them; classes in turn.

    Args:
      experiment: what draws them.
      state: with which weights.
      count: how many.
      seed: which; sample i of a seed is the same for any count.
      name: for people.
      sample: an ``experiment.sampler()`` that is compiled already, if there is one.
    """

    def __init__(
        self, experiment: Experiment, state: State, count: int, seed: int, name: str, sample: Callable | None = None
    ):
        self.name, self.classes, self._count, self._seed = name, experiment.sampling.classes, count, seed
        self._experiment, self._sample = experiment, sample or experiment.sampler()
        self._state = jax.device_put(state)  # once, not with every batch
        self.shape = experiment.measured.shape

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The samples of these indices, and the classes that were asked for."""
        labels = self._labels(indices)
        samples = self._draw(self._experiment.draw(self._seed, indices), labels)
        asked = {} if labels is None else {"label": np.asarray(labels)}
        return {"image": media.to_bytes(samples), **asked}

    def on_paths(self, indices: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Samples at random points of paths between latents, and ``epsilon`` further on: floats, not rounded."""
        keys, labels = keys_of(self._seed, indices), self._labels(indices)
        one, other = (self._experiment.sampling.latents(fold_in_keys(keys, n)) for n in (1, 2))
        t = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 3)))(keys)
        t = t.reshape(-1, *(1,) * (one.ndim - 1))
        start, end = slerp(one, other, t), slerp(one, other, t + epsilon)
        return self._draw(start, labels), self._draw(end, labels)

    def _labels(self, indices: np.ndarray) -> jax.Array | None:
        return jnp.asarray(indices) % len(self.classes) if self.classes else None

    def _draw(self, z: jax.Array, labels: jax.Array | None) -> np.ndarray:
        samples = self._sample(self._state, z, labels)
        if not np.isfinite(samples).all():
            raise ValueError(f"{self.name}: its samples are not finite, the run has diverged")
        return samples


def path_length(drawn: SampleSource, features: Features, progress: evaluation.Progress | None = None) -> float:
    """``perceptual_path_length`` of a generator, of as many paths as there are samples."""
    parts = []
    for at in np.array_split(np.arange(len(drawn)), -(-len(drawn) // READ)):
        parts.append([features.exact(images) for images in drawn.on_paths(at, EPSILON)])
        if progress:
            progress(f"paths of {drawn.name}", int(at[-1]) + 1, len(drawn))
    start, end = (np.concatenate(x) for x in zip(*parts))
    return perceptual_path_length(start, end, EPSILON)


def likeness(drawn: SampleSource, wanted: Source, metrics: Sequence[str]) -> dict[str, float]:
    """Of ``PAIRED`` those asked for, of each sample and the example that it should be, averaged."""
    sums = dict.fromkeys((name for name in PAIRED if name in metrics), 0.0)
    for at in np.array_split(np.arange(len(drawn)), -(-len(drawn) // READ)) if sums else ():
        made, real = drawn.read(at)["image"], as_bytes(wanted.read(at)["image"])
        for name in sums:
            sums[name] += float(np.sum(PAIRED[name].measure(made.astype(np.float64), real.astype(np.float64))))
    return {name: value / len(drawn) for name, value in sums.items()}


def looks_at_features(metrics: Sequence[str]) -> bool:
    """Whether any of the metrics asks for more than pixels."""
    pixels = {name for name, metric in evaluation.METRICS.items() if set(metric.looks_at) <= {"images"}}
    return not set(metrics) <= {*PAIRED, *pixels}


def validate_metrics(experiment: Experiment, metrics: Sequence[str], count: int | None) -> None:
    """``ValueError`` for what cannot be asked of this experiment's samples."""
    paired = experiment.image_to_image is not None and experiment.image_to_image.paired
    if not paired and set(PAIRED) & set(metrics):
        named = ", ".join(name for name in metrics if name in PAIRED)
        raise ValueError(f"--metrics {named}: of pairs, and no image here says what a sample should be")
    if experiment.inputs is not None:
        if "ppl" in metrics:
            raise ValueError("--metrics ppl: of paths between latents, and these samples are made of images")
        if count is not None and count > experiment.samples:
            raise ValueError(f"--count {count}: there are {experiment.samples:,} images to make samples of")


def check(metrics: Sequence[str], count: int | None) -> None:
    """``ValueError`` for metrics that are none, or a count of samples that is too small."""
    if count is not None and count < 2:
        raise ValueError(f"--count {count}: at least 2")
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown or not metrics:
        raise ValueError(f"--metrics {', '.join(unknown) or 'none'}: want some of {', '.join(METRICS)}")


def _of_sets(metrics: Sequence[str]) -> list[str]:
    return [metric for metric in metrics if metric in evaluation.METRICS]


def write(result: Mapping[str, Any], out: Path) -> None:
    """The figures and their protocol as JSON, in folders that are made if need be.

    Raises:
      OSError: it cannot be written; the message says where.
    """
    with writing_out(out):
        out.write_text(json.dumps(result, indent=2) + "\n")


def score(result: dict[str, Any], metric: str) -> float:
    """Of a result the figure by which checkpoints are ranked, the lower the better: the first of the metric's."""
    value = result[getattr(evaluation.METRICS.get(metric), "figure", "") or metric]
    return -value if any(own[metric].higher for own in (evaluation.METRICS, PAIRED) if metric in own) else value


def evaluate(
    experiment: Experiment,
    state: State,
    metrics: Sequence[str],
    features: Features | None,
    *,
    count: int | None = None,
    seed: int = 0,
    name: str = "samples",
    sample: Callable | None = None,
    data: evaluation.SampleStats | None = None,
    progress: evaluation.Progress | None = None,
) -> dict[str, Any]:
    """``evaluation.compare`` of samples with all of the run's data.

    Args:
      experiment, state: what draws samples, with averaged weights where it has them.
      metrics: of ``METRICS``: those of sets, and of a generator.
      features: what is looked at; None where only pixels are, see ``looks_at_features``.
      count: of samples; as many as there are data, at most 50,000, if not given.
      seed: of the samples.
      name: of the samples, for people.
      sample, data: what several evaluations share: the experiment's sampler, and what was seen of its data.
      progress: is told of each batch.

    Raises:
      ValueError: what was asked for cannot be measured, or the samples are not finite.
    """
    check(metrics, count)
    validate_metrics(experiment, metrics, count)
    drawn = SampleSource(experiment, state, count or min(MOST, experiment.samples), seed, name, sample)
    result = evaluation.compare(drawn, data or experiment.measured, _of_sets(metrics), features, progress=progress)
    protocol = result.pop("protocol")
    if "ppl" in metrics:
        if features is None:
            raise ValueError("ppl: it looks at features, and none are given")
        result["ppl"] = path_length(drawn, features, progress)
        protocol["ppl"] = {"epsilon": EPSILON, "space": "z", "kept": KEPT}
    result |= likeness(drawn, experiment.measured, metrics)
    protocol["samples"] |= {"step": int(state.step), "seed": seed, "averaged": sorted(state.ema)}
    return {**result, "protocol": protocol}
