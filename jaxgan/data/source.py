"""Define sources of examples, and functions that combine, divide and convert them.

A source reads examples by index, from arrays in memory or from anywhere else. A batch of examples is a dictionary of
arrays: ``label`` contains the classes of the examples, and ``image`` the examples if they are images, voxels or points.
Examples of other kinds have any other names and types, see ``NamedArrays``. If images are generated from inputs, as in
image-to-image translation, ``image`` is the target and ``input`` is the input. Images are uint8 from 0 to 255 or
float32 in [-1, 1]; ``normalize`` converts uint8 to float32 on the device.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.array_checks import check_examples
from jaxgan.data.labels import check_indices, class_indices
from jaxgan.data.representation import ShownSource
from jaxgan.data.spans import check_spans, split_in_time

NUMBERS = "biufc"  # kinds of the types of arrays: booleans, integers, floats and complex numbers


class Source(Protocol):
    """A data set that is read by index. Any object with these attributes and methods is a source.

    A source can have more attributes, which ``NamedArrays`` describes: ``details`` (what a loader found out about the
    data), ``test`` (a source of test examples), ``spans`` (where examples were cut from) and ``weights`` (how often
    they are drawn).
    """

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
          are generated from inputs. If the examples are not called ``image``, the first array contains the examples.
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
            labels, classes = _as_labels(self.labels, self.classes, self.name)
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


def _as_labels(labels: np.ndarray, classes: tuple[str, ...], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels as the indices of classes, int32 [N], and the names of the classes."""
    where = f"The labels of {name}"
    if classes:
        return check_indices(labels, classes, where), classes
    return class_indices(labels, where)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NamedArrays(ShownSource):
    """A source of examples of any kind in memory, such as rows of a table or windows of a series.

    >>> rows = {"row": np.zeros((100, 3), np.float32), "age": np.arange(100)}
    >>> NamedArrays(rows, "people", details={"columns": ["age"]})
    NamedArrays people: 100 examples of shape [3], float32, beside age int64 []

    Attributes:
      arrays: dictionary from names to arrays, [N, ...]. The first array contains the examples, and ``label`` their
        classes as in ``Arrays``. The other arrays keep their type: booleans, integers, floats or complex numbers.
      name: the name of the source, for messages.
      classes: the names of the classes; label i has the name ``classes[i]``. By default, the text of each label that
        occurs.
      details: what was found out about the data when they were loaded, such as the names and the bounds of columns,
        as values that JSON can represent. They are recorded with a run. If its data are missing later, the source of
        blank examples has the same details.
      test: a source of test examples, which are neither trained on nor held out of the training examples; or None.
      spans: where each example was cut from, integers [N, 3]: the number of the recording, the first row, and the row
        after the last one. ``hold_out`` then splits in time, and no held-out example shares a row with the others. None
        if examples do not overlap.
      weights: how often each example is drawn in training, [N] numbers of at least 0. They are divided by their sum: an
        epoch has N draws, and contains example i ``N * weights[i]`` times, rounded down or up at random. None draws
        each example once.
      checked: whether the values are known to be valid. If True, only the lengths are checked.

    Raises:
      ValueError: if there are no arrays or no examples, or if an array has another length, contains other things than
        numbers or, in the examples, numbers that are not finite; if ``details`` cannot be represented in JSON; or if
        the test examples have another shape or other classes.
    """

    arrays: Mapping[str, np.ndarray]
    name: str = "arrays"
    classes: tuple[str, ...] = ()
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    test: Source | None = None
    spans: np.ndarray | None = None
    weights: np.ndarray | None = None
    checked: dataclasses.InitVar[bool] = False

    def __post_init__(self, checked: bool):
        arrays = {name: np.asarray(array) for name, array in self.arrays.items()}
        if not arrays or "label" in list(arrays)[:1]:
            raise ValueError(f"`arrays` of {self.name} must start with the array of the examples, got {list(arrays)}.")
        for name, array in arrays.items():
            self._check_array(name, array, least_axes=2 if name == self.key else 1)
        if not checked:
            _check_finite(arrays[self.key], f"{self.key} of {self.name}")
            if "label" in arrays:
                arrays["label"], classes = _as_labels(arrays["label"], tuple(self.classes), self.name)
                object.__setattr__(self, "classes", classes)
            object.__setattr__(self, "details", _as_json(self.details, self.name))
            if self.spans is not None:
                object.__setattr__(self, "spans", check_spans(self.spans, len(arrays[self.key]), self.name))
        if self.weights is not None:
            object.__setattr__(self, "weights", _check_weights(self.weights, len(arrays[self.key]), self.name))
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "classes", tuple(self.classes))
        for attribute in ("shape", "classes"):
            if self.test is not None and tuple(getattr(self.test, attribute)) != getattr(self, attribute):
                raise ValueError(
                    f"The test examples of {self.name} must have the {attribute} of the training examples, "
                    f"{list(getattr(self, attribute))}, got {list(getattr(self.test, attribute))}."
                )

    def _check_array(self, name: str, array: np.ndarray, least_axes: int) -> None:
        where = f"The array {name!r} of {self.name}"
        if array.dtype.kind not in NUMBERS and name != "label":
            raise ValueError(
                f"{where} must contain numbers or booleans, got {array.dtype}. Replace text by the indices of its "
                "different values, and dates by numbers."
            )
        if array.ndim < least_axes or not array.size:
            axes = "[N, ...]" if least_axes == 1 else "[N, D, ...], the examples,"
            raise ValueError(f"{where} must be {axes} with N > 0, got shape {list(array.shape)}.")
        if len(array) != len(self):
            raise ValueError(
                f"{where} must have one row for each of the {len(self):,} examples, got {len(array):,} rows."
            )

    @property
    def key(self) -> str:
        """The name of the array that contains the examples."""
        return next(iter(self.arrays))

    def __len__(self) -> int:
        return len(self.arrays[self.key])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.arrays[self.key].shape[1:]

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arrays of the source, keyed by their names in a batch."""
        return dict(self.arrays)

    def _details(self) -> str:
        others = [f"{name} {x.dtype} {list(x.shape[1:])}" for name, x in self.arrays.items() if name != self.key]
        beside = f", beside {', '.join(others)}" if others else ""
        test = "" if self.test is None else f", {len(self.test):,} test examples"
        return f", {self.arrays[self.key].dtype}{beside}{test}"

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.arrays.items()}

    def select(self, indices: np.ndarray) -> "NamedArrays":
        """Return a source in memory of some of the examples, with the same details and test examples.

        Args:
          indices: the indices of the examples, [N].
        """
        spans = None if self.spans is None else self.spans[indices]
        weights = None if self.weights is None else self.weights[indices]
        return NamedArrays(
            self.read(indices), self.name, self.classes, self.details, self.test, spans, weights, checked=True
        )


def _check_weights(weights: np.ndarray, count: int, name: str) -> np.ndarray:
    weights = np.asarray(weights, np.float64)
    if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.sum() > 0:
        raise ValueError(
            f"The weights of {name} must be {count:,} finite numbers of at least 0, one for each example, and not "
            f"all 0, got the shape {list(weights.shape)}"
            f"{f' and the smallest weight {weights.min()}' if weights.size else ''}."
        )
    return weights


def _check_finite(examples: np.ndarray, where: str) -> None:
    is_finite = np.isfinite(examples).reshape(len(examples), -1).all(1)
    if not is_finite.all():
        raise ValueError(
            f"The examples {where} must be finite, got NaN or infinity in {np.sum(~is_finite):,} of "
            f"{len(examples):,} examples, the first of which has the index {np.argmin(is_finite)}. Correct or remove "
            "them."
        )


def _as_json(details: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return details as a reader of JSON returns them, so that they are equal to the recorded details."""
    try:
        return json.loads(json.dumps(dict(details), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`details` of {name} must be values that JSON can represent: text, finite numbers, booleans, None, lists "
            f"and dictionaries ({error}). Convert NumPy values with `.tolist()`."
        ) from None


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

    @property
    def details(self) -> Mapping[str, Any]:
        """The details of the complete source, see ``NamedArrays``."""
        return getattr(self.source, "details", {})

    @property
    def test(self) -> Source | None:
        """The test examples of the complete source."""
        return getattr(self.source, "test", None)

    @property
    def spans(self) -> np.ndarray | None:
        """Where each of the examples was cut from, [N, 3], see ``NamedArrays``; None if they do not overlap."""
        spans = getattr(self.source, "spans", None)
        return None if spans is None else np.asarray(spans)[self.indices]

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

    @property
    def details(self) -> Mapping[str, Any]:
        """The details of the other source, see ``NamedArrays``."""
        return getattr(self.source, "details", {})

    @property
    def test(self) -> Source | None:
        """The test examples of the other source, with the same indices of classes."""
        test = getattr(self.source, "test", None)
        return None if test is None else match_classes(test, self.classes)

    @property
    def spans(self) -> np.ndarray | None:
        """Where each of the examples was cut from, [N, 3], see ``NamedArrays``; None if they do not overlap."""
        return getattr(self.source, "spans", None)

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
    if isinstance(source, NamedArrays):
        arrays = {**source.arrays, "label": relabelled.read(np.arange(len(source)))["label"]}
        return NamedArrays(
            arrays, source.name, classes, source.details, relabelled.test, source.spans, source.weights, checked=True
        )
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
    """Return all examples of a source of images, voxels or points as arrays.

    An ``Unpaired`` is read as if the i-th examples of its two sources were pairs.

    Args:
      source: the data. They must fit into memory, and must be called ``image``.

    Raises:
      ValueError: if the examples have another name.
    """
    if isinstance(source, Arrays):
        return source
    # The examples are read in batches, because decoding may need more memory than the decoded examples.
    batches = list(read_in_batches(source, 1024))
    arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    if "image" not in arrays:
        raise ValueError(
            f"The examples of {source.name} must be called 'image', got {', '.join(arrays)}. Create `NamedArrays` from "
            "them."
        )
    return Arrays(arrays["image"], arrays.get("label"), source.name, source.classes, arrays.get("input"), checked=True)


def hold_out(source: Source, count: int) -> tuple[Source, Source]:
    """Split a source into examples for training and held-out examples.

    The held-out examples are chosen at random with a fixed seed, so every call chooses the same examples. For an
    ``Unpaired``, ``count`` examples of each of its two sources are held out.

    If the source has ``spans``, see ``NamedArrays``, its examples can overlap in time, as the windows of a series do. A
    random choice would leave copies of the held-out data in the training examples. The last examples of recordings or
    complete recordings are then held out, and the examples that overlap with them are in neither part, see
    ``jaxgan.data.spans.split_in_time``.

    Args:
      source: the source.
      count: number of held-out examples.

    Returns:
      The source of the examples for training, and the source of the held-out examples.

    Raises:
      ValueError: if ``count`` is below 1 or larger than half of the examples, or if all examples overlap with the
        held-out examples.
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
    spans = getattr(source, "spans", None)
    if spans is None:
        order = np.random.default_rng(0).permutation(len(source))
        parts = np.sort(order[count:]), np.sort(order[:count])
    else:
        parts = split_in_time(np.asarray(spans), count, source.name)
    if isinstance(source, NamedArrays):
        return source.select(parts[0]), source.select(parts[1])
    rest, held_out = Subset(source, parts[0]), Subset(source, parts[1])
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
