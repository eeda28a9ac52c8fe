"""Read and decode many image files at the same time, in threads.

Pillow releases Python's global lock while it decompresses, resizes and converts an image, so threads use several cores.
All sources share the same threads. The result does not depend on their number.
"""

import concurrent.futures
import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from jaxgan.core import system

LEAST = 4  # smallest default number of threads, because threads also wait for the disk

X = TypeVar("X")
Y = TypeVar("Y")


class _Readers:
    """A pool of threads that is created at its first use."""

    def __init__(self):
        self._lock, self._count, self._pool = threading.Lock(), None, None

    @property
    def count(self) -> int:
        return self._count or max(LEAST, system.cores())

    def resize(self, count: int | None) -> None:
        with self._lock:
            self._count, pool, self._pool = count, self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    def forget(self) -> None:
        """Forget the threads of the parent process, which a forked process does not have."""
        self._lock, self._pool = threading.Lock(), None

    def submit(self, function: Callable[[X], Y], items: list[X]) -> list[concurrent.futures.Future[Y]]:
        with self._lock:
            self._pool = self._pool or concurrent.futures.ThreadPoolExecutor(self.count, "jaxgan-reader")
            return [self._pool.submit(function, item) for item in items]


_READERS = _Readers()
if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(after_in_child=_READERS.forget)


def count_readers() -> int:
    """Return the number of threads that decode images, by default the number of processor cores, but at least 4."""
    return _READERS.count


def set_readers(count: int | None) -> None:
    """Set the number of threads that decode images, for all sources of this process.

    Args:
      count: the number of threads; None for the default, see ``count_readers``.

    Raises:
      ValueError: if ``count`` is below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"`count` must be at least 1, got {count}.")
    _READERS.resize(count)


def read_all(function: Callable[[X], Y], items: Iterable[X]) -> list[Y]:
    """Return ``[function(item) for item in items]``, computed in the threads.

    Args:
      function: a function that reads one example. It must not call ``read_all`` itself, because it would wait for its
        own thread.
      items: the items to read.

    Raises:
      Exception: the error of the first item whose function raises one. Later items may not be read.
    """
    results = _READERS.submit(function, list(items))
    try:
        return [result.result() for result in results]
    finally:
        for result in results:
            result.cancel()
