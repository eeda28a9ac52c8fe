"""Trained networks in a file that needs no jaxgan: compiled as far as is the same on CPUs, CUDA and TPUs.

    artefact = read("digits.jaxgan")
    artefact.sample(seed=0, count=16)                       # [16, 8, 8, 1] in [-1, 1]

The file is a zip: ``metadata.json``; ``card.md``, the model card, if there is one; and functions in StableHLO as
``jax.export`` writes them. Of a generator they are two, weights and all: ``draw``, ``(seed, indices) -> z``, and
``generate``, ``z -> samples`` or ``(z, label) -> samples``, of batches of any size. Where jax and flatbuffers alone are
installed::

    with zipfile.ZipFile("digits.jaxgan") as file:
        draw, generate = (jax.export.deserialize(bytearray(file.read(name))) for name in ("draw", "generate"))
    samples = generate.call(draw.call(np.uint32(0), np.arange(16, dtype=np.int32)))

Of a network that makes images of images, ``read_translator("zebras.jaxgan")``, each direction has a function
``(weights, images, seed, places) -> images``, of any number, height and width that is a multiple of what the metadata
say; the weights are there once for all, ``weights.npz``::

    with zipfile.ZipFile("zebras.jaxgan") as file:
        translate = jax.export.deserialize(bytearray(file.read("a_to_b/translate")))
        weights = dict(np.load(io.BytesIO(file.read("weights.npz"))))
    made = translate.call(weights, images, np.uint32(0), np.arange(len(images), dtype=np.int32))

Where layers normalise an image by its own moments there are two more functions, for images in tiles: ``note``,
``(weights, images, seed, places) -> moments``, and ``translate_by``, which has moments as its last argument.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.keys import class_labels
from jaxgan.version import __version__

PLATFORMS = ("cpu", "cuda", "tpu")
FORMAT = 1
BATCH = 64
MOST = 64 * 2**20  # bytes of metadata, more are no metadata
LEAST = 8  # pixels of a side of an image that is translated: less is no picture
VERBS = {"generator": "sample", "translator": "translate"}  # the console's, for what a file holds
SYNTHETIC = "What this makes is synthetic: no camera took it. Say so where it is shown."


class Direction(NamedTuple):
    """How images are made of images, as functions of weights.

    Attributes:
      weights: arrays by name.
      run: ``(weights, images, seed, places, moments) -> images``, [B, height, width, channels] in [-1, 1], of any
        height and width that ``multiple`` divides; a uint32 scalar and [B] say what is drawn for each; moments are
        ``note``'s, to be normalised by, or {}, for each image's own.
      note: ``(weights, images, seed, places) -> moments``: by network, what layers normalise these images by.
      channels: of the images that it takes.
      multiple: of what height and width have to be.
      scale: how many times as high and wide what it makes is.
    """

    weights: Mapping[str, Any]
    run: Callable[..., jax.Array]
    note: Callable[..., dict[str, Any]]
    channels: int
    multiple: int = 1
    scale: int = 1


def write(
    path: str | Path,
    draw: Callable[[jax.Array, jax.Array], Any],
    generate: Callable[..., jax.Array],
    *,
    classes: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write a generator.

    Args:
      path: the file.
      draw: ``(seed, indices) -> z``, a uint32 scalar and [B] to latents, an array or a tree of arrays, [B, ...].
      generate: ``z -> samples``, [B, ...]; with ``classes`` ``(z, label)``, [B].
      classes: of a conditional model.
      about: what else people should know, as JSON has it: goes into the metadata.
      card: the model card, Markdown.

    Raises:
      ValueError: the functions do not take batches of any size.
      OSError: it cannot be written.
    """
    (batch,) = jax.export.symbolic_shape("b")
    seed, indices = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    z = jax.eval_shape(draw, seed, indices)
    label = (indices,) * bool(classes)
    try:
        drawn = _exported(draw)(seed, indices)
        generated = _exported(generate)(z, *label)
    except Exception as error:  # JAX's own of sizes that are not known has no public name
        told = str(error).strip().partition("\n")[0]
        raise ValueError(f"export: a function does not take batches of any size: {told}") from error
    shape = [int(n) for n in generated.out_avals[0].shape[1:]]
    told = {"holds": "generator", "classes": list(classes), "shape": shape, **(about or {})}
    _write(path, told, card, {"draw": drawn, "generate": generated})


