"""What a metric looks at: images to features, by Inception or by any function, in batches over all devices."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import jax
import numpy as np

from jaxgan.interop.torch_file import read_torch
from jaxgan.metrics import inception
from jaxgan.metrics.checks import warn
from jaxgan.metrics.moments import Moments, merge, moments
from jaxgan.metrics.resize import resize_clean, resize_tf1

WHERE = (
    "https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights has pt_inception-2015-12-05-6726825d.pth, 95 MB"
)
KNOWN = {  # how the SHA-256 begins
    "6726825d": "pytorch-fid's and torch-fidelity's file",
}
BATCH = 64


class Features(Protocol):
    """Images, [N, height, width, C], uint8, to features, [N, D]; and what a figure has to be told with."""

    protocol: dict[str, Any]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The features of images."""
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
        if not any(digest.startswith(start) for start in KNOWN):
            warn(f"{weights} (SHA-256 {digest[:8]}...) is not a known file of Inception's; {WHERE}")
        self._devices = list(jax.local_devices() if devices is None else devices)
        params = inception.parameters(arrays, layer)
        self._params = [jax.device_put(params, device) for device in self._devices]
        self._resize = resize
        network = inception.Inception(layer)

        @jax.jit
        def run(params, images):
            return network.apply(params, resize_tf1(images, inception.SIZE))

        self._run = run
        self.protocol = {
            "features": "inception-v3-2015-12-05",
            "layer": layer,
            "weights": digest,
            "resize": resize,
        }

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """[N, height, width, 1 or 3] to [N, D]."""
        images = as_bytes(images)
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
            found.append(self._run(self._params[at], jax.device_put(part, self._devices[at])))
        return np.concatenate([np.asarray(x) for x in found])[: len(images)]


def read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a ``.pth`` or ``.npz`` by name, and the file's SHA-256.

    Raises:
      OSError: it cannot be read; the message says where to get one.
      ValueError: it is of neither format.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OSError(f"weights {path} cannot be read: {error.strerror}; {WHERE}") from error
    if path.suffix != ".npz":
        return read_torch(path), digest
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays), digest
    except (ValueError, TypeError, AttributeError, EOFError, OSError, zlib.error, zipfile.BadZipFile):
        raise ValueError(f"weights {path}: not an .npz of plain numbers, or a damaged one") from None


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


def feature_moments(batches: Iterable[np.ndarray], features: Callable[[np.ndarray], np.ndarray]) -> Moments:
    """The moments of more images than fit in memory, given in batches of any size."""
    return merge(moments(features(images)) for images in batches)
