"""Describe the examples of a source as values that JSON can represent, and replace a source by blank examples.

A run records the description of its data. A command that needs only the shapes of the examples can therefore use the
run after its data were moved or removed, and a run is not continued with other data. The description does not depend on
the place of the data: a folder, a copy of it, a link to it and a zip of it have the same description.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, features

from jaxgan.core.text import list_names, printable
from jaxgan.data.source import NUMBERS, Arrays, NamedArrays, Source, Unpaired
from jaxgan.version import __version__

HASHED = 32  # maximum number of examples of a source that are hashed
SHOWN_CLASSES = 8  # maximum number of classes in the description of a difference
SHOWN_DETAILS = 100  # maximum number of characters of a value of `details` in the description of a difference


def describe_examples(source: Source, *, with_hash: bool = True) -> dict[str, Any]:
    """Return a description of the examples of a source.

    Args:
      source: the source.
      with_hash: whether to hash some examples.

    Returns:
      A dictionary with these entries:

      - ``examples``, ``shape``, ``classes`` and ``name``: the number of examples, and the attributes of the source;
      - ``inputs``: the number of inputs, if the source is an ``Unpaired``;
      - ``arrays``, ``unpaired``, ``example`` and ``details``: see ``describe_arrays``;
      - ``hash``: the hash of at most ``HASHED`` examples, which are evenly spaced from the first to the last, with
        the versions of the programs that decode images. It is missing if the source does not return equal arrays when
        it reads an example twice.

    Raises:
      ValueError: if an example cannot be read.
    """
    description: dict[str, Any] = {
        "examples": len(source),
        "shape": list(source.shape),
        "name": source.name,
        **describe_arrays(source),
    }
    if isinstance(source, Unpaired):
        description["inputs"] = len(source.inputs)
    if with_hash and _digest([_read(source, 0)]) == _digest([_read(source, 0)]):
        description["hash"] = _hash_examples(source)
    return description


def describe_arrays(source: Source) -> dict[str, Any]:
    """Return a description of one example of a source, which suffices to create the networks of an experiment.

    Args:
      source: the source. One example is read.

    Returns:
      A dictionary with these entries:

      - ``arrays``: for each array of a batch, a list with the shape and the type of one example;
      - ``classes``: the names of the classes;
      - ``unpaired``: whether the source is an ``Unpaired``;
      - ``example``: the name of the array that contains the examples, if no array is called ``image``;
      - ``details``: the attribute of the source, if it has one that is not empty, see ``NamedArrays``.
    """
    batch = source.read(np.array([0]))
    arrays = {name: [list(x.shape[1:]), x.dtype.name] for name, x in sorted(_as_arrays(batch).items())}
    description = {"arrays": arrays, "classes": list(source.classes), "unpaired": isinstance(source, Unpaired)}
    if "image" not in arrays:
        description["example"] = next(iter(batch))
    details = getattr(source, "details", {})
    return {**description, "details": dict(details)} if details else description


def _hash_examples(source: Source) -> dict[str, Any]:
    """Return the SHA-256 hash of evenly spaced examples of a source.

    The arrays of the examples are hashed as the source returns them, with their labels and inputs. They are what a run
    is trained on, in any format of file. But another version of a decoder may return other pixels for the same file,
    so the versions are part of the result.

    Args:
      source: the source.

    Returns:
      A dictionary with ``sha256``, the number of hashed ``examples``, and ``decoder``, the versions of the programs
      that decode and resize images.
    """
    parts = list(source.domains.values()) if isinstance(source, Unpaired) else [source]
    places = [np.unique(np.linspace(0, len(part) - 1, HASHED).astype(int)) for part in parts]
    examples = (_read(part, i) for part, indices in zip(parts, places) for i in indices)
    decoder = f"jaxgan {__version__}, Pillow {Image.__version__}, libjpeg {features.version('jpg')}"
    return {"sha256": _digest(examples), "examples": sum(map(len, places)), "decoder": decoder}


def _read(source: Source, i: int) -> dict[str, np.ndarray]:
    """Return the arrays of one example, without the axis of the batch."""
    return {name: x[0] for name, x in sorted(_as_arrays(source.read(np.array([i]))).items())}


def _as_arrays(batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(x) for name, x in batch.items()}


def _digest(examples: Any) -> str:
    digest = hashlib.sha256()
    for example in examples:
        for name, x in example.items():
            digest.update(f"{name} {x.dtype.name} {x.shape} ".encode())
            digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def are_same_examples(one: Source, other: Source) -> bool:
    """Return whether two sources have equal examples, as far as their number, their shapes and some examples show.

    Args:
      one, other: the sources.
    """
    if one is other:
        return True
    if len(one) != len(other) or describe_arrays(one) != describe_arrays(other):
        return False
    return _hash_examples(one)["sha256"] == _hash_examples(other)["sha256"]


def find_difference(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return a description of the first difference between two descriptions of examples; empty if they agree.

    The names of the sources are not compared. An entry that is missing in one description is not compared.

    Args:
      recorded: the description of the examples that a run was started with.
      now: the description of the examples that were found.
    """
    texts = {
        "shape": lambda shape: " x ".join(map(str, shape)),
        "examples": str,
        "inputs": str,
        "classes": _list_classes,
        "arrays": lambda arrays: ", ".join(f"{name} {dtype} {shape}" for name, (shape, dtype) in arrays.items()),
    }
    for name, text in texts.items():
        if name in recorded and recorded[name] != now.get(name, recorded[name]):
            return f"the recorded value of {name} is {text(recorded[name])}, got {text(now[name])}"
    details, found = recorded.get("details", {}), now.get("details", {})
    for name, value in details.items() if found else ():
        if name not in found or found[name] != value:
            text = _shorten(found[name]) if name in found else "none"
            return f"the recorded value of {name} is {_shorten(value)}, got {text}"
    before, after = recorded.get("hash"), now.get("hash")
    if before is None or after is None or before["sha256"] == after["sha256"]:
        return ""
    return (
        f"the number and shape of the examples are as recorded, but the hash of {after['examples']} of the examples "
        "differs"
    )


