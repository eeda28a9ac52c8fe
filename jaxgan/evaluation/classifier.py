"""A small classifier, trained on labelled images: features that need no download, and a judge of samples by class.

For a source with labels::

    classifier = train_classifier(load("digits"))
    classifier(images)                        # features, [N, 64], for the metrics that take them
    classifier.accuracy(load("digits"))       # the share of labels that it gets right
"""

import contextlib
import dataclasses
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.data import Arrays, Batches, Source, normalize, transforms
from jaxgan.data.source import hold_out, read_in_batches
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.nn.layers import Conv, Dense

FEATURES = 64
BATCH_SIZE = 128  # of training
READ_BATCH = 256  # images that are read, and seen by a trained classifier, at once
STEPS, EPOCHS = (1000, 3000), 50  # training takes this many epochs, within these bounds on steps
MAX_EPOCHS, MIN_BATCH_SIZE = 200, 8  # of small data sets: a thousand steps for 22 images would be 6,400 epochs
TRAINING = "training the classifier whose features are compared"  # what progress is called with
HELD_OUT = 10  # one example in so many is held out for the accuracy
OUTLIERS = 4  # one image in so many of a batch is made an outlier
RECIPE = "2"  # part of the cache's key; changes with the training, so that an older version's results are not used


class ClassifierNetwork(nn.Module):
    """Images, [B, height, width, C] in [-1, 1], to features, [B, 64], and logits, [B, classes + 1].

    The last logit is for outliers, which are no images of the data (Hendrycks et al. 2019, 1812.04606). Without that
    class the network took noise for digits, and noise had a precision of 0.99.
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
    """A ``FeatureExtractor``: a trained ``ClassifierNetwork``.

    Attributes:
      params: the network's parameters.
      classes: number of classes.
      shape: an image's, (height, width, channels).
      protocol: everything that figures of these features depend on.
    """

    params: Any
    classes: int
    shape: tuple[int, ...]
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features of images, [N, 64]; floats in [-1, 1] are rounded to bytes first, as in a file."""
        return self._apply(as_bytes(images))[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of the data's classes, [N, classes], of bytes or of floats in [-1, 1]."""
        return self._apply(as_bytes(images))[1][:, : self.classes]

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Features of float images in [-1, 1] that are not rounded to bytes, [N, 64]."""
        return self._apply(np.asarray(images, np.float32))[0]

    def accuracy(self, source: Source) -> float:
        """The share of a source's labels that are predicted."""
        right = 0
        for batch in read_in_batches(source, READ_BATCH):
            right += int((self.logits(batch["image"]).argmax(1) == batch["label"]).sum())
        return right / len(source)

    def _apply(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features, [N, 64], and all logits, [N, classes + 1]."""
        if images.shape[1:] != self.shape:
            raise ValueError(f"The classifier was trained on images of shape {self.shape}, got {images.shape[1:]}.")
        network, parts = ClassifierNetwork(self.classes), []
        for start in range(0, len(images), READ_BATCH):
            part = images[start : start + READ_BATCH]
            # The last batch is filled up, so that one compiled program serves all.
            filled = np.concatenate([part, np.repeat(part[-1:], READ_BATCH - len(part), 0)])
            parts.append([np.asarray(x)[: len(part)] for x in _apply(network, self.params, filled)])
        features, logits = (np.concatenate(x) for x in zip(*parts))
        return features, logits


@jax.jit(static_argnums=0)
def _apply(network, params, images):
    return network.apply({"params": params}, normalize({"image": images})["image"])


def train_classifier(
    source: Source,
    *,
    cache: Path | None = None,
    seed: int = 0,
    steps: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Classifier:
    """A classifier that is trained on nine tenths of a source; its accuracy on the others is in its protocol.

    Args:
      source: images with labels.
      cache: a directory where classifiers are kept, and looked for first.
      seed: seed of the weights and of the order of the data.
      steps: training steps; by default 50 epochs, but at least 1,000 and at most 3,000 steps, and at most 200 epochs.
      progress: called before the first step and after each, as ``progress(TRAINING, done, steps, "steps")``.

    Raises:
      ValueError: there are no labels, the examples are no images, or there are too few.
    """
    if not source.classes:
        raise ValueError(
            f"{source.name}: no labels, which the classifier's features need; give Inception's `weights`, or an .npz "
            "with labels, a folder with a sub-folder for each class, or a TFDS dataset that has them."
        )
    if len(source.shape) != 3:
        raise ValueError(f"{source.name}: a classifier takes images, got examples of shape {source.shape}.")
    count = len(source.classes)
    held_out_count = max(1, len(source) // HELD_OUT)
    size = _training_size(len(source) - held_out_count)
    recipe = RECIPE if size.is_usual else f"{RECIPE} {size}"
    key = hashlib.sha256(f"{recipe} {seed} {steps} {_digest_source(source)}".encode()).hexdigest()
    path = cache / f"{key[:32]}.npz" if cache else None
    found = _read(path) if path else None
    if found is None:
        train, held_out = hold_out(source, held_out_count)
        params = fit(train, count, seed, steps, progress)
        found = {"params": params, "accuracy": Classifier(params, count, source.shape).accuracy(held_out)}
        if path:
            _write(path, found)
    protocol = {
        "features": "classifier",
        "trained_on": source.name,
        "accuracy": found["accuracy"],
        "weights": _digest(_flat(found["params"])),
    }
    return Classifier(found["params"], count, source.shape, protocol)


class TrainingSize(NamedTuple):
    """How long a classifier is trained.

    Attributes:
      steps: number of steps.
      batch_size: images per step, beside the outliers.
      is_usual: whether the data set is large enough for the usual least number of steps and batch size.
    """

    steps: int
    batch_size: int
    is_usual: bool


def _training_size(count: int) -> TrainingSize:
    """The training on so many images."""
    usual = int(np.clip(EPOCHS * count // BATCH_SIZE, *STEPS))
    batch_size = min(BATCH_SIZE, max(MIN_BATCH_SIZE, count))
    steps = min(usual, MAX_EPOCHS * count // batch_size)
    return TrainingSize(steps, batch_size, (steps, batch_size) == (usual, BATCH_SIZE))


def fit(
    source: Source,
    classes: int,
    seed: int = 0,
    steps: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Any:
    """Parameters of ``ClassifierNetwork``, trained on all of a source.

    Adam with a cosine schedule; images are shifted by up to a fourteenth of their size. Arguments are those of
    ``train_classifier``.
    """
    size = _training_size(len(source))
    batch_size, steps = size.batch_size, size.steps if steps is None else steps
    network, padding = ClassifierNetwork(classes), min(source.shape[:2]) // 14
    adam = optax.adam(optax.cosine_decay_schedule(2e-3, steps))

    def loss(params, images, labels, key):
        outliers = _outliers(key, images[: batch_size // OUTLIERS])
        images = jnp.concatenate([images, outliers])
        labels = jnp.pad(labels, (0, len(outliers)), constant_values=classes)
        logits: Any = network.apply({"params": params}, images)[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(params, state, batch, key):
        images = transforms.random_shift(jax.random.split(key, batch_size), normalize(batch)["image"], padding)
        updates, state = adam.update(jax.grad(loss)(params, images, batch["label"], key), state)
        return optax.apply_updates(params, updates), state

    params = network.init(jax.random.key(seed), jnp.zeros((1, *source.shape)))["params"]
    state, batches = adam.init(params), Batches(source, batch_size, seed)
    report = progress or (lambda *_: None)
    report(TRAINING, 0, steps, "steps")
    for i in range(steps):
        params, state = step(params, state, batches[i], jax.random.fold_in(jax.random.key(seed), i))
        report(TRAINING, i + 1, steps, "steps")
    params = jax.tree.map(np.asarray, params)
    examples = source.read(np.linspace(0, len(source) - 1, READ_BATCH).astype(int))["image"]
    return _scale_features(params, float(np.sqrt(np.square(_apply(network, params, examples)[0]).mean())))


def _outliers(key: jax.Array, images: jax.Array) -> jax.Array:
    """As many outliers as images: one half is noise, the other the pixels of each image in a random order."""
    half = len(images) // 2
    noise = jax.random.uniform(key, (half, *images.shape[1:]), minval=-1)
    pixels = images[half:].reshape(len(images) - half, -1, images.shape[-1])
    places = jax.random.randint(key, pixels.shape[:2], 0, pixels.shape[1])
    scattered = jnp.take_along_axis(pixels, places[..., None], 1)
    return jnp.concatenate([noise, scattered.reshape(-1, *images.shape[1:])])


def _scale_features(params: Any, size: float) -> Any:
    """The same classifier with features divided by ``size``: near 1 in each dimension, as the KID's kernel expects."""
    before, last = (params[name] for name in ("Dense_1", "Dense_2"))
    return {
        **params,
        "Dense_1": {name: x / size for name, x in before.items()},
        "Dense_2": {**last, "kernel": last["kernel"] * size},
    }


def _digest_source(source: Source) -> str:
    """A digest of all examples that are in memory, or of a thousand spread evenly; with their number and classes."""
    indices = np.arange(len(source))
    if not isinstance(source, Arrays):
        indices = np.unique(np.linspace(0, len(source) - 1, 1024).astype(int))
    arrays = {name: np.asarray(x) for name, x in source.read(indices).items()}
    return f"{len(source)} {source.classes} {_digest(arrays)}"


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, x in sorted(arrays.items()):
        digest.update(f"{name} {x.dtype} {x.shape} ".encode() + np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """What the cache holds; None if it has no such file or a damaged one, which is then trained and written anew."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
            accuracy = float(arrays.pop("accuracy"))
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
        return None
    return {"params": unflatten_dict(arrays, sep="/"), "accuracy": accuracy}


def _flat(params: Any) -> dict[str, Any]:
    return dict(flatten_dict(params, sep="/"))


def _write(path: Path, found: dict[str, Any]) -> None:
    """Write the whole file or none; a cache that cannot be written is no error."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, accuracy=found["accuracy"], **_flat(found["params"]))
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
