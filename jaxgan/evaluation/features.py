"""What a metric looks at: images to features, by Inception or by any function, in batches over all devices."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import jax
import numpy as np

from jaxgan import interop
from jaxgan.evaluation import inception
from jaxgan.evaluation.resize import resize_clean, resize_tf1
from jaxgan.metrics.checks import warn

WHERE = (
    "https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights has pt_inception-2015-12-05-6726825d.pth, 95 MB"
)
KNOWN = ("6726825d",)  # how the SHA-256 of pytorch-fid's and torch-fidelity's file begins
LAYERS = (64, 192, 768, 2048)  # those that figures are told of
BATCH = 64


class Features(Protocol):
    """Images, [N, height, width, C], uint8, to features, [N, D]; and what a figure has to be told with."""

    @property
    def protocol(self) -> dict[str, Any]:
        """What a figure has to be told with."""
        ...

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The features of images."""
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Of the classes that images may be of, [N, classes]: for the Inception Score, and for modes."""
        ...

    def exact(self, images: np.ndarray) -> np.ndarray:
        """The features of float images in [-1, 1] that are not rounded to bytes: for the perceptual path length."""
        ...


class InceptionFeatures:
    """Those of ``inception.Inception``, [N, layer] or logits [N, 1008], float32.

    Images are resized on their way; grey ones get three channels; floats in [-1, 1] are rounded to bytes first, as
    they would be in a file.

    Args:
      weights: a ``.pth`` of pytorch-fid or torch-fidelity, or an ``.npz`` with TensorFlow's names.
      layer: 64, 192, 768, 2048, ``"logits_unbiased"`` or ``"logits"``.
      resize: ``"tf1"`` is the FID's own, ``"clean"`` is clean-fid's; figures of one do not compare with the other's.
      devices: over which batches are dealt; all of this host's if not given.

    Raises:
      ValueError: the file is no such file, or has no weights for the layer.
      OSError: it cannot be read; the message says where to get one.

    Warns:
      UserWarning: the file is not a known one.
    """

    def __init__(
        self,
        weights: str | Path,
        layer: int | str = 2048,
        *,
        resize: Literal["tf1", "clean"] = "tf1",
        devices: Iterable[Any] | None = None,
    ):
        if resize not in ("tf1", "clean"):
            raise ValueError(f"resize {resize!r}: 'tf1' is the FID's own, 'clean' is clean-fid's")
        arrays, digest = read_weights(weights)
        if not digest.startswith(KNOWN):
            warn(f"{weights} (SHA-256 {digest[:8]}...) is not a known file of Inception's; {WHERE}")
        self._devices = list(jax.local_devices() if devices is None else devices)
        self._arrays, self._resize, self._layer = arrays, resize, layer
        self._networks: dict[int | str, tuple] = {}
        self._network(layer)
        self.protocol = {
            "features": "inception-v3-2015-12-05",
            "layer": layer,
            "weights": digest,
            "resize": resize,
        }

    def _network(self, layer: int | str) -> tuple:
        """The compiled network as far as a layer, and its parameters on each device; made when it is first asked."""
        if layer not in self._networks:
            params, network = inception.parameters(self._arrays, layer), inception.Inception(layer)
            run = jax.jit(
                lambda params, images: network.apply(params, resize_tf1(images, inception.SIZE)),
                compiler_options=_options(),
            )
            self._networks[layer] = run, [jax.device_put(params, device) for device in self._devices]
        return self._networks[layer]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """[N, height, width, 1 or 3] to [N, D]."""
        return self._of(images, self._layer)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """[N, 1008], without the bias, as the Inception Score has them."""
        return self._of(images, "logits_unbiased")

    def exact(self, images: np.ndarray) -> np.ndarray:
        """[N, D], of floats that are not rounded."""
        return self._of_numbers((np.asarray(images, np.float32) + 1) * 127.5, self._layer)

    def _of(self, images: np.ndarray, layer: int | str) -> np.ndarray:
        return self._of_numbers(as_bytes(images), layer)

    def _of_numbers(self, images: np.ndarray, layer: int | str) -> np.ndarray:
        run, params = self._network(layer)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        if images.shape[-1] != 3:
            raise ValueError(f"images of shape {images.shape}: Inception takes 1 or 3 channels, the last axis")
        found = []
        for i, start in enumerate(range(0, len(images), BATCH)):
            part, at = images[start : start + BATCH], i % len(self._devices)
            if self._resize == "clean":
                part = resize_clean(part, inception.SIZE)
            # The last one filled up: one program for all.
            part = np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), 0)])
            found.append(run(params[at], jax.device_put(part, self._devices[at])))
        return np.concatenate([np.asarray(x) for x in found])[: len(images)]


@functools.cache
def _options() -> dict[str, str]:
    """XLA's: without YNNPACK, whose convolutions take Inception twice as long on a CPU; none if it has no such."""
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a file of Inception's by name, and its SHA-256.

    Raises:
      OSError: it cannot be read; the message says where to get one.
      ValueError: it is of no format that is read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OSError(f"weights {path} cannot be read: {error.strerror}; {WHERE}") from error
    return interop.read_weights(path), digest


def as_bytes(images: np.ndarray) -> np.ndarray:
    """[N, height, width, C]: uint8 as they are; floats in [-1, 1] rounded to 0 to 255.

    Raises:
      ValueError: the shape or dtype is another, a value is outside [-1, 1], or there are no images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"images of shape {images.shape}: want [N, height, width, C]")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"images of {images.dtype}: want uint8 from 0 to 255, or floats from -1 to 1")
    if not (images.min() >= -1 and images.max() <= 1):  # also of NaN
        raise ValueError(
            f"images of {images.dtype} from {images.min():.4g} to {images.max():.4g}: floats are from -1 to 1; "
            "divide by 127.5 and subtract 1, or give uint8"
        )
    return np.rint((images.astype(np.float32) + 1) * 127.5).astype(np.uint8)
