"""Train a small recurrent classifier of series that computes the features for metrics, such as the Frechet distance.

The classifier learns the classes of the data, if there are any, and to recognise five corruptions of real series. So
its features depend on the order of the values in time, on their smoothness, and on how columns depend on each other::

    features = train_series_features(load("weather"))
    features(series)  # [N, 64]
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.data import NamedArrays, Source
from jaxgan.data.source import hold_out
from jaxgan.evaluation.classifier import TRAINING, digest_source, read_cached, write_cached
from jaxgan.nn.recurrent import GRU

FEATURES = 64  # number of features of a series
UNITS = 64  # number of units of the recurrent layer
BATCH_SIZE = 128  # number of series in a training step, half of which are corrupted
STEPS = 600  # number of training steps
HELD_OUT = 10  # one in HELD_OUT series is held out to measure the accuracy
CORRUPTIONS = 5
RECIPE = "series 1"  # part of the cache's key; increase it when the training changes
NOISE = 0.15  # standard deviation of the noise that is added to series whose columns have the standard deviation 1


class SeriesClassifier(nn.Module):
    """Network that maps series, [B, T, C], to features, [B, 64], and logits, [B, outputs].

    The features are computed from the last state and from the mean and the maximum of all states of a GRU.

    Attributes:
      outputs: number of logits.
    """

    outputs: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        states = GRU(UNITS)(x)
        pooled = jnp.concatenate([states[:, -1], states.mean(1), states.max(1)], -1)
        features = nn.Dense(FEATURES)(pooled)
        return features, nn.Dense(self.outputs)(nn.relu(features))


@dataclasses.dataclass(frozen=True, eq=False)
class SeriesFeatures:
    """Trained classifier of series, which implements ``FeatureExtractor``.

    Attributes:
      params: parameters of the ``SeriesClassifier``.
      classes: number of classes of the data, at least 1; a set without classes has the class of all series.
      mean: mean of each column of the training series, [C].
      std: standard deviation of each column of the training series, [C].
      protocol: description of the classifier that is stored with each metric.
    """

    params: Any
    classes: int
    mean: np.ndarray
    std: np.ndarray
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features, [N, 64], of series [N, T, C] in the units of the data."""
        return self._apply(images)[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits of the classes of the data, [N, classes].

        Args:
          images: series [N, T, C] in the units of the data.
        """
        return self._apply(images)[1][:, : self.classes]

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return the same features as calling the extractor, [N, 64].

        Args:
          images: series [N, T, C] in the units of the data.
        """
        return self(images)

    def _apply(self, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        network, parts = SeriesClassifier(self.classes + CORRUPTIONS), []
        for start in range(0, len(series), BATCH_SIZE):
            part = np.asarray(series[start : start + BATCH_SIZE], np.float64)
            scaled = ((part - self.mean) / self.std).astype(np.float32)
            # Pad the last batch, so that the network is compiled only once.
            filled = np.concatenate([scaled, np.repeat(scaled[-1:], BATCH_SIZE - len(part), 0)])
            parts.append([np.asarray(x)[: len(part)] for x in _apply(network, self.params, filled)])
        features, logits = (np.concatenate(x) for x in zip(*parts))
        return features, logits


@jax.jit(static_argnums=0)
def _apply(network, params, x):
    return network.apply({"params": params}, x)


def train_series_features(
    source: Source,
    key: str = "series",
    seed: int = 0,
    progress: Callable[..., None] | None = None,
    *,
    cache: Path | None = None,
) -> SeriesFeatures:
    """Train a classifier of series on nine tenths of a source, and measure its accuracy on the other tenth.

    Half of the series of a training batch are corrupted in one of five ways, each of which is a class of its own: the
    times in reverse order, the times in random order, each column from another series, additional noise, and nothing
    but noise. The optimizer is Adam with a cosine schedule.

    Args:
      source: series of at least 20 examples, and their labels if it has classes.
      key: the name of the series in a batch, [N, T, C].
      seed: seed of the weights, the batches and the corruptions.
      progress: function that is called before the first step and at the end, see ``classifier.train_classifier``.
      cache: directory that stores trained classifiers. If it contains a classifier of the same data and settings, the
        function returns it without training. None does not use a cache.

    Returns:
      The extractor. Its ``protocol`` contains the accuracy for uncorrupted and corrupted series.

    Raises:
      ValueError: if there are fewer than 20 series.
    """
    if len(source) < 20:
        raise ValueError(f"The classifier of series requires at least 20 series, {source.name} has {len(source)}.")
    classes = max(len(source.classes), 1)
    name = hashlib.sha256(f"{RECIPE} {STEPS} {key} {seed} {digest_source(source)}".encode()).hexdigest()
    path = cache / f"{name[:32]}.npz" if cache else None
    found = read_cached(path) if path else None
    if found is None:
        found = _train(source, key, classes, seed, progress)
        if path:
            write_cached(path, found)
    params, mean, std = (found["params"][part] for part in ("network", "mean", "std"))
    digest = hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(params))).hexdigest()
    accuracy = found["accuracy"]
    protocol = {"features": "classifier", "trained_on": source.name, "accuracy": accuracy, "weights": digest}
    return SeriesFeatures(params, classes, mean, std, protocol)


