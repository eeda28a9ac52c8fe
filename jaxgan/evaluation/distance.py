"""Compute the Frechet distance between two sets of images with one function call."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from jaxgan.core import system
from jaxgan.data import as_source
from jaxgan.evaluation.extractors import FeatureExtractor, InceptionFeatures, make_extractor
from jaxgan.evaluation.metric_names import figure_name, format_result
from jaxgan.evaluation.scores import compare


@dataclasses.dataclass(frozen=True, repr=False)
class Distance:
    """Frechet distance, with a record of how it was measured. ``float(distance)`` returns the value.

    Attributes:
      name: the name of the metric, which depends on the features: ``fid`` for Inception's 2,048 features, and
        ``fd_classifier`` for the features of the small classifier. ``jaxgan.evaluation.metric_names`` lists all names.
      value: the distance, at least 0. Smaller is better. The distance between equal sets is 0.
      protocol: everything that the value depends on: the two sets, the features, and the versions of the libraries.
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
    """Compute the Frechet distance between samples and data: Heusel et al. 2017, arXiv:1706.08500.

    If ``weights`` are given, the function uses the 2,048 features of Inception, and the result is the published
    ``fid``. Otherwise, it uses the features of a small classifier, which is trained once on the labels of ``data`` and
    cached in ~/.cache/jaxgan. The result then has the name ``fd_classifier`` and is only comparable with results for
    the same data and the same classifier. Without labels, it uses a fixed random network, and the result has the name
    ``fd_random``. The function never downloads anything.

    Args:
      samples: a folder, a file or a name that ``jaxgan.data.load`` accepts; a ``Source``; or an array, [N, height,
        width, C], of uint8 or of floats in [-1, 1].
      data: the examples that the samples are compared with. The same types as for ``samples`` are accepted.
      weights: file with Inception's weights, from pytorch-fid or torch-fidelity.
      features: feature extractor; None selects one as described above. Pass a feature extractor to use another network,
        or to load Inception's weights only once for several calls. It cannot be combined with ``weights``.
      resolution: height and width to which the images of both sets are resized. None does not resize them.
      count: number of examples of each set to use, evenly spaced from the first to the last. None uses all.
      resize: method that resizes images to Inception's input size; see ``InceptionFeatures``.

    Raises:
      TypeError: if one of the sets has another type, or ``features`` is not a feature extractor.
      ValueError: if the sets cannot be compared.
      OSError: if the weights cannot be read.

    Warns:
      UserWarning: if there are neither weights nor labels, so that the features of a random network are used.
    """
    if features is not None and weights is not None:
        raise ValueError(
            "`features` and `weights` cannot both be given, because `weights` are for Inception. Omit one of them."
        )
    if features is not None and not (callable(features) and hasattr(features, "protocol")):
        raise TypeError(
            "`features` must be a feature extractor, such as jaxgan.evaluation.InceptionFeatures(weights), or None, "
            f"got {features!r}. To use Inception, pass the file with its weights as `weights`. Without `features` and "
            "`weights`, a classifier is trained on the labels of `data`, or a random network is used."
        )
    uncropped = features is None or getattr(features, "resizes_images", False)
    fake, real = (
        as_source(x, resolution=resolution, argument=name, uncropped=uncropped)
        for x, name in ((samples, "samples"), (data, "data"))
    )
    if features is None and weights is not None:
        features = InceptionFeatures(weights, resize=resize)
    elif features is None:
        features = make_extractor(None, None, resize, real, system.classifier_directory())
    result = compare(fake, real, ("fid",), features, count=count)
    name = figure_name("fid", features.protocol)
    return Distance(name, float(result[name]), result["protocol"])
