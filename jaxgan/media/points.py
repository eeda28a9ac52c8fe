"""The medium of points: vectors of a few numbers."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.data import Source, normalize
from jaxgan.drawing import render_points
from jaxgan.media.medium import Medium

# Metrics of features that need neither logits nor a network with which they were published.
FEATURE_METRICS = ("fid", "kid", "prdc", "authenticity")


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
    def metrics(self):
        from jaxgan.evaluation import scores

        return {name: scores.METRICS[name] for name in FEATURE_METRICS}

    def features(self, source, name=None, *, weights=None, resize="tf1", cache=None, progress=None):
        from jaxgan.evaluation import extractors

        return extractors.array_features(self.name, name, weights)
