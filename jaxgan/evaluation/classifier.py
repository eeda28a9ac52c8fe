"""A small classifier, trained on labelled images: features that need no download, and a judge of samples by class.

Of a source with labels::

    classifier = trained(load("digits"))
    classifier(images)                        # features, [N, 64], for the metrics that take them
    classifier.accuracy(load("digits"))       # of the labels
"""

import contextlib
import dataclasses
import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.data import Arrays, Batches, Source, as_float, transforms
from jaxgan.data.source import hold_out, in_batches
from jaxgan.evaluation.features import as_bytes
from jaxgan.nn.layers import Conv, Dense

FEATURES = 64
BATCH = 128  # of training
READ = 256  # images at a time, of use
STEPS, EPOCHS = (1000, 3000), 50  # of training: so many epochs, but at least and at most so many steps
HELD_OUT = 10  # one in so many, whose accuracy is told
OUTLIERS = 4  # one for so many images of a batch: a class of its own
RECIPE = "2"  # changes with what is trained, so that what an older version kept is not taken for it


class Network(nn.Module):
    """Images, [B, height, width, C] in [-1, 1], to features, [B, 64], and logits, [B, classes + 1].

    The last is of what is no image of the data. A network that has seen nothing but digits takes noise for one, and so
    would the metrics: its precision was 0.99. Hendrycks et al. 2019 (1812.04606).
    """

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        width = 32
        while min(x.shape[1:3]) > 7 or width == 32:
            x = nn.relu(Conv(width, 5, 2)(x))
            width = min(2 * width, 128)
        x = nn.relu(Dense(256)(x.reshape(len(x), -1)))
        features = Dense(FEATURES)(x)
        return features, Dense(self.classes + 1)(nn.relu(features))


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """Trained parameters: ``Features`` for metrics.

    Attributes:
      params: of ``Network``.
      classes: their number.
      shape: of an image.
      protocol: what a figure has to be told with.
    """

    params: Any
    classes: int
    shape: tuple[int, ...]
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The features of images, [N, 64]; floats in [-1, 1] are rounded to bytes first, as in a file."""
        return self._of(as_bytes(images))[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """[N, classes], of bytes or of floats in [-1, 1]."""
        return self._of(as_bytes(images))[1][:, : self.classes]

    def exact(self, images: np.ndarray) -> np.ndarray:
        """The features of float images in [-1, 1], which are not rounded, [N, 64]."""
        return self._of(np.asarray(images, np.float32))[0]

    def accuracy(self, source: Source) -> float:
        """The share of a source's labels that it names."""
        right = 0
        for batch in in_batches(source, READ):
            right += int((self.logits(batch["image"]).argmax(1) == batch["label"]).sum())
        return right / len(source)

    def _of(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if images.shape[1:] != self.shape:
            raise ValueError(f"images of {images.shape[1:]}: the classifier was trained on {self.shape}")
        parts = []
        for start in range(0, len(images), READ):
            part = images[start : start + READ]
            filled = np.concatenate([part, np.repeat(part[-1:], READ - len(part), 0)])  # one program for all
            parts.append([np.asarray(x)[: len(part)] for x in _apply(Network(self.classes), self.params, filled)])
        features, logits = (np.concatenate(x) for x in zip(*parts))
        return features, logits


@jax.jit(static_argnums=0)
def _apply(network, params, images):
    return network.apply({"params": params}, as_float({"image": images})["image"])


def trained(source: Source, *, cache: Path | None = None, seed: int = 0, steps: int | None = None) -> Classifier:
    """A classifier of a source's classes, trained on nine tenths of it; the others' accuracy is in its protocol.

    Args:
      source: images with labels.
      cache: a directory where it is kept, and looked for first.
      seed: of the weights and of the order of the data.
      steps: of training; by default 50 epochs, but 1,000 at least and 3,000 at most.

    Raises:
      ValueError: there are no labels, the examples are no images, or there are too few.
    """
    if not source.classes:
        raise ValueError(
            f"{source.name}: no labels, which the classifier's features need; give Inception's --weights, or an .npz "
            "with labels, a folder with a sub-folder for each class, or a TFDS dataset that has them"
        )
    if len(source.shape) != 3:
        raise ValueError(f"{source.name}: examples of shape {source.shape}; a classifier takes images")
    key = hashlib.sha256(f"{RECIPE} {seed} {steps} {_digest(source)}".encode()).hexdigest()
    kept = cache / f"{key[:32]}.npz" if cache else None
    found = _read(kept) if kept else None
    if found is None:
        rest, held = hold_out(source, max(1, len(source) // HELD_OUT))
        params = fit(rest, len(source.classes), seed, steps)
        found = {"params": params, "accuracy": Classifier(params, len(source.classes), source.shape).accuracy(held)}
        if kept:
            _write(kept, found)
    protocol = {
        "features": "classifier",
        "trained_on": source.name,
        "accuracy": found["accuracy"],
        "weights": _hash(_flat(found["params"])),
    }
    return Classifier(found["params"], len(source.classes), source.shape, protocol)


def fit(source: Source, classes: int, seed: int = 0, steps: int | None = None) -> Any:
    """Parameters of ``Network``, trained on all of a source with Adam, images shifted by a fourteenth of their size."""
    steps = int(np.clip(EPOCHS * len(source) // BATCH, *STEPS)) if steps is None else steps
    network, crop = Network(classes), min(source.shape[:2]) // 14
    adam = optax.adam(optax.cosine_decay_schedule(2e-3, steps))

    def loss(params, images, labels, key):
        none = _outliers(key, images[: BATCH // OUTLIERS])
        images, labels = jnp.concatenate([images, none]), jnp.pad(labels, (0, len(none)), constant_values=classes)
        logits: Any = network.apply({"params": params}, images)[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(params, state, batch, key):
        images = transforms.crop(jax.random.split(key, BATCH), as_float(batch)["image"], crop)
        updates, state = adam.update(jax.grad(loss)(params, images, batch["label"], key), state)
        return optax.apply_updates(params, updates), state

    params = network.init(jax.random.key(seed), jnp.zeros((1, *source.shape)))["params"]
    state, batches = adam.init(params), Batches(source, BATCH, seed)
    for i in range(steps):
        params, state = step(params, state, batches[i], jax.random.fold_in(jax.random.key(seed), i))
    params = jax.tree.map(np.asarray, params)
    examples = source.read(np.linspace(0, len(source) - 1, READ).astype(int))["image"]
    return _scaled(params, float(np.sqrt(np.square(_apply(network, params, examples)[0]).mean())))


def _outliers(key: jax.Array, images: jax.Array) -> jax.Array:
    """As many that are no images of the data: noise, and pixels drawn at random from each image."""
    half = len(images) // 2
    noise = jax.random.uniform(key, (half, *images.shape[1:]), minval=-1)
    pixels = images[half:].reshape(len(images) - half, -1, images.shape[-1])
    places = jax.random.randint(key, pixels.shape[:2], 0, pixels.shape[1])
    scattered = jnp.take_along_axis(pixels, places[..., None], 1)
    return jnp.concatenate([noise, scattered.reshape(-1, *images.shape[1:])])


def _scaled(params: Any, size: float) -> Any:
    """The same classifier, its features divided by ``size``: of length 1 a dimension, kernels of the KID suit them."""
    before, last = (params[name] for name in ("Dense_1", "Dense_2"))
    return {
        **params,
        "Dense_1": {name: x / size for name, x in before.items()},
        "Dense_2": {**last, "kernel": last["kernel"] * size},
    }


def _digest(source: Source) -> str:
    """Of all examples that are in memory, or of a thousand, evenly from first to last; and of how many there are."""
    chosen = np.arange(len(source))
    if not isinstance(source, Arrays):
        chosen = np.unique(np.linspace(0, len(source) - 1, 1024).astype(int))
    arrays = {name: np.asarray(x) for name, x in source.read(chosen).items()}
    return f"{len(source)} {source.classes} {_hash(arrays)}"


def _hash(arrays: dict[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name, x in sorted(arrays.items()):
        found.update(f"{name} {x.dtype} {x.shape} ".encode() + np.ascontiguousarray(x).tobytes())
    return found.hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """What was kept; None where there is nothing, or what cannot be read, which is then trained and written again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _tree(dict(arrays))
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
        return None


def _tree(arrays: dict[str, Any]) -> dict[str, Any]:
    accuracy = float(arrays.pop("accuracy"))
    return {"params": unflatten_dict(arrays, sep="/"), "accuracy": accuracy}


def _flat(params: Any) -> dict[str, Any]:
    return dict(flatten_dict(params, sep="/"))


def _write(path: Path, found: dict[str, Any]) -> None:
    """Whole or not at all; a cache that cannot be written is none."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, accuracy=found["accuracy"], **_flat(found["params"]))
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
