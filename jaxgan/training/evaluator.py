"""Evaluations of checkpoints while a run goes on."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.state import State
from jaxgan.data.source import Subset
from jaxgan.evaluation import scores
from jaxgan.evaluation.extractors import FeatureExtractor
from jaxgan.experiment import quality
from jaxgan.experiment.experiment import Experiment
from jaxgan.monitoring import metrics_file


class Evaluator:
    """Evaluates checkpoints while a run goes on, on the thread that writes them, and appends the figures to a file.

    Args:
      experiment, metrics, features, count, seed: as for ``quality.evaluate``.

    Attributes:
      by: identifies how checkpoints are ranked. A resumed run compares its scores with those of the same ``by`` alone,
        so it must not change between versions.
    """

    def __init__(
        self,
        experiment: Experiment,
        metrics: Sequence[str],
        features: FeatureExtractor | None,
        count: int | None,
        seed: int,
    ):
        quality.check_metrics(metrics, count)
        self._experiment, self._metrics, self._features = experiment, metrics, features
        self._count, self._seed = count, seed
        self._sample, self._reals = experiment.sampler(), None
        self._path, self._say = None, print
        ranking = [metrics[0], features.protocol if features else None, count, seed]
        self.by = hashlib.sha256(json.dumps(ranking, sort_keys=True).encode()).hexdigest()[:16]

    def rehearse(self, state: State) -> None:
        """Evaluate a few samples, so that a metric that cannot be measured is known before hours of training.

        Raises:
          ValueError: a metric cannot be measured of this experiment.
        """
        least = max(2, scores.min_count(self._metrics))
        count = self._count or min(quality.MAX_SAMPLES, self._experiment.num_samples)
        if count < least:
            raise ValueError(f"`count` must be at least {least} for {', '.join(self._metrics)}, got {count}.")
        if "cas" in self._metrics and not (self._experiment.sampling.classes and self._experiment.reference.classes):
            raise ValueError("`metrics` cas compares labels, and samples of this experiment have none.")
        quick = [name for name in self._metrics if name != "cas"]
        if not quick:
            return
        data, few = self._experiment.reference, max(least, 16)
        count = min(few, self._experiment.num_samples) if self._experiment.inputs else few
        with warnings.catch_warnings():  # no other thread runs yet
            warnings.simplefilter("ignore", UserWarning)
            subset = Subset(data, np.arange(min(few, len(data))))
            stats = scores.collect_stats(subset, quality.set_metrics(quick), self._features)
            quality.evaluate(
                self._experiment, state, quick, self._features, count=count, sample=self._sample, data=stats
            )

    def open(self, path: Path, step: int, say: Callable[[str], None]) -> None:
        """Append to this file, after its rows up to a step; and pass a line for people to ``say``."""
        metrics_file.truncate_after(path, step)
        self._path, self._say = path, say

    def __call__(self, step: int, states: Mapping[int, State], members: int) -> float:
        """The score of the best of the states, by member; and a row of figures, lists of them for a population."""
        if self._reals is None:
            names = quality.set_metrics(self._metrics)
            self._reals = scores.collect_stats(self._experiment.reference, names, self._features)
        results = {}
        for member, state in states.items():
            try:
                results[member] = quality.evaluate(
                    self._experiment,
                    state,
                    self._metrics,
                    self._features,
                    count=self._count,
                    seed=self._seed,
                    sample=self._sample,
                    data=self._reals,
                )
            except ValueError as error:  # concerns one member; the others are evaluated
                self._say(f"step {step}: not evaluated: {error}")
        if results:
            self._write(step, results, members)
        ranking = [quality.ranking_score(result, self._metrics[0]) for result in results.values()]
        return min((score for score in ranking if np.isfinite(score)), default=np.inf)

    def _write(self, step: int, results: Mapping[int, dict[str, Any]], members: int) -> None:
        first = next(iter(results.values()))
        row: dict[str, Any] = {"step": step}
        for name in (name for name in first if name != "protocol"):
            values = [results[i][name] if i in results else None for i in range(members)]
            row[name] = [x if x is not None and np.isfinite(x) else None for x in values]
        means = {name: metrics_file.finite_mean(values) for name, values in row.items() if name != "step"}
        figures = [f"{name} {mean:.4g}" for name, mean in means.items() if mean is not None]
        self._say(f"step {step}: {', '.join(figures)}")
        if self._path:
            if members == 1:
                row = {name: x[0] if isinstance(x, list) else x for name, x in row.items()}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "protocol": first["protocol"]}, allow_nan=False) + "\n")
