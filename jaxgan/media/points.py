"""The medium of points: vectors of a few numbers."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.data import Source, normalize
from jaxgan.drawing import render_points
from jaxgan.media.medium import Medium

if TYPE_CHECKING:  # evaluation is imported when it is used, so that training starts without it
    from jaxgan.evaluation.scores import AnyMetric, SampleStats

# Metrics of features that need neither logits nor a network with which they were published.
FEATURE_METRICS = ("fid", "kid", "prdc", "authenticity")
# Largest number of points of each set that ``prdc`` compares. Its time is proportional to the
# square of this number.
PRDC_POINTS = 5_000
_SEED = 0  # seed of the choice of these points


@dataclasses.dataclass(frozen=True)
class Points(Medium):
    """Points, [D], floats, which networks receive as they are, or uint8, which become floats in [-1, 1].

    Points in the plane are drawn in one scatter plot.
    """

    name = noun = "points"
    values = "coordinates"
    tiles = False
    default_metrics = ("fid", "kid", "prdc")

    def check(self, source: Source) -> None:
        if len(source.shape) != 1:
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment requires points: ring, grid, "
                "swiss_roll, or an array of shape [N, D]."
            )

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return normalize(dict(batch))

    def view(self, samples: np.ndarray) -> np.ndarray | None:
        if samples.ndim == 4:
            return samples  # images of points that an experiment draws itself
        return render_points(samples)[None] if samples.shape[1:] == (2,) else None

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"images": samples.astype(np.float32)}  # the name that data.load reads

    @property
    def metrics(self) -> "Mapping[str, AnyMetric]":
        from jaxgan.evaluation import scores

        return {name: scores.METRICS[name] for name in FEATURE_METRICS} | {"prdc": _few(scores.METRICS["prdc"])}

    def features(self, source, name=None, *, weights=None, resize="tf1", cache=None, progress=None):
        from jaxgan.evaluation import extractors

        return extractors.array_features(self.name, name, weights)


def _few(metric):
    """Return a metric of the features of at most ``PRDC_POINTS`` points of each set, which are drawn at random."""

    def measure(samples: "SampleStats", data: "SampleStats") -> dict[str, float]:
        draws = np.random.default_rng(_SEED)
        return metric.measure(_choose(samples, draws), _choose(data, draws))

    def protocol(samples: int, data: int) -> dict[str, Any]:
        chosen = {"samples": min(samples, PRDC_POINTS), "data": min(data, PRDC_POINTS), "seed": _SEED}
        return metric.protocol(samples, data) | (chosen if max(samples, data) > PRDC_POINTS else {})

    return dataclasses.replace(metric, measure=measure, protocol=protocol)


def _choose(stats: "SampleStats", draws: np.random.Generator) -> "SampleStats":
    features = stats.features
    if len(features) <= PRDC_POINTS:
        return stats
    return stats._replace(features=features[draws.choice(len(features), PRDC_POINTS, replace=False)])
