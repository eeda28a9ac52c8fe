"""A run's samples against its data: the figures, and in JSON the whole protocol behind them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import evaluation, sampling
from jaxgan.game import State
from jaxgan.metrics.features import Features
from jaxgan.training.experiment import Experiment

MOST = 50_000  # samples, if not told: as many as published figures have


class Drawn:
    """A ``Source`` of samples, drawn when they are read, in bytes as a file has them; classes in turn.

    Args:
      experiment: what draws them.
      state: with which weights.
      count: how many.
      seed: which; sample i of a seed is the same for any count.
      name: for people.
    """

    def __init__(self, experiment: Experiment, state: State, count: int, seed: int, name: str):
        self.name, self.classes, self._count, self._seed = name, experiment.classes, count, seed
        self._experiment, self._state, self._sample = experiment, state, experiment.sampler()
        self.shape = self.read(np.zeros(1, int))["image"].shape[1:]

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The samples of these indices."""
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(self._seed), jnp.asarray(indices))
        labels = jnp.asarray(indices) % len(self.classes) if self.classes else None
        samples = self._sample(self._state, self._experiment.latents(keys), labels)
        if not np.isfinite(samples).all():
            raise ValueError(f"{self.name}: its samples are not finite, the run has diverged")
        return {"image": sampling.to_bytes(samples)}


def evaluate(
    experiment: Experiment,
    state: State,
    metrics: Sequence[str],
    features: Features,
    *,
    count: int | None = None,
    seed: int = 0,
    name: str = "samples",
) -> dict[str, Any]:
    """``evaluation.compare`` of samples with all of the run's data.

    Args:
      experiment, state: what draws samples, with averaged weights where it has them.
      metrics: of ``evaluation.METRICS``.
      features: what is looked at.
      count: of samples; as many as there are data, at most 50,000, if not given.
      seed: of the samples.
      name: of the samples, for people.

    Raises:
      ValueError: what was asked for cannot be measured, or the samples are not finite.
    """
    if count is not None and count < 2:
        raise ValueError(f"--count {count}: at least 2")
    drawn = Drawn(experiment, state, count or min(MOST, len(experiment.source)), seed, name)
    result = evaluation.compare(drawn, experiment.source, metrics, features)
    own = {"step": int(state.step), "seed": seed, "averaged": sorted(state.ema)}
    result["protocol"]["samples"] |= own
    return result
