"""Evaluations of checkpoints while a run goes on."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.state import State
from jaxgan.data.source import Part
from jaxgan.evaluation import scores as evaluation
from jaxgan.evaluation.features import Features
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.quality import MOST, _of_sets, check, evaluate, score
from jaxgan.monitoring import metrics_file


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
        if "cas" in self._metrics and not (self._experiment.sampling.classes and self._experiment.measured.classes):
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
