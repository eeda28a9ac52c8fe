"""Where examples come from: arrays in memory, or anything that reads examples by index.

An example's array is called ``image`` whatever it holds, its class ``label``. Images are uint8, 0 to 255,
or float32 in [-1, 1]; ``as_float`` makes the one the other, on the device.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np


class Source(Protocol):
    """Examples by index."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels' names; empty where there are no labels."""
        ...

    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's: (height, width, channels) for an image."""
        ...

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples of these indices: ``image``, [B, *shape], and ``label``, [B], where there are any."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Arrays:
    """Examples in memory, or in a memory map."""

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "arrays"
    classes: tuple[str, ...] = ()

    def __post_init__(self):
        if self.images.ndim < 2 or not len(self.images):
            raise ValueError(f"{self.name}: images of shape {self.images.shape}; want [N, height, width, C], N > 0")
        if self.images.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"{self.name}: images of type {self.images.dtype}; want uint8, 0 to 255, or float32 in [-1, 1]"
            )
        if self.labels is not None and self.labels.shape != (len(self.images),):
            raise ValueError(
                f"{self.name}: {len(self.images)} images and labels of shape {self.labels.shape}; want one each"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        batch = {"image": self.images[indices]}
        return batch if self.labels is None else {**batch, "label": self.labels[indices]}


def in_batches(source: Source, size: int) -> Iterator[dict[str, np.ndarray]]:
    """All of a source's examples in order, ``size`` at a time; the last are fewer."""
    for start in range(0, len(source), size):
        yield source.read(np.arange(start, min(start + size, len(source))))


def in_memory(source: Source) -> Arrays:
    """All of a source's examples, read once."""
    if isinstance(source, Arrays):
        return source
    # In parts: what is read may be larger on its way than what is kept.
    parts = list(in_batches(source, 1024))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Arrays(whole["image"], whole.get("label"), source.name, source.classes)


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """Some of a source's examples, by their indices."""

    source: Source
    indices: np.ndarray

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.source.classes

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.source.read(self.indices[indices])


def hold_out(source: Source, count: int) -> tuple[Source, Source]:
    """All but ``count`` of the examples, and those: chosen at random, the same ones every time.

    Raises:
      ValueError: that is more than half of them, or none.
    """
    if not 0 < count <= len(source) // 2:
        most = len(source) // 2
        raise ValueError(f"{source.name}: of {len(source):,} examples {count:,} cannot be held out; want 1 to {most:,}")
    chosen = np.random.default_rng(0).permutation(len(source))
    rest, held = (Part(source, np.sort(part)) for part in (chosen[count:], chosen[:count]))
    return (in_memory(rest), in_memory(held)) if isinstance(source, Arrays) else (rest, held)


def size_in_bytes(source: Source) -> int:
    """What all examples take in memory."""
    return len(source) * source.read(np.zeros(1, np.int64))["image"].nbytes


def as_float(batch: dict[str, Any]) -> dict[str, jax.Array]:
    """Images of bytes, 0 to 255, to float32 in [-1, 1]; everything else as it is."""

    def convert(x):
        return x.astype(jnp.float32) / 127.5 - 1 if x.dtype == jnp.uint8 else x

    return {name: convert(x) if name != "label" else x for name, x in batch.items()}
