"""Feature extractors: networks that map images to features. Metrics compare these features."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import jax
import numpy as np

from jaxgan import interop
from jaxgan.core.files import open_regular
from jaxgan.core.weights import INCEPTION as WEIGHTS_FILE
from jaxgan.data import Source
from jaxgan.data.uncropped import ImageSequence
from jaxgan.evaluation import classifier, inception
from jaxgan.evaluation.metric_names import INCEPTION
from jaxgan.evaluation.preprocessing import as_bytes, resize_clean, resize_each, resize_tf1, resize_tf1_on_host
from jaxgan.evaluation.random_network import RandomFeatures
from jaxgan.metrics.checks import warn

LAYERS = (64, 192, 768, 2048)  # layers of Inception, named after their number of features
EXTRACTORS = ("classifier", "random", *(f"inception-{layer}" for layer in LAYERS))
BATCH_SIZE = 64  # number of images that Inception processes at once on each device


class FeatureExtractor(Protocol):
    """Function that maps images, [N, height, width, C], to features, [N, D].

    Images are uint8, or floats in [-1, 1]. They are passed without conversion, in the type of their source, so an
    extractor must accept both types. ``preprocessing.as_bytes`` converts floats to uint8. An extractor that resizes
    each image itself may also accept images of different sizes, as an ``uncropped.ImageSequence``. It then has the
    attribute ``resizes_images = True``.
    """

    @property
    def protocol(self) -> dict[str, Any]:
        """Everything that a metric of these features depends on, as a dictionary that can be written as JSON.

        The entry ``features`` is the name of the network, which becomes a part of the names of metrics; see
        ``jaxgan.evaluation.metric_names``.
        """
        ...

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features of the images, [N, D]."""
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits of the network's classes, [N, classes], for the Inception Score and the number of modes.

        Args:
          images: images, [N, H, W, C], as ``__call__`` accepts them.
        """
        ...

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return features of float images in [-1, 1] without rounding them to uint8, for the perceptual path length.

        Args:
          images: images, [N, H, W, C], floating-point numbers in [-1, 1].

        Returns:
          The features, [N, D], float32.
        """
        ...


