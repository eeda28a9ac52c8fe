"""Where examples come from: arrays in memory, or anything that reads examples by index.

An example's array is called ``image`` whatever it holds, its class ``label``. Where an image is made of another, as in
translation, ``image`` is what is to be made and ``input`` what it is made of. Images are uint8, 0 to 255, or float32 in
[-1, 1]; ``normalize`` makes the one the other, on the device.
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
        """The examples of these indices: ``image``, [B, *shape]; ``label``, [B], and ``input`` where there are any."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Arrays:
    """Examples in memory, or in a memory map; with ``inputs``, pairs: the i-th image is made of the i-th input."""

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "arrays"
    classes: tuple[str, ...] = ()
    inputs: np.ndarray | None = None

    def __post_init__(self):
        for what, array in (("images", self.images), ("inputs", self.inputs)):
            if array is None:
                continue
            if array.ndim < 2 or not len(array):
                raise ValueError(f"{self.name}: {what} of shape {array.shape}; want [N, height, width, C], N > 0")
            if array.dtype not in (np.uint8, np.float32):
                raise ValueError(
                    f"{self.name}: {what} of type {array.dtype}; want uint8, 0 to 255, or float32 in [-1, 1]"
                )
        if self.inputs is not None and len(self.inputs) != len(self.images):
            raise ValueError(f"{self.name}: {len(self.images)} images and {len(self.inputs)} inputs; want one each")
        if self.labels is not None and self.labels.shape != (len(self.images),):
            raise ValueError(
                f"{self.name}: {len(self.images)} images and labels of shape {self.labels.shape}; want one each"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """Its arrays, called as they are in a batch."""
        named = {"image": self.images, "label": self.labels, "input": self.inputs}
        return {name: array for name, array in named.items() if array is not None}

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.by_name.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class Unpaired:
    """Two sources of which no example belongs to another: images, and inputs that are to be made like them.

    It is as long as the longer. ``Batches`` draws an order for each; labels are left out.
    """

    images: Source
    inputs: Source

    @property
    def name(self) -> str:
        return f"{self.inputs.name} to {self.images.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        return ()

    @property
    def domains(self) -> dict[str, Source]:
        """The two, called as they are in a batch."""
        return {"image": self.images, "input": self.inputs}

    def __len__(self) -> int:
        return max(len(self.images), len(self.inputs))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of the two, called as they are in a batch; empty if one of them is not in memory."""
        arrays = {name: source.images for name, source in self.domains.items() if isinstance(source, Arrays)}
        return arrays if len(arrays) == 2 else {}

    def read(self, indices: np.ndarray | dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Examples by their indices in each, {"image": [B], "input": [B]}; or by one for both, the shorter's modulo."""
        of = indices if isinstance(indices, dict) else {name: indices % len(x) for name, x in self.domains.items()}
        return {name: source.read(of[name])["image"] for name, source in self.domains.items()}


def read_in_batches(source: Source, size: int) -> Iterator[dict[str, np.ndarray]]:
    """All of a source's examples in order, ``size`` at a time; the last are fewer."""
    for start in range(0, len(source), size):
        yield source.read(np.arange(start, min(start + size, len(source))))


def read_into_memory(source: Source) -> Arrays:
    """All of a source's examples, read once; of an ``Unpaired`` the i-th of each, as if they were pairs."""
    if isinstance(source, Arrays):
        return source
    # In parts: what is read may be larger on its way than what is kept.
    parts = list(read_in_batches(source, 1024))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Arrays(whole["image"], whole.get("label"), source.name, source.classes, whole.get("input"))


@dataclasses.dataclass(frozen=True, eq=False)
class Subset:
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
    """All but ``count`` of the examples, and those: chosen at random, the same ones every time; of unpaired, of each.

    Raises:
      ValueError: that is more than half of them, or none.
    """
    if isinstance(source, Unpaired):
        (images, held_images), (inputs, held_inputs) = (hold_out(x, count) for x in (source.images, source.inputs))
        return Unpaired(images, inputs), Unpaired(held_images, held_inputs)
    if not 0 < count <= len(source) // 2:
        most = len(source) // 2
        raise ValueError(f"{source.name}: of {len(source):,} examples {count:,} cannot be held out; want 1 to {most:,}")
    chosen = np.random.default_rng(0).permutation(len(source))
    rest, held = (Subset(source, np.sort(part)) for part in (chosen[count:], chosen[:count]))
    return (read_into_memory(rest), read_into_memory(held)) if isinstance(source, Arrays) else (rest, held)


def size_in_bytes(source: Source) -> int:
    """What all examples take in memory."""
    if isinstance(source, Unpaired):
        return size_in_bytes(source.images) + size_in_bytes(source.inputs)
    return len(source) * sum(x.nbytes for x in source.read(np.zeros(1, np.int64)).values())


def normalize(batch: dict[str, Any]) -> dict[str, jax.Array]:
    """Images of bytes, 0 to 255, to float32 in [-1, 1]; everything else as it is."""

    def convert(x):
        return x.astype(jnp.float32) / 127.5 - 1 if x.dtype == jnp.uint8 else x

    return {name: convert(x) if name != "label" else x for name, x in batch.items()}
