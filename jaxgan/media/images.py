"""The medium of images, and of images that are generated from other images."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import Source, normalize
from jaxgan.drawing import to_bytes
from jaxgan.media.medium import Medium

USUAL_BASE = 4  # base_resolution of most papers
# Brightest value, of 255, of images that are almost black. A file of 16 bits that contains values of 12 bits is one.
ALMOST_BLACK = 16
INSPECTED = 16  # number of examples that are inspected for it
MAX_PIXELS_ON_CPU = 128**2  # largest number of pixels of an image for which a CPU is fast enough


@dataclasses.dataclass(frozen=True)
class Images(Medium):
    """Images, [height, width, C], uint8 from 0 to 255 or floats in [-1, 1]. Networks receive floats in [-1, 1]."""

    name = noun = "images"
    default_metrics = ("fid", "kid", "prdc")

    def check(self, source: Source) -> None:
        if len(source.shape) != 3:
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment requires images, of shape "
                "(height, width, channels)."
            )

    def advice(self, config: Any, source: Source, on_cpu: bool = False) -> list[str]:
        if len(source.shape) != 3:
            return []
        return [*_about_size(config, source, on_cpu), *_about_brightness(source)]

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return normalize(dict(batch))

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"image": to_bytes(samples)}

    def view(self, samples: np.ndarray) -> np.ndarray | None:
        return samples if samples.ndim == 4 else None

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"images": samples.astype(np.float32)}

    @property
    def metrics(self):
        from jaxgan.evaluation import scores

        return scores.IMAGE_METRICS

    def features(self, source, name=None, *, weights=None, resize="tf1", cache: Path | None = None, progress=None):
        from jaxgan.evaluation import extractors

        return extractors.make_extractor(name, weights, resize, source, cache, progress=progress)


@dataclasses.dataclass(frozen=True)
class Pairs(Images):
    """Images, each of which is generated from an image that the batch contains as ``input``."""

    name = "pairs"


def _about_size(config: Any, source: Source, on_cpu: bool) -> list[str]:
    """Return advice that depends on the size of the images."""
    height, width, _ = source.shape
    base, sentences = getattr(config, "base_resolution", USUAL_BASE), []
    if base < USUAL_BASE and height >= 8 * USUAL_BASE:
        sentences.append(
            f"`base_resolution` {base} is meant for images of 8 x 8 or 16 x 16. For images of {width} x {height}, it "
            f"makes the generator's first layers very wide. Set `base_resolution` to {USUAL_BASE}."
        )
    if on_cpu and height * width > MAX_PIXELS_ON_CPU:
        sentences.append(
            f"Training on images of {width} x {height} takes days on a CPU. Set `resolution` to 64, or use an "
            "accelerator."
        )
    return sentences


def _about_brightness(source: Source) -> list[str]:
    """Return advice that depends on the pixels of some examples, which are at equal intervals."""
    images = source.read(np.unique(np.linspace(0, len(source) - 1, INSPECTED).astype(int)))["image"]
    if images.dtype != np.uint8 or images.max() > ALMOST_BLACK:
        return []
    return [
        f"The brightest pixel of {len(images)} examples of `data` is {images.max()} of 255, so the images are almost "
        "black. If their files contain values of 10 or 12 bits, scale the values to 16 bits first."
    ]
