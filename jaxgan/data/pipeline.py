"""Batches as a function of (seed, step), so that the position in the data needs no state of its own.

Epochs are reshuffled, and every epoch holds each example once; a batch may span two epochs. The two sources of an
``Unpaired`` have orders of their own, and epochs of their own lengths.
"""

import collections
import concurrent.futures
import functools
import operator
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgan.data.loading import as_source
from jaxgan.data.source import Source, Unpaired, normalize


class Batches:
    """This process's rows of the global batch of each step.

    Attributes:
      source: the examples.
      batch_size: the size of the global batch.
      seed: the seed of the order.
      rows: which rows of each global batch to read.
    """

    def __init__(self, source: Source, batch_size: int, seed: int, rows: slice = slice(None)):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
        self.source, self.batch_size, self.seed, self.rows = source, batch_size, seed, rows
        # A batch may span two epochs of each of two domains; of a tiny set it spans more.
        self._permutation = functools.lru_cache(maxsize=4)(_permutation)

    def __repr__(self) -> str:
        return f"Batches of {self.batch_size} with seed {self.seed} of {self.source!r}"

    def indices(self, step: int) -> Any:
        """The indices of this process's examples in batch ``step``, counted from 0.

        They are [B]; for an ``Unpaired``, {"image": [B], "input": [B]}.
        """
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)[self.rows]
        if isinstance(self.source, Unpaired):
            return {
                name: self._examples_at(places, len(source), domain)
                for domain, (name, source) in enumerate(self.source.domains.items())
            }
        return self._examples_at(places, len(self.source))

    def _examples_at(self, places: np.ndarray, count: int, domain: int = 0) -> np.ndarray:
        """The indices of the examples, of ``count``, at these places of a domain's endless order."""
        epochs, offsets = np.divmod(places, count)
        indices = np.empty_like(places)
        for epoch in np.unique(epochs):
            in_epoch = epochs == epoch
            indices[in_epoch] = self._permutation(count, (self.seed, int(epoch), domain))[offsets[in_epoch]]
        return indices

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        return self.source.read(self.indices(step))


def _permutation(count: int, seed: tuple[int, ...]) -> np.ndarray:
    # NumPy pads a seed with zeros, so (seed, epoch, 0) is the same as (seed, epoch).
    return np.random.default_rng(seed).permutation(count).astype(np.int32)


def stream(batches: Batches, start: int, stop: int, ahead: int = 4) -> Iterator[Any]:
    """The batches of steps ``start`` to ``stop``, which threads read up to ``ahead`` batches before they are used."""
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
        if not is_finalizing():  # then the threads have ended, and a shutdown would fail
            pool.shutdown(cancel_futures=True)


_normalize_on_device = jax.jit(normalize)


class _Loop(Iterator[dict[str, jax.Array]]):
    """The iterator of ``batches``: the batches of steps ``start`` to ``stop``, normalised on the default device."""

    def __init__(self, order: Batches, start: int, stop: int | None):
        self._order, self._start, self._stop = order, start, stop
        self._batches = stream(order, start, sys.maxsize if stop is None else stop)

    def __next__(self) -> dict[str, jax.Array]:
        return _normalize_on_device(next(self._batches))

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
) -> Iterator[dict[str, jax.Array]]:
    """The batches of a training loop, on the default device, as a loss sees them.

    ``for batch in batches("digits", 64, steps=1000): state, metrics = step(state, batch)``

    A batch is always a dictionary, as in an experiment, so that a loss works in both: ``batch["image"]``, float32
    [B, ...], where images are in [-1, 1]; ``batch["label"]``, int32 [B], where the examples have labels; and
    ``batch["input"]`` where images are made of other images. The batch of a step depends on ``seed`` and the step
    alone, as in an experiment, so a loop resumes with ``start=int(state.step)``. Threads read ahead of the loop.

    Args:
      data: what ``load`` takes, a folder, a file or a name such as ``digits``; a ``Source``; or an array, [N, ...],
        uint8 from 0 to 255 or floats in [-1, 1]. ``Arrays(images, labels)`` is a source of arrays with labels.
      batch_size: the number of examples for each turn.
      seed: the seed of the order.
      start: the step of the first batch.
      steps: the number of steps in all, those before ``start`` included; without it the batches never end.
      turns: the number of turns into which the game splits a batch, ``Game.batch_multiple``. A batch has ``turns``
        times ``batch_size`` examples.
      resolution, channels, split, data_dir: as in ``load``.

    Raises:
      TypeError: ``data`` is of another kind, or a number is no whole number.
      ValueError: a number is out of its range, or the data cannot be used; the message says why.
    """
    batch_size, turns = _whole_number("batch_size", batch_size, 1), _whole_number("turns", turns, 1)
    start = _whole_number("start", start, 0)
    stop = None if steps is None else _whole_number("steps", steps, 0)
    source = as_source(data, resolution=resolution, channels=channels, split=split, data_dir=data_dir)
    order = Batches(source, batch_size * turns, seed)
    return _Loop(order, start, stop)


def _whole_number(name: str, value: Any, least: int) -> int:
    """``value`` as an int; an error that begins with ``name`` unless it is a whole number of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be a whole number of at least {least}, got {value!r}.") from None
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    return number
