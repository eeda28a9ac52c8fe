"""Train a small image classifier that computes the features for metrics, without a download of weights.

The classifier is trained on a labelled source (data set)::

    classifier = train_classifier(load("digits"))
    classifier(images)                        # features, [N, 64], for metrics such as the Frechet distance
    classifier.accuracy(load("digits"))       # fraction of the labels that it predicts correctly
"""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.core.array_archives import read_npz
from jaxgan.core.weights import INCEPTION
from jaxgan.data import Arrays, Batches, NamedArrays, Source, normalize, transforms
from jaxgan.data.source import hold_out, read_in_batches
from jaxgan.evaluation.preprocessing import as_bytes
from jaxgan.nn.layers import Conv, Dense

FEATURES = 64  # number of features per image
BATCH_SIZE = 128  # number of images per training step
READ_BATCH = 256  # number of images that are read at once, and that a trained classifier processes at once
# Training lasts EPOCHS epochs, but at least STEPS[0] steps and at most STEPS[1] steps.
STEPS, EPOCHS = (1000, 3000), 50
# For small data sets, STEPS[0] steps would be thousands of epochs. Training then ends after MAX_EPOCHS epochs, and the
# batch size is reduced to the number of images, but not below MIN_BATCH_SIZE.
MAX_EPOCHS, MIN_BATCH_SIZE = 200, 8
TRAINING = "training the classifier that computes the features"  # first argument of the progress callback
HELD_OUT = 10  # one in HELD_OUT examples is held out to measure the accuracy
OUTLIERS = 4  # the number of outliers in a training batch is the number of images divided by OUTLIERS
RECIPE = "2"  # part of the cache's key; increase it when the training changes, so that older results are not reused


