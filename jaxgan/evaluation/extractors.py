"""Feature extractors: networks that turn images into the features that metrics compare."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import jax
import numpy as np

from jaxgan import interop
from jaxgan.data import Source
from jaxgan.evaluation import classifier, inception
from jaxgan.evaluation.metric_names import INCEPTION
from jaxgan.evaluation.preprocessing import as_bytes, resize_clean, resize_tf1
from jaxgan.metrics.checks import warn

WEIGHTS_SOURCE = (
    "https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights has pt_inception-2015-12-05-6726825d.pth, 95 MB"
)
KNOWN_DIGESTS = ("6726825d",)  # beginnings of the SHA-256 of pytorch-fid's and torch-fidelity's files
LAYERS = (64, 192, 768, 2048)  # of Inception, by their number of features
EXTRACTORS = ("classifier", *(f"inception-{layer}" for layer in LAYERS))
BATCH_SIZE = 64  # images that Inception sees at once on each device


class FeatureExtractor(Protocol):
    """A function of images, [N, height, width, C], uint8 or floats in [-1, 1], to features, [N, D].

    Images are as their source has them; ``preprocessing.as_bytes`` makes floats bytes.
    """

    @property
    def protocol(self) -> dict[str, Any]:
        """Everything that a figure of these features depends on, as JSON takes it.

        ``features`` names the network, and becomes part of the names of figures: see
        ``jaxgan.evaluation.metric_names``.
        """
        ...

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features of images, [N, D]."""
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of the classes that images may be of, [N, classes]: for the Inception Score, and for modes."""
        ...

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Features of float images in [-1, 1] that are not rounded to bytes: for the perceptual path length."""
        ...


class InceptionFeatures:
    """Features of ``inception.Inception``, [N, layer] or logits [N, 1008], float32.

    Images are resized first; grey images get three channels; floats in [-1, 1] are rounded to bytes, as they would be
    in a file.

    Args:
      weights: a ``.pth`` of pytorch-fid or torch-fidelity, or an ``.npz`` with TensorFlow's names.
      layer: 64, 192, 768, 2048, ``"logits_unbiased"`` or ``"logits"``.
      resize: ``"tf1"`` is the FID's own, ``"clean"`` is clean-fid's; figures of one do not compare with the other's.
      devices: the devices that batches are dealt to; all of this host's by default.

    Raises:
      ValueError: the file has another format, or no weights for the layer.
      OSError: the file cannot be read; the message says where to get one.

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
            raise ValueError(f"`resize` must be 'tf1', as in the FID, or 'clean', as in clean-fid, got {resize!r}.")
        arrays, digest = read_weights(weights)
        if not digest.startswith(KNOWN_DIGESTS):
            warn(f"{weights} (SHA-256 {digest[:8]}...) is not a known file of Inception's; {WEIGHTS_SOURCE}")
        self._devices = list(jax.local_devices() if devices is None else devices)
        self._arrays, self._resize, self._layer = arrays, resize, layer
        self._networks: dict[int | str, tuple] = {}
        self._network(layer)
        self.protocol = {
            "features": INCEPTION,
            "layer": layer,
            "weights": digest,
            "resize": resize,
        }

    def _network(self, layer: int | str) -> tuple:
        """The network up to a layer, compiled, and its parameters on each device; made when it is first needed."""
        if layer not in self._networks:
            params, network = inception.parameters(self._arrays, layer), inception.Inception(layer)

            def apply(params, images):
                return network.apply(params, resize_tf1(images, inception.SIZE))

            run = jax.jit(apply, compiler_options=_compiler_options())
            self._networks[layer] = run, [jax.device_put(params, device) for device in self._devices]
        return self._networks[layer]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features of images, [N, height, width, 1 or 3] to [N, D]."""
        return self._apply(as_bytes(images), self._layer)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits without the bias, [N, 1008], as the Inception Score takes them."""
        return self._apply(as_bytes(images), "logits_unbiased")

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Features of float images in [-1, 1] that are not rounded to bytes, [N, D]."""
        return self._apply((np.asarray(images, np.float32) + 1) * 127.5, self._layer)

    def _apply(self, images: np.ndarray, layer: int | str) -> np.ndarray:
        """The network's result for images from 0 to 255, of any real type."""
        run, params = self._network(layer)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        if images.shape[-1] != 3:
            raise ValueError(f"Inception takes images of 1 or 3 channels, the last axis, got shape {images.shape}.")
        found = []
        for i, start in enumerate(range(0, len(images), BATCH_SIZE)):
            part, device = images[start : start + BATCH_SIZE], i % len(self._devices)
            if self._resize == "clean":
                part = resize_clean(part, inception.SIZE)
            # The last batch is filled up, so that one compiled program serves all.
            part = np.concatenate([part, np.repeat(part[-1:], BATCH_SIZE - len(part), 0)])
            found.append(run(params[device], jax.device_put(part, self._devices[device])))
        return np.concatenate([np.asarray(x) for x in found])[: len(images)]


@functools.cache
def _compiler_options() -> dict[str, str]:
    """XLA's options that turn off YNNPACK, which doubles Inception's time on a CPU; {} if XLA has no such option."""
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a file of weights by name, and the SHA-256 of the file.

    Raises:
      OSError: the file cannot be read; the message says where to get one.
      ValueError: the file has another format.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OSError(f"`weights` {path} cannot be read: {error.strerror}; {WEIGHTS_SOURCE}") from error
    return interop.read_weights(path), digest


def make_extractor(
    name: str | None,
    weights: str | Path | None,
    resize: Literal["tf1", "clean"],
    data: Source,
    cache: Path | None,
    *,
    progress: Callable[..., None] | None = None,
) -> FeatureExtractor:
    """The feature extractor of a name.

    Args:
      name: one of ``EXTRACTORS``; None is ``inception-2048`` where there are ``weights``, else ``classifier``.
      weights: the file of Inception's weights.
      resize: how images get Inception's size, ``tf1`` or ``clean``.
      data: the labelled images that the classifier is trained on.
      cache: a directory where trained classifiers are kept; None keeps none.
      progress: told how far the classifier's training is, see ``train_classifier``.

    Raises:
      ValueError: the name is not known, or does not go with ``weights``; or there are no labels to train on.
      OSError: the weights cannot be read.
    """
    name = name or ("classifier" if weights is None else "inception-2048")
    if name not in EXTRACTORS:
        raise ValueError(f"`features` must be one of {', '.join(EXTRACTORS)}, got {name}.")
    if name == "classifier":
        if weights is not None:
            raise ValueError("`weights` are Inception's; the classifier is trained on the data and takes none.")
        return classifier.train_classifier(data, cache=cache, progress=progress)
    if weights is None:
        raise ValueError(f"`features` {name} needs `weights`, Inception's file; the classifier needs none.")
    return InceptionFeatures(weights, int(name.rpartition("-")[2]), resize=resize)