class ArrayFeatures:
    """Feature extractor that returns the numbers of each example as its features, for examples of any shape.

    Numbers of the type uint8, 0 to 255, are converted to [-1, 1]. Other numbers are not rescaled, so a number with a
    larger range has more influence on distances.

    >>> ArrayFeatures("points")(np.zeros((5, 2, 3))).shape
    (5, 6)

    Args:
      name: the name of the features, which becomes a part of the names of metrics, as in ``fd_points``.
    """

    def __init__(self, name: str):
        self.protocol = {"features": name}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the numbers of examples of any kind, from [N, ...] to float32 [N, D]."""
        flat = np.asarray(images, np.float32).reshape(len(images), -1)
        return flat / 127.5 - 1 if images.dtype == np.uint8 else flat

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return the numbers of examples of any kind.

        Args:
          images: the examples, [N, ...].

        Returns:
          The numbers, float32 [N, D].
        """
        return self(images)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Raise an error, because no network computes logits of classes, [N, classes].

        Args:
          images: the examples, [N, ...].

        Raises:
          ValueError: always.
        """
        raise ValueError(
            f"The features {self.protocol['features']} have no logits, which metrics of classes need, such as `is` and "
            "`modes`. Choose other metrics."
        )


def array_features(name: str, chosen: str | None, weights: str | Path | None) -> ArrayFeatures:
    """Return ``ArrayFeatures`` for a medium that has no other features.

    Args:
      name: the name of the features of the medium.
      chosen: the name that the user chose; None for the features of the medium.
      weights: the file of weights that the user chose; None for none.

    Raises:
      ValueError: if the user chose other features or weights.
    """
    if chosen not in (None, name):
        raise ValueError(f"`features` must be {name} for these examples, or not set, got {chosen}.")
    if weights is not None:
        raise ValueError(f"`weights` are for Inception's features of images, but the features are {name}. Omit them.")
    return ArrayFeatures(name)


class InceptionFeatures:
    """Feature extractor that uses Inception. It returns features, [N, layer], or logits, [N, 1008], as float32.

    Float images in [-1, 1] are rounded to uint8, as in an image file. Greyscale images are converted to three channels,
    and all images are resized to 299 x 299 pixels without cropping. Images can have different sizes.

    Args:
      weights: a ``.pth`` file of pytorch-fid or torch-fidelity, or an ``.npz`` file with TensorFlow's names.
      layer: 64, 192, 768, 2048, ``"logits_unbiased"`` or ``"logits"``; see ``inception.Inception``.
      resize: method that resizes the images: ``"tf1"`` for the method of the original FID, or ``"clean"`` for the
        method of clean-fid. Metrics that were measured with different methods are not comparable.
      devices: devices that process the batches. None uses all devices of this host.

    Raises:
      ValueError: if the file has another format, or does not contain the weights for the layer.
      OSError: if the file cannot be read.

    Warns:
      UserWarning: if the file is neither the file of pytorch-fid nor the file of torch-fidelity, according to its
        SHA-256.
    """

    resizes_images = True

    def __init__(
        self,
        weights: str | Path,
        layer: int | str = 2048,
        *,
        resize: Literal["tf1", "clean"] = "tf1",
        devices: Iterable[Any] | None = None,
    ):
        if resize not in ("tf1", "clean"):
            raise ValueError(f"`resize` must be 'tf1' (as in the FID) or 'clean' (as in clean-fid), got {resize!r}.")
        arrays, digest = read_weights(weights)
        if digest != WEIGHTS_FILE.sha256:
            warn(
                f"{weights} (SHA-256 {digest[:8]}...) is not the file of pytorch-fid or torch-fidelity, so the metrics "
                f"may differ from published ones. {WEIGHTS_FILE.source}"
            )
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
        """Return the compiled network up to a layer, and its parameters on each device. The result is cached."""
        if layer not in self._networks:
            params, network = inception.parameters(self._arrays, layer), inception.Inception(layer)

            def apply(params, images):
                return network.apply(params, resize_tf1(images, inception.SIZE))

            run = jax.jit(apply, compiler_options=_compiler_options())
            self._networks[layer] = run, [jax.device_put(params, device) for device in self._devices]
        return self._networks[layer]

    def __call__(self, images: np.ndarray | ImageSequence) -> np.ndarray:
        """Return features of images, from [N, height, width, 1 or 3] to [N, D]. Sizes of a sequence may differ."""
        return self._apply(_as_bytes(images), self._layer)

    def logits(self, images: np.ndarray | ImageSequence) -> np.ndarray:
        """Return logits without the bias, [N, 1008], which the Inception Score uses.

        Args:
          images: images, [N, H, W, C], uint8 or floating-point numbers in [-1, 1]; or a sequence of images.
        """
        return self._apply(_as_bytes(images), "logits_unbiased")

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return features, [N, D], of float images in [-1, 1] without rounding them to uint8."""
        return self._apply((np.asarray(images, np.float32) + 1) * 127.5, self._layer)

    def _apply(self, images: np.ndarray | ImageSequence, layer: int | str) -> np.ndarray:
        """Return the output of a layer for images from 0 to 255, of any real data type."""
        run, params = self._network(layer)
        found = []
        for i, start in enumerate(range(0, len(images), BATCH_SIZE)):
            part, device = self._prepare(images[start : start + BATCH_SIZE]), i % len(self._devices)
            # Pad the last batch, so that the network is compiled only once.
            part = np.concatenate([part, np.repeat(part[-1:], BATCH_SIZE - len(part), 0)])
            found.append(run(params[device], jax.device_put(part, self._devices[device])))
        return np.concatenate([np.asarray(x) for x in found])[: len(images)]

    def _prepare(self, images: np.ndarray | ImageSequence) -> np.ndarray:
        """Return images with three channels, and resize them unless the compiled network resizes them."""
        if isinstance(images, ImageSequence):
            resize = resize_clean if self._resize == "clean" else resize_tf1_on_host
            images = resize_each(images, resize, inception.SIZE)
        elif self._resize == "clean":
            images = resize_clean(images, inception.SIZE)
        if images.shape[-1] not in (1, 3):
            raise ValueError(f"Inception requires images with 1 or 3 channels, got the shape {images.shape}.")
        return np.repeat(images, 3, -1) if images.shape[-1] == 1 else images


