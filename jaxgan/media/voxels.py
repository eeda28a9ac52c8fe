"""The medium of voxels: solid objects in a cube."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.data import Source, normalize
from jaxgan.drawing import render_solids, render_turning, to_bytes
from jaxgan.media.medium import Medium
from jaxgan.media.points import FEATURE_METRICS


@dataclasses.dataclass(frozen=True)
class Voxels(Medium):
    """Cubes of voxels, [n, n, n, 1], uint8 from 0 (empty) to 255 (solid) or floats in [-1, 1].

    Networks receive floats in [-1, 1]. Solids are drawn in perspective, and turn in animations.

    Attributes:
      up_axis: the axis of a cube that points up in pictures: 0, 1 or 2.

    Raises:
      ValueError: if ``up_axis`` is no axis of a cube.
    """

    up_axis: int = 2

    name = noun = "voxels"
    default_metrics = ("fid", "kid", "prdc")

    def __post_init__(self):
        if self.up_axis not in (0, 1, 2):
            raise ValueError(f"`up_axis` must be 0, 1 or 2, got {self.up_axis!r}.")

    def check(self, source: Source) -> None:
        if len(source.shape) != 4:
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment requires cubes of voxels, of "
                "shape (n, n, n, 1)."
            )

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return normalize(dict(batch))

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"image": to_bytes(samples)}

    def view(self, samples: np.ndarray) -> np.ndarray:
        return render_solids(samples, up_axis=self.up_axis)

    def film(self, samples: np.ndarray) -> np.ndarray:
        return render_turning(samples, up_axis=self.up_axis)

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"images": samples.astype(np.float32)}  # the name that data.load reads

    @property
    def metrics(self):
        from jaxgan.evaluation import scores

        return {name: scores.METRICS[name] for name in FEATURE_METRICS}

    def features(self, source, name=None, *, weights=None, resize="tf1", cache=None, progress=None):
        from jaxgan.evaluation import extractors

        return extractors.array_features(self.name, name, weights)