def _train(source, key, classes, seed, progress):
    """Return the parameters, with the mean and the standard deviation of each column, and the accuracy."""
    train, held_out = (_arrays(part, key) for part in hold_out(source, max(2, len(source) // HELD_OUT)))
    mean, std = train[0].mean((0, 1)), train[0].std((0, 1))
    std = np.where(std > 0, std, 1)
    network = SeriesClassifier(classes + CORRUPTIONS)
    report = progress or (lambda *_: None)
    report(TRAINING, 0, STEPS, "steps")
    scaled = [(((x - mean) / std).astype(np.float32), labels) for x, labels in (train, held_out)]
    first, second = jax.random.split(jax.random.key(seed))
    params = jax.tree.map(np.asarray, _fit(network, classes, first, *scaled[0]))
    accuracy = float(_accuracy(network, classes, params, second, *scaled[1]))
    params = _scale(params, np.asarray(_apply(network, params, scaled[0][0][:1024])[0]))
    report(TRAINING, STEPS, STEPS, "steps")
    return {"params": {"network": params, "mean": mean, "std": std}, "accuracy": accuracy}


def corrupt(key: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Corrupt each series in one of five ways, which is chosen at random.

    Args:
      key: a PRNG key.
      x: series [B, T, C] whose columns have the standard deviation 1.

    Returns:
      The series, [B, T, C], and the number of the corruption of each, int32 [B] from 0 to 4: the times in reverse
      order; the times in random order; each column from another series of the batch; noise added; and nothing but
      noise.
    """
    kinds, times, rows, noise = jax.random.split(key, 4)
    count, steps, columns = x.shape
    kind = jax.random.randint(kinds, (count,), 0, CORRUPTIONS)
    order = jax.random.uniform(times, (count, steps)).argsort(1)
    donors = (jnp.arange(count)[:, None] + jax.random.randint(rows, (1, columns), 0, count)) % count
    white = jax.random.normal(noise, x.shape)
    corrupted = (
        x[:, ::-1],
        jnp.take_along_axis(x, order[..., None], 1),
        x[donors[:, None, :], jnp.arange(steps)[:, None], jnp.arange(columns)],
        x + NOISE * white,
        white,
    )
    return jnp.stack(corrupted)[kind, jnp.arange(count)], kind


def _arrays(source: Source, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all series of a source, float64, and their classes, int32."""
    batch = source.arrays if isinstance(source, NamedArrays) else source.read(np.arange(len(source)))
    x = np.asarray(batch[key], np.float64)
    return x, np.asarray(batch["label"], np.int32) if source.classes else np.zeros(len(x), np.int32)


@jax.jit(static_argnums=(0, 1))
def _fit(network, classes, key, x, labels):
    """Return the parameters after the training on series [N, T, C] with their labels [N]."""
    adam = optax.adam(optax.cosine_decay_schedule(2e-3, STEPS))

    def loss(params, key):
        inputs, targets = _batch(key, classes, x, labels)
        logits: Any = network.apply({"params": params}, inputs)[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    def step(carry, key):
        params, state = carry
        updates, state = adam.update(jax.grad(loss)(params, key), state)
        return (optax.apply_updates(params, updates), state), None

    first, rest = jax.random.split(key)
    params = network.init(first, x[:1])["params"]
    return jax.lax.scan(step, (params, adam.init(params)), jax.random.split(rest, STEPS))[0][0]


@jax.jit(static_argnums=(0, 1))
def _accuracy(network, classes, params, key, x, labels):
    """Return the mean of the accuracies for uncorrupted and for corrupted series."""
    corrupted, kinds = corrupt(key, x)
    inputs, targets = jnp.concatenate([x, corrupted]), jnp.concatenate([labels, classes + kinds])
    return (network.apply({"params": params}, inputs)[1].argmax(1) == targets).mean()


def _batch(key, classes, x, labels):
    """Return series, one half of which is corrupted, and their classes."""
    rows, corruption = jax.random.split(key)
    indices = jax.random.randint(rows, (BATCH_SIZE,), 0, len(x))
    half = BATCH_SIZE // 2
    corrupted, kinds = corrupt(corruption, x[indices[half:]])
    return jnp.concatenate([x[indices[:half]], corrupted]), jnp.concatenate([labels[indices[:half]], classes + kinds])


def _scale(params, features):
    """Divide the features by their root mean square without changing the logits, as for images."""
    size = float(np.sqrt(np.square(features).mean()))
    first, last = params["Dense_0"], params["Dense_1"]
    return {
        **params,
        "Dense_0": {name: x / size for name, x in first.items()},
        "Dense_1": {**last, "kernel": last["kernel"] * size},
    }
