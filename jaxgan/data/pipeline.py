"""Compute the batch of a step as a function of the seed and the step.

The step determines the position in the data, so no additional state has to be saved to resume a run. The order is
shuffled anew in every epoch, and every epoch contains each example once. A batch may extend over two epochs. The two
sources of an ``Unpaired``, a data set without pairs, are shuffled independently of each other, and their epochs may
have different lengths. If a source has ``weights``, an epoch contains an example as often as its weight requires.
"""

import collections
import concurrent.futures
import functools
import operator
import sys
from collections.abc import Callable, Generator, Iterator
from typing import Any

import jax
import numpy as np

from jaxgan.data.loading import as_source
from jaxgan.data.readers import count_readers
from jaxgan.data.source import Source, Unpaired, normalize

AHEAD = 4  # minimum number of batches that are read in advance


class Batches:
    """The batches of a source; ``batches[step]`` reads the batch of a step.

    If several processes train together, each of them reads its own rows of the global batch.

    Attributes:
      source: the examples.
      batch_size: number of examples in the global batch, over all processes.
      seed: the seed of the order of the examples.
      rows: the rows of each global batch that this process reads. By default, it reads all rows.

    Raises:
      ValueError: if ``batch_size`` is below 1.
    """

    def __init__(self, source: Source, batch_size: int, seed: int, rows: slice = slice(None)):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
        self.source, self.batch_size, self.seed, self.rows = source, batch_size, seed, rows
        # A batch needs at most four permutations if it extends over two epochs of two sources. If a source is so small
        # that a batch extends over more epochs, some permutations are computed again for each batch.
        self._order = functools.lru_cache(maxsize=4)(self._compute_order)

    def __repr__(self) -> str:
        return f"Batches of {self.batch_size} with seed {self.seed} of {self.source!r}"

    def indices(self, step: int) -> Any:
        """Return the indices of this process's examples in the batch of ``step``, which counts from 0.

        The indices are an array [B]. For an ``Unpaired``, they are a dictionary with one array for each of the two
        sources, {"image": [B], "input": [B]}.
        """
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)[self.rows]
        if isinstance(self.source, Unpaired):
            return {
                name: self._examples_at(places, len(source), domain)
                for domain, (name, source) in enumerate(self.source.domains.items())
            }
        return self._examples_at(places, len(self.source))

    def _examples_at(self, places: np.ndarray, count: int, domain: int = 0) -> np.ndarray:
        """Return the indices of the examples at some positions in the endless shuffled order of a source.

        Args:
          places: the positions in the order, counted from 0.
          count: number of examples of the source.
          domain: index of the source in an ``Unpaired``, so that its two sources are shuffled independently.
        """
        epochs, offsets = np.divmod(places, count)
        indices = np.empty_like(places)
        for epoch in np.unique(epochs):
            in_epoch = epochs == epoch
            indices[in_epoch] = self._order(count, (self.seed, int(epoch), domain))[offsets[in_epoch]]
        return indices

    def _compute_order(self, count: int, seed: tuple[int, ...]) -> np.ndarray:
        weights = getattr(self.source, "weights", None)
        return _permutation(count, seed) if weights is None else _weighted_order(weights, seed)

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        return self.source.read(self.indices(step))


def _permutation(count: int, seed: tuple[int, ...]) -> np.ndarray:
    # NumPy appends zeros to a seed, so (seed, epoch, 0) yields the same permutation as (seed, epoch).
    return np.random.default_rng(seed).permutation(count).astype(np.int32)


