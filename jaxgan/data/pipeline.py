"""Batches: a batch is a function of (seed, step), so the place in the data needs no state of its own.

Epochs are reshuffled, and every epoch holds each example once; a batch may span two epochs. The two of an ``Unpaired``
have orders of their own, and epochs of their own lengths.
"""

import collections
import concurrent.futures
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgan.data.source import Source, Unpaired


class Batches:
    """Rows of the global batch, by step.

    Attributes:
      source: the examples.
      batch_size: of the global batch.
      seed: the order is a function of it.
      rows: which rows of each global batch to read: this process's.
    """

    def __init__(self, source: Source, batch_size: int, seed: int, rows: slice = slice(None)):
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: at least 1")
        self.source, self.batch_size, self.seed, self.rows = source, batch_size, seed, rows
        # A batch may touch two epochs, or more than two of a tiny set; of each of two domains.
        self._permutation = functools.lru_cache(maxsize=4)(_drawn)

    def indices(self, step: int) -> Any:
        """Which examples are this process's rows of batch ``step``, counted from 0.

        [B]; of an ``Unpaired`` {"image": [B], "input": [B]}.
        """
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)[self.rows]
        if isinstance(self.source, Unpaired):
            return {name: self._shuffled(places, len(x), i) for i, (name, x) in enumerate(self.source.domains.items())}
        return self._shuffled(places, len(self.source))

    def _shuffled(self, places: np.ndarray, count: int, domain: int = 0) -> np.ndarray:
        """Which of ``count`` examples come at these places of a domain's endless order."""
        epochs, offsets = np.divmod(places, count)
        indices = np.empty_like(places)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            indices[here] = self._permutation(count, (self.seed, int(epoch), domain))[offsets[here]]
        return indices

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        return self.source.read(self.indices(step))


def _drawn(count: int, seed: tuple[int, ...]) -> np.ndarray:
    # NumPy fills a seed up with zeros: (seed, epoch, 0) is (seed, epoch).
    return np.random.default_rng(seed).permutation(count).astype(np.int32)


def stream(batches: Batches, start: int, stop: int, ahead: int = 4) -> Iterator[Any]:
    """The batches of steps ``start`` to ``stop``, read by threads, ``ahead`` of their use."""
    with concurrent.futures.ThreadPoolExecutor(ahead) as pool:
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
            for future in coming:
                future.cancel()
