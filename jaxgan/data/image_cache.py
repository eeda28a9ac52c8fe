"""Store decoded examples in memory, so that only the first epoch decodes their files.

Data of up to 1 GiB are read into memory when they are loaded, see ``jaxgan.data.load``. The cache is for larger data.
It is used only if all examples fit into it, and it returns the same bytes as the files.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxgan.core.system import available_memory_bytes
from jaxgan.core.tables import format_bytes
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Source, Unpaired, size_in_bytes

MEMORY_SHARE = 0.5  # default size of the cache as a fraction of the available memory


class CachedSource(ShownSource):
    """A source that stores each example of another source in memory when it is read for the first time.

    The memory for all examples is reserved at once, and the system provides it when examples are stored. Several
    threads can read at the same time.

    Args:
      source: the other source. It must return equal arrays when an example is read again.
    """

    def __init__(self, source: Source):
        self._source = source
        example = source.read(np.zeros(1, np.int64))
        self._arrays = {name: np.empty((len(source), *x.shape[1:]), x.dtype) for name, x in example.items()}
        self._is_stored = np.zeros(len(source), bool)

    @property
    def name(self) -> str:
        """The name of the other source."""
        return self._source.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the other source."""
        return self._source.classes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self._source.shape

    @property
    def details(self) -> Mapping[str, Any]:
        """The details of the other source, see ``NamedArrays``."""
        return getattr(self._source, "details", {})

    @property
    def test(self) -> Source | None:
        """The test examples of the other source."""
        return getattr(self._source, "test", None)

    @property
    def spans(self) -> np.ndarray | None:
        """Where each of the examples was cut from, [N, 3], see ``NamedArrays``; None if they do not overlap."""
        return getattr(self._source, "spans", None)

    def __len__(self) -> int:
        return len(self._source)

    def _details(self) -> str:
        return f", {np.count_nonzero(self._is_stored):,} of them cached"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        missing = indices[~self._is_stored[indices]]
        if len(missing):
            for name, x in self._source.read(missing).items():
                self._arrays[name][missing] = x
            self._is_stored[missing] = True  # last, because other threads then read the arrays
        return {name: array[indices] for name, array in self._arrays.items()}


def cache_examples(source: Source, limit: int | None = None) -> tuple[Source, str]:
    """Return a source with a cache, if the source decodes its examples whenever they are read and all of them fit.

    Args:
      source: the source. Only the sources of this package that decode files have a cache, because others may return
        another array when an example is read again.
      limit: the largest size of the cache in bytes. None uses half of the available memory, shared by all processes of
        the run because they may be on one machine; and no cache if the system does not report its memory.

    Returns:
      The source with a cache, or ``source`` itself; and a line that says which, or "" for sources that decode nothing.
    """
    parts = list(source.domains.values()) if isinstance(source, Unpaired) else [source]
    decoding = [part for part in parts if getattr(part, "decodes", False)]
    if not decoding:
        return source, ""
    needed = sum(map(size_in_bytes, decoding))
    if limit is None:
        limit = int(MEMORY_SHARE * (available_memory_bytes() or 0)) // jax.process_count()
    sizes = f"they need {format_bytes(needed)}, and the cache may use {format_bytes(limit)}"
    every_epoch = f"image files are decoded in every epoch: {sizes}"
    if needed > limit:
        return source, every_epoch
    try:
        cached = [CachedSource(part) if part in decoding else part for part in parts]
    except MemoryError:  # the system reserves less memory than it reports
        return source, every_epoch
    line = f"image files are decoded once and cached in memory: {sizes}"
    return Unpaired(*cached) if isinstance(source, Unpaired) else cached[0], line
