"""Sources of examples: arrays in memory, or anything that reads examples by index.

Whatever an example holds, its array is called ``image`` and its class ``label``. Where an image is made of another, as
in translation, ``image`` is the one to be made and ``input`` the one that it is made of. Images are uint8, 0 to 255, or
float32 in [-1, 1]; ``normalize`` makes bytes floats, on the device.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.representation import ShownSource

MAX_CLASSES = 100_000  # larger labels number something else


class Source(Protocol):
    """Examples that are read by index."""

    @property
    def name(self) -> str:
        """A name for people."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that labels number; empty where there are no labels."""
        ...

    def __len__(self) -> int:
        """The number of examples."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (height, width, channels) for an image."""
        ...

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples with these indices: ``image``, [B, *shape]; ``label``, [B], and ``input`` if there are any."""
        ...


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Arrays(ShownSource):
    """Examples in memory, or in a memory map.

    Attributes:
      images: the examples, [N, ...], uint8 from 0 to 255 or float32 in [-1, 1].
      labels: whole numbers, [N]; None if there are none.
      name: a name for people.
      classes: the names of the labels' classes; by default the labels from 0 to the largest, if they are whole numbers.
      inputs: the inputs that images are made of, [N, ...], input i for image i; None if there are none.

    Raises:
      ValueError: an array is empty or of another type, or lengths differ.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "arrays"
    classes: tuple[str, ...] = ()
    inputs: np.ndarray | None = None

    def __post_init__(self):
        for field, array in (("images", self.images), ("inputs", self.inputs)):
            if array is None:
                continue
            if array.ndim < 2 or not len(array):
                raise ValueError(f"{self.name}: {field} of shape {array.shape}; want [N, height, width, C], N > 0")
            if array.dtype not in (np.uint8, np.float32):
                raise ValueError(
                    f"{self.name}: {field} of type {array.dtype}; want uint8, 0 to 255, or float32 in [-1, 1]"
                )
        if self.inputs is not None and len(self.inputs) != len(self.images):
            raise ValueError(f"{self.name}: {len(self.images)} images and {len(self.inputs)} inputs; want one each")
        if self.labels is not None and self.labels.shape != (len(self.images),):
            raise ValueError(
                f"{self.name}: {len(self.images)} images and labels of shape {self.labels.shape}; want one each"
            )
        if self.labels is not None and not self.classes:
            object.__setattr__(self, "classes", _names_of_classes(self.labels))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays by their names in a batch."""
        arrays = {"image": self.images, "label": self.labels, "input": self.inputs}
        return {name: array for name, array in arrays.items() if array is not None}

    def _details(self) -> str:
        inputs = "" if self.inputs is None else f", made of inputs of shape {list(self.inputs.shape[1:])}"
        return f", {self.images.dtype}{inputs}"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.by_name.items()}


def _names_of_classes(labels: np.ndarray) -> tuple[str, ...]:
    """The names of the classes that labels number; none where they are no numbers of classes."""
    if not np.issubdtype(labels.dtype, np.integer) or not 0 <= labels.min() <= labels.max() < MAX_CLASSES:
        return ()
    return tuple(map(str, range(int(labels.max()) + 1)))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Unpaired(ShownSource):
    """Two sources without pairs: images, and inputs that are to be made like them.

    It is as long as the longer source. ``Batches`` draws an order for each; labels are left out.
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
        """The two sources by their names in a batch."""
        return {"image": self.images, "input": self.inputs}

    def __len__(self) -> int:
        return max(len(self.images), len(self.inputs))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of both sources by their names in a batch; empty if one of them is not in memory."""
        arrays = {name: source.images for name, source in self.domains.items() if isinstance(source, Arrays)}
        return arrays if len(arrays) == 2 else {}

    def _details(self) -> str:
        return "".join(f"\n  {name}: {source!r}" for name, source in self.domains.items())

    def read(self, indices: np.ndarray | dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Examples of both sources.

        Args:
          indices: of each source its own, {"image": [B], "input": [B]}; or one array for both, [B], where the shorter
            source begins again.
        """
        if not isinstance(indices, dict):
            indices = {name: indices % len(source) for name, source in self.domains.items()}
        return {name: source.read(indices[name])["image"] for name, source in self.domains.items()}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Subset(ShownSource):
    """Some examples of a source, by their indices, [N]."""

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

    def _details(self) -> str:
        return f", chosen from {len(self.source):,}"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.source.read(self.indices[indices])


def read_in_batches(source: Source, size: int) -> Iterator[dict[str, np.ndarray]]:
    """All examples of a source in order, ``size`` at a time; the last batch may be smaller."""
    for start in range(0, len(source), size):
        yield source.read(np.arange(start, min(start + size, len(source))))


def read_into_memory(source: Source) -> Arrays:
    """All examples of a source as arrays; of an ``Unpaired`` the i-th of each source, as if they were pairs."""
    if isinstance(source, Arrays):
        return source
    # Read in batches, because decoding may take more memory than the examples.
    batches = list(read_in_batches(source, 1024))
    arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return Arrays(arrays["image"], arrays.get("label"), source.name, source.classes, arrays.get("input"))


def hold_out(source: Source, count: int) -> tuple[Source, Source]:
    """A source without ``count`` of its examples, and those examples.

    They are chosen at random, the same ones every time; of an ``Unpaired`` so many of each of its sources.

    Raises:
      ValueError: ``count`` is below 1, or more than half of the examples.
    """
    if isinstance(source, Unpaired):
        images, held_out_images = hold_out(source.images, count)
        inputs, held_out_inputs = hold_out(source.inputs, count)
        return Unpaired(images, inputs), Unpaired(held_out_images, held_out_inputs)
    largest = len(source) // 2
    if not 0 < count <= largest:
        raise ValueError(
            f"{source.name}: from 1 to {largest:,} of its {len(source):,} examples can be held out, got {count:,}."
        )
    order = np.random.default_rng(0).permutation(len(source))
    rest, held_out = (Subset(source, np.sort(indices)) for indices in (order[count:], order[:count]))
    if isinstance(source, Arrays):
        return read_into_memory(rest), read_into_memory(held_out)
    return rest, held_out


def size_in_bytes(source: Source) -> int:
    """The bytes that all examples take in memory."""
    if isinstance(source, Unpaired):
        return size_in_bytes(source.images) + size_in_bytes(source.inputs)
    return len(source) * sum(x.nbytes for x in source.read(np.zeros(1, np.int64)).values())


def normalize(batch: dict[str, Any]) -> dict[str, jax.Array]:
    """A batch with images of bytes, 0 to 255, as float32 in [-1, 1]; floats and labels stay as they are."""

    def convert(name, x):
        return x.astype(jnp.float32) / 127.5 - 1 if x.dtype == jnp.uint8 and name != "label" else x

    return {name: convert(name, x) for name, x in batch.items()}
