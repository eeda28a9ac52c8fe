"""A run's samples against its data: the figures, and in JSON the whole protocol behind them."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import media
from jaxgan.core.files import to_out
from jaxgan.core.game import State
from jaxgan.core.keys import keys_of, others
from jaxgan.data.source import Part, Source
from jaxgan.editing.interpolation import slerp
from jaxgan.evaluation import scores as evaluation
from jaxgan.evaluation.features import Features, as_bytes
from jaxgan.evaluation.scores import READ
from jaxgan.experiment.experiment import Experiment
from jaxgan.metrics import perceptual_path_length, psnr, ssim
from jaxgan.metrics.perceptual_path_length import KEPT
from jaxgan.monitoring import metrics_file

MOST = 50_000  # samples, if not told: as many as published figures have
EPSILON = 1e-4  # of a path, its step


class Likeness(NamedTuple):
    """A measure of each sample and what it should be, [N, h, w, C] from 0 to 255, to [N]."""

    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    higher: bool


PAIRED = {
    "l1": Likeness(lambda x, y: np.abs(x - y).mean((1, 2, 3)) / 127.5, higher=False),
    "psnr": Likeness(lambda x, y: psnr(x, y, low=0, high=255), higher=True),
    "ssim": Likeness(lambda x, y: ssim(x, y, low=0, high=255), higher=True),
}
METRICS = (*evaluation.METRICS, "ppl", *PAIRED)


class Drawn:
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
        self.name, self.classes, self._count, self._seed = name, experiment.classes, count, seed
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
        one, other = (self._experiment.latents(others(keys, n)) for n in (1, 2))
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


def path_length(drawn: Drawn, features: Features, progress: evaluation.Progress | None = None) -> float:
    """``perceptual_path_length`` of a generator, of as many paths as there are samples."""
    parts = []
    for at in np.array_split(np.arange(len(drawn)), -(-len(drawn) // READ)):
        parts.append([features.exact(images) for images in drawn.on_paths(at, EPSILON)])
        if progress:
            progress(f"paths of {drawn.name}", int(at[-1]) + 1, len(drawn))
    start, end = (np.concatenate(x) for x in zip(*parts))
    return perceptual_path_length(start, end, EPSILON)


def likeness(drawn: Drawn, wanted: Source, metrics: Sequence[str]) -> dict[str, float]:
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


def suits(experiment: Experiment, metrics: Sequence[str], count: int | None) -> None:
    """``ValueError`` for what cannot be asked of this experiment's samples."""
    if not experiment.paired and set(PAIRED) & set(metrics):
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
    with to_out(out):
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
    data: evaluation.Seen | None = None,
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
    suits(experiment, metrics, count)
    drawn = Drawn(experiment, state, count or min(MOST, experiment.samples), seed, name, sample)
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


class Evaluator:
    """Evaluates checkpoints as a run goes, on the thread that writes them, and keeps the figures in a file.

    Args:
      experiment, metrics, features, count, seed: ``evaluate``'s.
    """

    def __init__(
        self, experiment: Experiment, metrics: Sequence[str], features: Features | None, count: int | None, seed: int
    ):
        check(metrics, count)
        self._experiment, self._metrics, self._features = experiment, metrics, features
        self._count, self._seed = count, seed
        self._sample, self._reals = experiment.sampler(), None
        self._path, self._say = None, print
        what = [metrics[0], features.protocol if features else None, count, seed]
        self.by = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]

    def rehearse(self, state: State) -> None:
        """``ValueError`` for what cannot be measured of this experiment, before it has been trained for hours."""
        least = max((evaluation.METRICS[name].least for name in _of_sets(self._metrics)), default=2)
        count = self._count or min(MOST, self._experiment.samples)
        if count < least:
            raise ValueError(f"--evaluate-count {count}: {', '.join(self._metrics)} needs {least}")
        if "cas" in self._metrics and not (self._experiment.classes and self._experiment.measured.classes):
            raise ValueError("--metrics cas: it compares labels, and samples of this experiment have none")
        quick = [name for name in self._metrics if name != "cas"]
        data = self._experiment.measured
        few = Part(data, np.arange(min(max(least, 16), len(data))))
        with warnings.catch_warnings():  # no other thread runs yet
            warnings.simplefilter("ignore", UserWarning)
            if quick:
                seen = evaluation.look(few, _of_sets(quick), self._features)
                count = min(max(least, 16), self._experiment.samples) if self._experiment.inputs else max(least, 16)
                evaluate(self._experiment, state, quick, self._features, count=count, sample=self._sample, data=seen)

    def open(self, path: Path, step: int, say: Callable[[str], None]) -> None:
        """Write to this file, after what it has up to a step; and tell ``say``."""
        metrics_file.cut_after(path, step)
        self._path, self._say = path, say

    def __call__(self, step: int, states: Mapping[int, State], members: int) -> float:
        """The score of the best of the states, by member; a row of figures, of a population a list for each."""
        if self._reals is None:
            self._reals = evaluation.look(self._experiment.measured, _of_sets(self._metrics), self._features)
        results = {}
        for i, state in states.items():
            try:
                results[i] = evaluate(
                    *(self._experiment, state, self._metrics, self._features),
                    count=self._count,
                    seed=self._seed,
                    sample=self._sample,
                    data=self._reals,
                )
            except ValueError as error:  # of one member; the others are evaluated
                self._say(f"step {step}: not evaluated: {error}")
        scores = [score(result, self._metrics[0]) for result in results.values()]
        if scores:
            self._write(step, results, members)
        return min((x for x in scores if np.isfinite(x)), default=np.inf)

    def _write(self, step: int, results: Mapping[int, dict[str, Any]], members: int) -> None:
        first = next(iter(results.values()))
        row: dict[str, Any] = {"step": step}
        for name in (name for name in first if name != "protocol"):
            values = [results[i][name] if i in results else None for i in range(members)]
            row[name] = [x if x is not None and np.isfinite(x) else None for x in values]
        means = {name: metrics_file.middle(values) for name, values in row.items() if name != "step"}
        told = [f"{name} {mean:.4g}" for name, mean in means.items() if mean is not None]
        self._say(f"step {step}: {', '.join(told)}")
        if self._path:
            flat = {name: x[0] if isinstance(x, list) and members == 1 else x for name, x in row.items()}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**flat, "protocol": first["protocol"]}, allow_nan=False) + "\n")