def _weighted_order(weights: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """Return the indices of the examples of an epoch, [N], in a random order: example i occurs N weights[i] times.

    The number is rounded at random, by systematic sampling: N points at equal distances, shifted by the same random
    number, are looked up in the cumulative sum of the weights. Their expected numbers are exact.
    """
    rng, count = np.random.default_rng(seed), len(weights)
    ends = np.cumsum(weights / weights.sum())
    indices = np.searchsorted(ends, (rng.random() + np.arange(count)) / count, side="right")
    # Rounding errors can make the last end smaller than the last point. An example of weight 0 must not be drawn.
    indices = np.minimum(indices, np.flatnonzero(weights)[-1])
    return rng.permutation(indices).astype(np.int32)


def batches_ahead(batch_size: int) -> int:
    """Return the number of batches that ``stream`` should read in advance.

    Args:
      batch_size: number of examples that this process reads for a batch. Small batches are read further ahead, so that
        all threads of ``jaxgan.data.readers`` are busy.
    """
    return max(AHEAD, -(-2 * count_readers() // batch_size))


def stream(batches: Any, start: int, stop: int, ahead: int = AHEAD) -> Generator[Any]:
    """Yield the batches from step ``start`` up to, but not including, step ``stop``.

    Threads read up to ``ahead`` batches before they are requested.

    Args:
      batches: the batches to read, as ``batches[step]``.
      start: the first step.
      stop: the step after the last one.
      ahead: the number of batches to read before they are requested, at least 1.
    """
    pool, is_finalizing = concurrent.futures.ThreadPoolExecutor(ahead), sys.is_finalizing
    coming = collections.deque()
    try:
        for step in range(start, min(start + ahead, stop)):
            coming.append(pool.submit(batches.__getitem__, step))
        for step in range(start + ahead, stop + ahead):
            if not coming:
                return
            batch = coming.popleft().result()
            if step < stop:
                coming.append(pool.submit(batches.__getitem__, step))
            yield batch
    finally:
        if not is_finalizing():  # at the exit of the interpreter, the threads have already ended, and this would fail
            pool.shutdown(cancel_futures=True)


class _OnDevice:
    """Batches on the device that is the default when this object is created.

    Args:
      order: the batches.
    """

    def __init__(self, order: Batches):
        self._order, self._device = order, jax.config.jax_default_device  # pyright: ignore

    def __getitem__(self, step: int) -> dict[str, jax.Array]:
        batch = self._order[step]
        with jax.default_device(self._device):  # threads do not inherit this setting
            return jax.device_put(batch)


class _Loop(Iterator[dict[str, jax.Array]]):
    """The iterator that ``batches`` returns. Threads copy the next batches to the device, which normalises them.

    Args:
      order: the batches.
      start: the first step.
      stop: the step after the last one; None for an endless iterator.
      convert: the compiled function that normalises a batch.
    """

    def __init__(self, order: Batches, start: int, stop: int | None, convert: Callable[..., Any]):
        self._order, self._convert, self._start, self._stop = order, convert, start, stop
        ahead = batches_ahead(order.batch_size)
        self._batches = stream(_OnDevice(order), start, sys.maxsize if stop is None else stop, ahead)

    def __next__(self) -> dict[str, jax.Array]:
        return self._convert(next(self._batches))

    def __repr__(self) -> str:
        steps = f"steps {self._start} to {self._stop}" if self._stop is not None else f"steps from {self._start} on"
        return f"{self._order!r}, {steps}"


def batches(
    data: Any,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    steps: int | None = None,
    turns: int = 1,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
    normalize: Callable[[dict[str, Any]], dict[str, Any]] = normalize,
) -> Iterator[dict[str, jax.Array]]:
    """Return an iterator over shuffled batches for a training loop. The batches are on the default device.

    ``for batch in batches("digits", 64, steps=1000): state, metrics = step(state, batch)``

    A batch is the same dictionary as in an experiment (a training program that jaxgan runs). A loss therefore works
    both in a custom loop and in an experiment:

    - ``batch["image"]`` contains the examples, float32 [B, ...]. Images are converted to the range [-1, 1].
    - ``batch["label"]`` contains the labels, int32 [B]. It is missing if the examples have no labels.
    - ``batch["input"]`` contains the inputs that the images are generated from. It is missing if there are no inputs.

    Threads read the next batches while the loop runs. As in an experiment, the batch of a step depends only on ``seed``
    and the step. A loop can therefore be resumed with ``start=int(state.step)``.

    Args:
      data: a folder, a file or a name such as ``digits``, see ``load``; a ``Source``; or an array [N, ...], uint8 from
        0 to 255 or floats in [-1, 1]. For arrays with labels, pass the source ``Arrays(images, labels)``.
      batch_size: number of examples for each turn of a player (one update of its networks).
      seed: the seed of the order of the examples.
      start: the step of the first batch.
      steps: total number of steps, including the steps before ``start``; None for an endless iterator.
      turns: number of equal parts into which a training step of the game splits its batch. Each turn of a player uses
        one part. Pass ``game.batch_multiple``. A batch contains ``turns * batch_size`` examples.
      resolution, channels, split, data_dir: see ``load``.
      normalize: function that converts a batch to what losses receive, such as ``medium.normalize``; see
        ``jaxgan.media``. By default, images become floats in [-1, 1].

    Raises:
      TypeError: if ``data`` is of an unsupported type, or a number is not a whole number.
      ValueError: if a number is out of range, or if the data cannot be used. The message explains why.
    """
    batch_size, turns = _whole_number("batch_size", batch_size, 1), _whole_number("turns", turns, 1)
    start = _whole_number("start", start, 0)
    stop = None if steps is None else _whole_number("steps", steps, 0)
    source = as_source(data, resolution=resolution, channels=channels, split=split, data_dir=data_dir)
    order = Batches(source, batch_size * turns, seed)
    return _Loop(order, start, stop, jax.jit(normalize))  # JAX caches the compiled function by the wrapped function


def _whole_number(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an int.

    Args:
      name: the name of the argument, for messages.
      value: a Python or NumPy integer.
      least: the smallest value that is allowed.

    Raises:
      TypeError: if ``value`` is not a whole number.
      ValueError: if ``value`` is below ``least``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be a whole number of at least {least}, got {value!r}.") from None
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    return number