def _as_bytes(images: np.ndarray | ImageSequence) -> np.ndarray | ImageSequence:
    return images if isinstance(images, ImageSequence) else as_bytes(images)


@functools.cache
def _compiler_options() -> dict[str, str]:
    """Return the options that turn off YNNPACK in XLA, because YNNPACK makes Inception twice as slow on CPUs.

    The result is {} if the installed version of XLA does not have these options.
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], str]:
    """Return a dictionary from names to the arrays in a file of weights, and the SHA-256 of the file.

    Args:
      path: the file of weights.

    Raises:
      OSError: if the file cannot be read. The message explains where to download it.
      ValueError: if the file has another format.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OSError(f"`weights` {path} cannot be read: {error.strerror}. {WEIGHTS_FILE.source}") from error
    return interop.read_weights(path), digest


def _features_without_weights(data: Source) -> str:
    """Return the name of the features for data without Inception's weights, and warn if it is ``random``."""
    if data.classes or len(data.shape) != 3:
        return "classifier"
    reason = "has no labels"
    if getattr(data, "sizes_differ", False):
        reason = "has images of different sizes, which are read without labels unless `resolution` is set,"
    warn(
        f"{data.name} {reason} and `weights` are not given, so the metrics compare features of a fixed random "
        "network. Their names contain the word random, and they are not comparable with published ones. "
        f"{WEIGHTS_FILE.source}",
        above=2,
    )
    return "random"


def make_extractor(
    name: str | None,
    weights: str | Path | None,
    resize: Literal["tf1", "clean"],
    data: Source,
    cache: Path | None,
    *,
    progress: Callable[..., None] | None = None,
) -> FeatureExtractor:
    """Return the feature extractor with the given name.

    Args:
      name: one of ``EXTRACTORS``. None selects ``inception-2048`` if ``weights`` are given, otherwise ``classifier`` if
        the data have labels, and otherwise ``random``.
      weights: file with Inception's weights. If it is None and the name requires weights, the file that
        ``jaxgan weights`` has downloaded is used.
      resize: method that resizes images to Inception's input size, ``"tf1"`` or ``"clean"``; see ``InceptionFeatures``.
      data: labelled images to train the classifier on.
      cache: directory that stores trained classifiers; None does not use a cache.
      progress: function that is called after each step of the classifier's training, see ``train_classifier``.

    Raises:
      ValueError: if the name is unknown or cannot be combined with ``weights``, or if there are no labels to train on.
      OSError: if the weights cannot be read.

    Warns:
      UserWarning: if ``name`` is None and ``random`` is selected.
    """
    name = name or ("inception-2048" if weights is not None else _features_without_weights(data))
    if name not in EXTRACTORS:
        raise ValueError(f"`features` must be one of {', '.join(EXTRACTORS)}, got {name}.")
    if name in ("classifier", "random"):
        if weights is not None:
            raise ValueError(
                f"`weights` are for Inception's features, but `features` is {name}, which needs none. Omit one of them."
            )
        if name == "random":
            return RandomFeatures()
        return classifier.train_classifier(data, cache=cache, progress=progress)
    if weights is None:
        weights = WEIGHTS_FILE.path
    if weights == WEIGHTS_FILE.path and not WEIGHTS_FILE.path.is_file():
        raise ValueError(
            f"`features` {name} requires the file with Inception's weights as `weights`. {WEIGHTS_FILE.source} Without "
            "weights, set `features` to random, or to classifier if the data have labels."
        )
    return InceptionFeatures(weights, int(name.rpartition("-")[2]), resize=resize)
