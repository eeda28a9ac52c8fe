"""The Frechet distance of two sets in one call, with the best features that there are for them."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from jaxgan.core import system
from jaxgan.data import as_source
from jaxgan.evaluation.classifier import train_classifier
from jaxgan.evaluation.extractors import WEIGHTS_SOURCE, FeatureExtractor, InceptionFeatures
from jaxgan.evaluation.metric_names import figure_name, format_result
from jaxgan.evaluation.scores import compare


@dataclasses.dataclass(frozen=True, repr=False)
class Distance:
    """A Frechet distance, and what it was measured with. ``float(distance)`` is its value.

    Attributes:
      name: ``fid`` where the features are Inception's 2,048, ``fd_classifier`` where they are the small classifier's;
        see ``jaxgan.evaluation.metric_names``.
      value: the distance; smaller is nearer, and 0 is the distance of equal sets.
      protocol: everything that it depends on: the sets, the features and the versions.
    """

    name: str
    value: float
    protocol: dict[str, Any]

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return "\n".join(format_result({self.name: self.value, "protocol": self.protocol}))


def fid(
    samples: Any,
    data: Any,
    *,
    weights: str | Path | None = None,
    features: FeatureExtractor | None = None,
    resolution: int | None = None,
    count: int | None = None,
    resize: Literal["tf1", "clean"] = "tf1",
) -> Distance:
    """The Frechet distance of samples to data. Heusel et al. 2017, 1706.08500.

    With ``weights`` the features are Inception's 2,048, and the figure is the published ``fid``. Nothing is downloaded:
    without ``weights`` a small classifier is trained on the labels of ``data``, once, and kept below ~/.cache/jaxgan.
    That figure is called ``fd_classifier``, and compares with figures of the same data and classifier alone.

    Args:
      samples: a folder, a file or a name as ``jaxgan.data.load`` takes it; a ``Source``; or an array, [N, height,
        width, C], uint8 or floats in [-1, 1].
      data: the set that they are compared with, likewise.
      weights: Inception's weights, a file of pytorch-fid or torch-fidelity.
      features: features of another network, or an extractor that is used for several calls; it is not given together
        with ``weights``.
      resolution: make the images of both sets this high and wide.
      count: use so many examples of each set, evenly from first to last.
      resize: how images get Inception's size; see ``InceptionFeatures``.

    Raises:
      TypeError: one of the sets is of another kind, or ``features`` is no extractor.
      ValueError: there are neither weights nor labels, or the sets cannot be compared; the message says why.
      OSError: the weights cannot be read.
    """
    if features is not None and weights is not None:
        raise ValueError("`features` and `weights` cannot both be given: `weights` are Inception's.")
    if features is not None and not (callable(features) and hasattr(features, "protocol")):
        raise TypeError(
            "`features` must be a feature extractor, such as jaxgan.evaluation.InceptionFeatures(weights), or None, "
            f"got {features!r}. Give the file of Inception's weights as `weights`; without both, a classifier is "
            "trained on the labels of `data`."
        )
    fake, real = (
        as_source(x, resolution=resolution, argument=name) for x, name in ((samples, "samples"), (data, "data"))
    )
    if features is None and weights is not None:
        features = InceptionFeatures(weights, resize=resize)
    elif features is None:
        if not real.classes:
            raise ValueError(
                f"`data` ({real.name}) has no labels to train a classifier on, and `weights` are not given, so there "
                f"are no features to compare. Give data with labels, or Inception's file as `weights`: {WEIGHTS_SOURCE}"
            )
        features = train_classifier(real, cache=system.classifier_directory())
    result = compare(fake, real, ("fid",), features, count=count)
    name = figure_name("fid", features.protocol)
    return Distance(name, float(result[name]), result["protocol"])