def is_decoder_changed(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether the hashes of two descriptions come from different versions of the programs that decode images.

    Equal data can then have different hashes.

    Args:
      recorded, now: see ``find_difference``.
    """
    before, after = recorded.get("hash"), now.get("hash")
    return before is not None and after is not None and before["decoder"] != after["decoder"]


def _shorten(value: Any) -> str:
    return printable(json.dumps(value), SHOWN_DETAILS)


def _list_classes(classes: Sequence[str]) -> str:
    return f"{len(classes)} ({list_names(classes, SHOWN_CLASSES)})" if classes else "none"


def blank_source(description: Mapping[str, Any], *, has_inputs: bool = False) -> Source:
    """Return a source of examples of zeros with the described number, shapes, types and classes.

    The examples need almost no memory, because all of them are the same zero.

    Args:
      description: the result of ``describe_examples``, or the first three entries of it; or the result of
        ``describe_arrays`` for a source of one example. The source has the described ``details``, if there are any.
      has_inputs: whether the images are generated from inputs. This is only used if the description lacks ``arrays``;
        the inputs are then assumed to have the shape of the images.

    Raises:
      ValueError: if the description lacks entries, or no source has such examples.
    """
    try:
        count, name = description.get("examples", 1), description.get("name", "none")
        arrays = description.get("arrays") or _guess_arrays(description, has_inputs)
        example, classes = description.get("example", "image"), tuple(description["classes"])
        image, details = _zeros(arrays[example], count), description.get("details", {})
        if image.ndim < 2 or not image.size:
            raise ValueError(f"{count} examples of shape {list(image.shape[1:])}")
        if example != "image" or details:
            named = {example: image, **{key: _zeros(array, count) for key, array in arrays.items() if key != example}}
            return NamedArrays(named, name, classes, dict(details), checked=True)
        if description.get("unpaired"):
            inputs = _zeros(arrays["input"], description.get("inputs", count))
            return Unpaired(Arrays(image, name=name, checked=True), Arrays(inputs, name=name, checked=True))
        label, inputs = (_zeros(arrays[key], count) if key in arrays else None for key in ("label", "input"))
        return Arrays(image, label, name, classes, inputs, checked=True)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The record of the examples is damaged ({type(error).__name__}: {error}). Restore the file from a backup."
        ) from None


def _guess_arrays(description: Mapping[str, Any], has_inputs: bool) -> dict[str, Any]:
    """Return the arrays of a batch of a run of an older version, which recorded only the shape and the classes."""
    shape = description["shape"]
    arrays = {"image": [shape, "uint8" if len(shape) == 3 else "float32"]}
    if has_inputs:
        arrays["input"] = arrays["image"]
    if description["classes"]:
        arrays["label"] = [[], "int32"]
    return arrays


def _zeros(array: Sequence[Any], count: int) -> np.ndarray:
    shape, dtype = array
    known = {np.dtype(code).name for code in np.typecodes["All"] if np.dtype(code).kind in NUMBERS}
    return np.broadcast_to(np.zeros((), dtype if dtype in known else "float32"), (count, *shape))