def write_translator(
    path: str | Path,
    directions: Mapping[str, Direction],
    *,
    about: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write what makes images of images.

    Args:
      path: the file.
      directions: by name; weights of one name are the same in all.
      about, card: as ``write``'s.

    Raises:
      ValueError: the functions do not take images of any number, height and width.
      OSError: it cannot be written.
    """
    functions, weights, told = {}, {}, {}
    for name, direction in directions.items():
        try:
            functions |= {f"{name}/{part}": function for part, function in _translating(direction).items()}
        except Exception as error:  # JAX's own of sizes that are not known has no public name
            said = str(error).strip().partition("\n")[0]
            raise ValueError(f"export: {name} does not take images of any number and size: {said}") from error
        weights |= {weight: np.asarray(x) for weight, x in direction.weights.items()}
        sizes = {"channels": direction.channels, "multiple": direction.multiple, "scale": direction.scale}
        told[name] = {**sizes, "weights": sorted(direction.weights)}
    arrays = io.BytesIO()
    np.savez(arrays, **weights)
    _write(path, {"holds": "translator", "directions": told, **(about or {})}, card, functions, arrays.getvalue())


def _translating(direction: Direction) -> dict[str, jax.export.Exported]:
    """A direction's functions, of images of any number and size."""
    multiple = direction.multiple
    least = [f"{side} >= {-(-LEAST // multiple)}" for side in ("h", "w")]
    count, height, width = jax.export.symbolic_shape("b, h, w", constraints=least)
    images = jax.ShapeDtypeStruct((count, multiple * height, multiple * width, direction.channels), jnp.float32)
    drawing = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((count,), jnp.int32)
    inputs = (dict(direction.weights), images, *drawing)
    found = {"translate": _exported(lambda *inputs: direction.run(*inputs, {}))(*inputs)}
    moments = jax.eval_shape(direction.note, *inputs)
    if moments:
        found |= {
            "note": _exported(direction.note)(*inputs),
            "translate_by": _exported(direction.run)(*inputs, moments),
        }
    return found


def _write(
    path, about: Mapping[str, Any], card: str | None, functions: Mapping[str, Any], weights: bytes = b""
) -> None:
    versions = {"jax": jax.__version__, "jaxgan": __version__}
    metadata = {"format": FORMAT, "platforms": list(PLATFORMS), "synthetic": SYNTHETIC, **versions, **about}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", json.dumps(metadata, indent=2))
        if card:
            file.writestr("card.md", card)
        if weights:
            file.writestr("weights.npz", weights)
        for name, function in functions.items():
            file.writestr(name, bytes(function.serialize()))


def _exported(f: Callable) -> Callable:
    return jax.export.export(jax.jit(f), platforms=PLATFORMS)


class Artefact:
    """A generator from a file.

    Attributes:
      metadata: what its maker said of it, and ``classes``, ``shape`` of a sample, versions.
    """

    def __init__(self, metadata: dict[str, Any], draw: jax.export.Exported, generate: jax.export.Exported):
        self.metadata, self._draw, self._generate = metadata, jax.jit(draw.call), jax.jit(generate.call)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels' names; empty where there are none."""
        return tuple(self.metadata["classes"])

    def sample(self, seed: int, count: int, label: int | None = None) -> np.ndarray:
        """Samples 0 to ``count - 1`` of a seed, [count, ...]; sample i is the same for any count. Classes in turn.

        Raises:
          ValueError: there is no such class, or the count is below 1.
        """
        labels, size = class_labels(count, self.classes, label), min(BATCH, count)
        parts = []
        for start in range(0, count, size):
            indices = np.arange(start, start + size, dtype=np.int32)  # as many each time: compiled once
            asked = (np.resize(labels[start:], size),) * bool(self.classes)
            parts.append(np.asarray(self._generate(self._draw(np.uint32(seed), indices), *asked)))
        return np.concatenate(parts)[:count]


def read(path: str | Path) -> Artefact:
    """What ``write`` wrote. It runs nothing but the two functions, of array operations, when they are called.

    Raises:
      ValueError: it is no such file, or a damaged one, or of a newer format.
      OSError: it cannot be read.
    """
    with _opened(path, "generator") as (file, metadata):
        return Artefact(metadata, *(_deserialized(file.read(name)) for name in ("draw", "generate")))


class Translations(NamedTuple):
    """What makes images of images, from a file.

    Attributes:
      metadata: what its maker said of it, and versions.
      directions: by name, the usual one first; ``training.translate.Translator`` takes one.
    """

    metadata: dict[str, Any]
    directions: dict[str, Direction]


def read_translator(path: str | Path) -> Translations:
    """What ``write_translator`` wrote. It runs nothing but its functions, of array operations, when they are called.

    Raises:
      ValueError, OSError: as ``read``'s.
    """
    with _opened(path, "translator") as (file, metadata):
        with np.load(io.BytesIO(file.read("weights.npz")), allow_pickle=False) as arrays:
            weights = dict(arrays)
        return Translations(
            metadata, {n: _direction(file, n, told, weights) for n, told in metadata["directions"].items()}
        )


def _direction(file: zipfile.ZipFile, name: str, told: Mapping[str, Any], weights: Mapping[str, Any]) -> Direction:
    sizes = {size: told[size] for size in ("channels", "multiple", "scale")}
    if not all(type(n) is int and n > 0 for n in sizes.values()):
        raise ValueError(f"the sizes of {name} are {sizes}")
    translate = _deserialized(file.read(f"{name}/translate"))
    own = {weight: weights[weight] for weight in told["weights"]}
    if f"{name}/note" not in file.namelist():
        return Direction(own, lambda *inputs: translate.call(*inputs[:-1]), lambda *inputs: {}, **sizes)
    note, by = (_deserialized(file.read(f"{name}/{part}")) for part in ("note", "translate_by"))

    def run(*inputs):
        return by.call(*inputs) if inputs[-1] else translate.call(*inputs[:-1])

    return Direction(own, run, lambda *inputs: dict(note.call(*inputs)), **sizes)


@contextlib.contextmanager
def _opened(path: str | Path, holds: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The zip and its metadata; what is damaged, met within, is a ``ValueError``."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo("metadata.json").file_size > MOST:
                raise ValueError("its metadata are too large")
            metadata = json.loads(file.read("metadata.json"))
            if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
                found = metadata.get("format") if isinstance(metadata, dict) else None
                raise ValueError(f"it is of format {found!r}, this jaxgan reads {FORMAT}")
            found = metadata["holds"]
            if found in VERBS and found != holds:
                raise ValueError(f"it holds a {found}: jaxgan {VERBS[found]} {path}")
            yield file, metadata
    except (zipfile.BadZipFile, KeyError, AttributeError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no exported {holds}, or a damaged one: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: no exported {holds} that can be read: {error}") from None


def _deserialized(content: bytes) -> jax.export.Exported:
    try:
        return jax.export.deserialize(bytearray(content))
    except Exception as error:  # whatever flatbuffers meets in what is none of its own
        raise ValueError(f"a function of it is damaged: {error}") from None
