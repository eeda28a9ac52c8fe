"""Define sources of examples, and functions that combine, divide and convert them.

A source reads examples by index, from arrays in memory or from anywhere else. A batch of examples is a dictionary of
arrays: ``image`` contains the examples, even if they are not images, and ``label`` their classes. If images are
generated from inputs, as in image-to-image translation, ``image`` is the target and ``input`` is the input. Images are
uint8 from 0 to 255 or float32 in [-1, 1]; ``normalize`` converts uint8 to float32 on the device.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.array_checks import check_examples
from jaxgan.data.labels import check_indices, class_indices
from jaxgan.data.representation import ShownSource


class Source(Protocol):
    """A data set that is read by index. Any object with these attributes and methods is a source."""

    @property
    def name(self) -> str:
        """The name of the source, for messages."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; label i has the name ``classes[i]``. Empty if the examples have no labels."""
        ...

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, (height, width, channels) for an image."""
        ...

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return a batch of examples.

        Args:
          indices: the indices of the examples, [B].

        Returns:
          ``image``, [B, *shape]; ``label``, [B], if the examples have labels; and ``input``, [B, ...], if the images
          are generated from inputs.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Arrays(ShownSource):
    """A source of examples in memory, or in a memory-mapped file.

    Attributes:
      images: the examples, [N, ...], uint8 from 0 to 255 or floats in [-1, 1], see ``check_examples``. Floats are
        converted to float32, and grey uint8 images can be [N, height, width].
      labels: the labels, [N], which become the indices of classes, int32; None if the examples have no labels. If
        ``classes`` is empty, they can be of any kind that ``class_indices`` accepts.
      name: the name of the source, for messages.
      classes: the names of the classes; label i has the name ``classes[i]``. By default, the text of each label that
        occurs.
      inputs: the inputs that the images are generated from, [N, ...]; input i belongs to image i. None if the images
        are not generated from inputs.
      checked: whether the values of the arrays are known to be valid. If True, only the shapes are checked.

    Raises:
      ValueError: if an array is empty, has another type or values out of range, or if the arrays have different
        lengths.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "arrays"
    classes: tuple[str, ...] = ()
    inputs: np.ndarray | None = None
    checked: dataclasses.InitVar[bool] = False

    def __post_init__(self, checked: bool):
        if not checked:
            for field, array in (("images", self.images), ("inputs", self.inputs)):
                if array is not None:
                    array = check_examples(np.asarray(array), f"The {field} of {self.name}", field)
                    object.__setattr__(self, field, array)
        if self.inputs is not None and len(self.inputs) != len(self.images):
            raise ValueError(
                f"{self.name} must have one input for each image, got {len(self.inputs)} inputs and "
                f"{len(self.images)} images."
            )
        if self.labels is None:
            return
        if len(self.labels) != len(self.images):
            raise ValueError(
                f"{self.name} must have one label for each image, got {len(self.labels):,} labels and "
                f"{len(self.images):,} images."
            )
        if not checked:
            self._check_labels(self.labels)

    def _check_labels(self, labels: np.ndarray) -> None:
        where = f"The labels of {self.name}"
        if self.classes:
            labels, classes = check_indices(labels, self.classes, where), self.classes
        else:
            labels, classes = class_indices(labels, where)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", classes)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.images.shape[1:]

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of the source, keyed by their names in a batch."""
        arrays = {"image": self.images, "label": self.labels, "input": self.inputs}
        return {name: array for name, array in arrays.items() if array is not None}

    def _details(self) -> str:
        inputs = "" if self.inputs is None else f", generated from inputs of shape {list(self.inputs.shape[1:])}"
        return f", {self.images.dtype}{inputs}"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.by_name.items()}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Unpaired(ShownSource):
    """A source of two data sets without pairs: inputs, and images of the domain that the inputs are translated to.

    Its length is the length of the longer data set. ``Batches`` shuffles the two data sets independently. Labels are
    ignored.

    Attributes:
      images: the source of the images.
      inputs: the source of the inputs.
    """

    images: Source
    inputs: Source

    @property
    def name(self) -> str:
        """The names of the two sources, as in "horses to zebras"."""
        return f"{self.inputs.name} to {self.images.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        """An empty tuple, because unpaired data have no classes."""
        return ()

    @property
    def domains(self) -> dict[str, Source]:
        """The two sources, keyed by their names in a batch."""
        return {"image": self.images, "input": self.inputs}

    def __len__(self) -> int:
        return max(len(self.images), len(self.inputs))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image of ``images``."""
        return self.images.shape

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of both sources, keyed by their names in a batch; empty if a source is not in memory."""
        arrays = {name: source.images for name, source in self.domains.items() if isinstance(source, Arrays)}
        return arrays if len(arrays) == 2 else {}

    def _details(self) -> str:
        return "".join(f"\n  {name}: {source!r}" for name, source in self.domains.items())

    def read(self, indices: np.ndarray | dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a batch with examples of both sources.

        Args:
          indices: the indices for each source, {"image": [B], "input": [B]}; or one array [B] for both sources. An
            index beyond the end of the shorter source wraps around to its start.
        """
        if not isinstance(indices, dict):
            indices = {name: indices % len(source) for name, source in self.domains.items()}
        return {name: source.read(indices[name])["image"] for name, source in self.domains.items()}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Subset(ShownSource):
    """A source of some examples of another source.

    Attributes:
      source: the other source.
      indices: the indices of the examples in ``source``, [N].
    """

    source: Source
    indices: np.ndarray

    @property
    def decodes(self) -> bool:
        """Whether the complete source decodes an example whenever it is read."""
        return getattr(self.source, "decodes", False)

    @property
    def name(self) -> str:
        """The name of the complete source."""
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the complete source."""
        return self.source.classes

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.source.shape

    def _details(self) -> str:
        return f", a subset of {len(self.source):,}"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.source.read(self.indices[indices])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Relabelled(ShownSource):
    """A source whose classes have other indices than in another source.

    Attributes:
      source: the other source, which has labels.
      classes: the names of the classes in their new order. All classes of ``source`` are among them.
    """

    source: Source
    classes: tuple[str, ...]

    @property
    def decodes(self) -> bool:
        """Whether the other source decodes an example whenever it is read."""
        return getattr(self.source, "decodes", False)

    @functools.cached_property
    def _new_indices(self) -> np.ndarray:
        new_index = {name: i for i, name in enumerate(self.classes)}
        return np.array([new_index[name] for name in self.source.classes], np.int32)

    @property
    def name(self) -> str:
        """The name of the other source."""
        return self.source.name

    def __len__(self) -> int:
        return len(self.source)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.source.shape

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        return {**batch, "label": self._new_indices[batch["label"]]}


def match_classes(source: Source, classes: Sequence[str]) -> Source:
    """Return a source in which each class has the index that it has in a list, if the list contains all classes.

    A run records its classes, and must be resumed with the same labels. Earlier versions of jaxgan had another order,
    in which 10 comes before 2, and gave a class to every number below the largest label.

    Args:
      source: the source.
      classes: the names of classes. If a class of ``source`` is missing, or ``source`` has no classes, the source is
        returned unchanged.
    """
    classes = tuple(classes)
    if not source.classes or source.classes == classes or not set(source.classes) <= set(classes):
        return source
    relabelled = Relabelled(source, classes)
    return read_into_memory(relabelled) if isinstance(source, Arrays) else relabelled


def read_in_batches(source: Source, size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield all examples of a source in order, in batches of ``size``; the last batch may be smaller.

    Args:
      source: the data.
      size: the number of examples in a batch, at least 1.
    """
    for start in range(0, len(source), size):
        yield source.read(np.arange(start, min(start + size, len(source))))


