"""Evaluate the checkpoints of a run while it trains."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.files import naming
from jaxgan.core.state import State
from jaxgan.core.text import say
from jaxgan.data import Source, Subset
from jaxgan.evaluation import scores
from jaxgan.evaluation.extractors import FeatureExtractor
from jaxgan.experiment import quality
from jaxgan.experiment.experiment import SAMPLE_BATCH, Experiment
from jaxgan.monitoring import metrics_file


class Evaluator:
    """Evaluates the checkpoints of a run while it trains, and appends the results to a file.

    The thread that writes the checkpoints calls the evaluator.

    Args:
      experiment, metrics, features, count, seed: as for ``quality.evaluate``. The first metric is the score by which
        checkpoints are compared.

    Attributes:
      by: an identifier of the method that scores checkpoints. A resumed run compares only scores with the same
        identifier. Therefore, the identifier of a method must not change between versions of jaxgan.
    """

    def __init__(
        self,
        experiment: Experiment,
        metrics: Sequence[str],
        features: FeatureExtractor | None,
        count: int | None,
        seed: int,
    ):
        quality.check_count(count)
        self._experiment, self._metrics, self._features = experiment, metrics, features
        self._count, self._seed = count, seed
        self._sample, self._reals = experiment.sampler(count or SAMPLE_BATCH), None
        self._path, self._say = None, say
        ranking = [metrics[0], features.protocol if features else None, count, seed]
        self.by = hashlib.sha256(json.dumps(ranking, sort_keys=True).encode()).hexdigest()[:16]

    def rehearse(self, state: State) -> None:
        """Evaluate a few samples before training starts, to detect metrics that cannot be computed for the experiment.

        Args:
          state: the state before the first step, or the restored state.

        Raises:
          ValueError: if a metric cannot be computed for this experiment, or if there are too few samples.
        """
        chosen = quality.choose_metrics(self._experiment, self._metrics)
        least = max(2, scores.min_count(self._metrics, chosen))
        count = self._count or min(quality.MAX_SAMPLES, self._experiment.num_samples)
        if count < least:
            raise ValueError(f"`count` must be at least {least} for {', '.join(self._metrics)}, got {count}.")
        of_sets = quality.set_metrics(chosen)
        of_classes = [name for name, metric in of_sets.items() if metric.needs_labels]
        if of_classes and not (self._experiment.sampling.classes and self._experiment.reference.classes):
            raise ValueError(
                f"`metrics` {of_classes[0]} requires labels, but the samples of this experiment have no labels."
            )
        quick = [name for name in self._metrics if not (name in of_sets and of_sets[name].trains)]
        if not quick:
            return
        data, few = self._experiment.reference, max(least, 16)
        count = min(few, self._experiment.num_samples) if self._experiment.inputs else few
        with warnings.catch_warnings():  # this is not thread-safe, but no other thread runs yet
            warnings.simplefilter("ignore", UserWarning)
            subset = Subset(data, np.arange(min(few, len(data))))
            stats = self._collect_stats(subset, quick)
            quality.evaluate(
                self._experiment, state, quick, self._features, count=count, sample=self._sample, data=stats
            )

    def _collect_stats(self, source: Source, metrics: Sequence[str]) -> scores.SampleStats:
        """Return the statistics of examples of the data that metrics need."""
        of_sets = quality.set_metrics(quality.choose_metrics(self._experiment, metrics))
        key = self._experiment.medium.key
        return scores.collect_stats(source, list(of_sets), self._features, key=key, known=of_sets)

    def open(self, path: Path, step: int, say: Callable[[str], None]) -> None:
        """Set the output of the evaluations.

        Args:
          path: the file to append results to. Its rows after ``step`` are removed.
          step: the step that the run starts or resumes after.
          say: called with one line for each evaluation.
        """
        metrics_file.truncate_after(path, step, say)
        self._path, self._say = path, say

    def __call__(self, step: int, states: Mapping[int, State], members: int) -> float:
        """Evaluate the states of a checkpoint and write their results as one row.

        Args:
          step: the step of the checkpoint.
          states: dictionary from the indices of members to the states to evaluate.
          members: number of members of the run. In the row of a population, each metric is a list with one number per
            member.

        Returns:
          The score of the checkpoint, which is the lowest score among the states; infinity if no state has a finite
          score.
        """
        if self._reals is None:
            self._reals = self._collect_stats(self._experiment.reference, self._metrics)
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
            except ValueError as error:  # the other members can still be evaluated
                of_member = f" of member {member}" if members > 1 else ""
                self._say(f"step {step}: the evaluation{of_member} failed: {error}")
        if results:
            self._write(step, results, members)
        known = self._experiment.all_metrics
        ranking = [quality.ranking_score(result, self._metrics[0], known) for result in results.values()]
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
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "protocol": first["protocol"]}, allow_nan=False) + "\n")