class ClassifierNetwork(nn.Module):
    """Network that computes features and logits of images.

    It maps images, [B, height, width, C] in [-1, 1], to features, [B, 64], and logits, [B, classes + 1].
    The last logit belongs to a class of outliers, which are noise and shuffled pixels (Hendrycks et al. 2019,
    arXiv:1812.04606). Without this class, the network classified noise as digits, and the metric ``precision`` of noise
    was 0.99.

    Attributes:
      classes: number of classes of the data, without the class of outliers.
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
    """Trained classifier, which implements ``FeatureExtractor``.

    Attributes:
      params: parameters of the ``ClassifierNetwork``.
      classes: number of classes.
      shape: shape of one image, (height, width, channels).
      protocol: description of the classifier that is stored with each metric: its training data, accuracy and a digest
        of its weights.
    """

    params: Any
    classes: int
    shape: tuple[int, ...]
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features, [N, 64], of uint8 images or of floats in [-1, 1], which are rounded to uint8 first."""
        return self._apply(as_bytes(images))[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits of the classes, [N, classes], of uint8 images or of floats in [-1, 1]."""
        return self._apply(as_bytes(images))[1][:, : self.classes]

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return features, [N, 64], of float images in [-1, 1] without rounding them to uint8."""
        return self._apply(np.asarray(images, np.float32))[0]

    def accuracy(self, source: Source) -> float:
        """Return the fraction of the examples of a source for which the classifier predicts the right label."""
        right = 0
        for batch in read_in_batches(source, READ_BATCH):
            right += int((self.logits(batch["image"]).argmax(1) == batch["label"]).sum())
        return right / len(source)

    def _apply(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features, [N, 64], and all logits, [N, classes + 1]."""
        if images.shape[1:] != self.shape:
            raise ValueError(f"The classifier was trained on images of shape {self.shape}, got {images.shape[1:]}.")
        network, parts = ClassifierNetwork(self.classes), []
        for start in range(0, len(images), READ_BATCH):
            part = images[start : start + READ_BATCH]
            # Pad the last batch, so that the network is compiled only once.
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
    """Train a classifier on nine tenths of a source, and measure the classifier's accuracy on the other tenth.

    Args:
      source: images with labels.
      cache: directory that stores trained classifiers. If it contains a classifier of the same data and settings, the
        function returns it without training. None does not use a cache.
      seed: seed of the weights and of the order of the data.
      steps: number of training steps. None trains for 50 epochs, but at least 1,000 and at most 3,000 steps. Training
        on a small data set ends after 200 epochs, even if these are fewer than 1,000 steps.
      progress: function that is called before the first step and after each step, as
        ``progress(TRAINING, done, steps, "steps")``. ``done`` is the number of finished steps. None reports nothing.

    Returns:
      The trained classifier. Its ``protocol`` contains the accuracy.

    Raises:
      ValueError: if there are no labels, the examples are not images, or there are too few examples.
    """
    if not source.classes:
        raise ValueError(
            f"{source.name} has no labels, which are required to train the classifier that computes the features. Set "
            "`features` to random, which needs no labels; or pass Inception's `weights`; or use data with labels: an "
            ".npz file with labels, a folder with one sub-folder per class, or a TFDS data set with labels. "
            f"{INCEPTION.source}"
        )
    if len(source.shape) != 3:
        raise ValueError(
            f"The classifier requires images [height, width, channels], but the examples of {source.name} have the "
            f"shape {source.shape}."
        )
    count = len(source.classes)
    held_out_count = max(1, len(source) // HELD_OUT)
    size = _training_size(len(source) - held_out_count)
    recipe = RECIPE if size.is_usual else f"{RECIPE} {size}"
    key = hashlib.sha256(f"{recipe} {seed} {steps} {digest_source(source)}".encode()).hexdigest()
    path = cache / f"{key[:32]}.npz" if cache else None
    found = read_cached(path) if path else None
    if found is None:
        train, held_out = hold_out(source, held_out_count)
        params = fit(train, count, seed, steps, progress)
        found = {"params": params, "accuracy": Classifier(params, count, source.shape).accuracy(held_out)}
        if path:
            write_cached(path, found)
    protocol = {
        "features": "classifier",
        "trained_on": source.name,
        "accuracy": found["accuracy"],
        "weights": _digest(_flat(found["params"])),
    }
    return Classifier(found["params"], count, source.shape, protocol)


class TrainingSize(NamedTuple):
    """Number of steps and batch size for the training of a classifier.

    Attributes:
      steps: number of steps.
      batch_size: number of images per step, without the outliers.
      is_usual: whether the data set is large enough for the usual minimum number of steps and the usual batch size.
    """

    steps: int
    batch_size: int
    is_usual: bool


def _training_size(count: int) -> TrainingSize:
    """Return the number of steps and the batch size for ``count`` training images."""
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
    """Train a ``ClassifierNetwork`` on all examples of a source, and return its parameters.

    The optimizer is Adam with a cosine schedule. Images are shifted randomly by up to a fourteenth of their size.

    Args:
      source: images with labels.
      classes: number of classes.
      seed: seed of the weights and of the order of the data.
      steps: number of training steps; None uses the default of ``train_classifier``.
      progress: function that is called after each step, see ``train_classifier``.
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
    """Return one outlier for each image.

    The outliers for the first half of the images are uniform noise. The outlier for each image in the second half
    consists of pixels that are drawn at random from this image.
    """
    half = len(images) // 2
    noise = jax.random.uniform(key, (half, *images.shape[1:]), minval=-1)
    pixels = images[half:].reshape(len(images) - half, -1, images.shape[-1])
    indices = jax.random.randint(key, pixels.shape[:2], 0, pixels.shape[1])
    shuffled = jnp.take_along_axis(pixels, indices[..., None], 1)
    return jnp.concatenate([noise, shuffled.reshape(-1, *images.shape[1:])])


def _scale_features(params: Any, size: float) -> Any:
    """Divide the features by ``size`` without changing the logits.

    The kernel of the KID expects features with absolute values of about 1. If ``size`` is the root mean square of the
    features, the root mean square of the scaled features is 1.
    """
    before, last = (params[name] for name in ("Dense_1", "Dense_2"))
    return {
        **params,
        "Dense_1": {name: x / size for name, x in before.items()},
        "Dense_2": {**last, "kernel": last["kernel"] * size},
    }


def digest_source(source: Source) -> str:
    """Return a string that identifies the data: the number of examples, the classes and a digest of examples.

    The digest includes all examples if they are in memory, and about a thousand evenly spaced examples otherwise.

    Args:
      source: the data.
    """
    indices = np.arange(len(source))
    if not isinstance(source, Arrays | NamedArrays):
        indices = np.unique(np.linspace(0, len(source) - 1, 1024).astype(int))
    arrays = {name: np.asarray(x) for name, x in source.read(indices).items()}
    return f"{len(source)} {source.classes} {_digest(arrays)}"


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, x in sorted(arrays.items()):
        digest.update(f"{name} {x.dtype} {x.shape} ".encode() + np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def read_cached(path: Path) -> dict[str, Any] | None:
    """Return the cached ``params`` and ``accuracy``, or None if the file does not exist or is damaged.

    Args:
      path: the file in the cache.
    """
    try:
        arrays = read_npz(path)
        accuracy = float(arrays.pop("accuracy"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {"params": unflatten_dict(arrays, sep="/"), "accuracy": accuracy}


def _flat(params: Any) -> dict[str, Any]:
    return dict(flatten_dict(params, sep="/"))


def write_cached(path: Path, found: dict[str, Any]) -> None:
    """Write a file of the cache atomically. If the cache is not writable, do nothing.

    Args:
      path: the file. Missing folders are created.
      found: a dictionary with ``params``, nested dictionaries of arrays, and ``accuracy``, a number.
    """
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, accuracy=found["accuracy"], **_flat(found["params"]))
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