def read_into_memory(source: Source) -> Arrays:
    """Return all examples of a source as arrays.

    An ``Unpaired`` is read as if the i-th examples of its two sources were pairs.

    Args:
      source: the data. They must fit into memory.
    """
    if isinstance(source, Arrays):
        return source
    # The examples are read in batches, because decoding may need more memory than the decoded examples.
    batches = list(read_in_batches(source, 1024))
    arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return Arrays(arrays["image"], arrays.get("label"), source.name, source.classes, arrays.get("input"), checked=True)


def hold_out(source: Source, count: int) -> tuple[Source, Source]:
    """Split a source into examples for training and held-out examples.

    The held-out examples are chosen at random with a fixed seed, so every call chooses the same examples. For an
    ``Unpaired``, ``count`` examples of each of its two sources are held out.

    Args:
      source: the source.
      count: number of held-out examples.

    Returns:
      The source of the examples for training, and the source of the held-out examples.

    Raises:
      ValueError: if ``count`` is below 1 or larger than half of the examples.
    """
    if isinstance(source, Unpaired):
        images, held_out_images = hold_out(source.images, count)
        inputs, held_out_inputs = hold_out(source.inputs, count)
        return Unpaired(images, inputs), Unpaired(held_out_images, held_out_inputs)
    largest = len(source) // 2
    if not 0 < count <= largest:
        raise ValueError(
            f"The number of examples to hold out must be from 1 to {largest:,}, half of the {len(source):,} examples "
            f"of {source.name}, got {count:,}."
        )
    order = np.random.default_rng(0).permutation(len(source))
    rest, held_out = (Subset(source, np.sort(indices)) for indices in (order[count:], order[:count]))
    if isinstance(source, Arrays):
        return read_into_memory(rest), read_into_memory(held_out)
    return rest, held_out


def size_in_bytes(source: Source) -> int:
    """Return the number of bytes that all examples would need in memory.

    Args:
      source: the data. One example is read, and all are assumed to have its size.
    """
    if isinstance(source, Unpaired):
        return size_in_bytes(source.images) + size_in_bytes(source.inputs)
    return len(source) * sum(x.nbytes for x in source.read(np.zeros(1, np.int64)).values())


def normalize(batch: dict[str, Any]) -> dict[str, jax.Array]:
    """Convert the uint8 images of a batch, 0 to 255, to float32 in [-1, 1]; labels and other types are unchanged."""

    def convert(name, x):
        return x.astype(jnp.float32) / 127.5 - 1 if x.dtype == jnp.uint8 and name != "label" else x

    return {name: convert(name, x) for name, x in batch.items()}
