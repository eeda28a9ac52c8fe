"""Trained networks in a file that needs no jaxgan: StableHLO for CPUs, CUDA and TPUs.

    artefact = export.read_generator("digits.jaxgan")
    artefact.sample(seed=0, count=16)                       # [16, 8, 8, 1] in [-1, 1]

The file is a zip with ``metadata.json``; ``card.md``, the model card, if there is one; and functions as ``jax.export``
serialises them.

A generator has two functions, with its weights as constants: ``draw``, ``(seed, indices) -> z``, and ``generate``,
``z -> samples`` or ``(z, label) -> samples``, for batches of any size. They run where only jax and flatbuffers are
installed::

    with zipfile.ZipFile("digits.jaxgan") as file:
        draw, generate = (jax.export.deserialize(bytearray(file.read(name))) for name in ("draw", "generate"))
    samples = generate.call(draw.call(np.uint32(0), np.arange(16, dtype=np.int32)))

A translator, ``export.read_translator("zebras.jaxgan")``, has for each direction a function ``(weights, images, seed,
indices) -> images``, for any number of images and any height and width that is a multiple of the metadata's
``multiple``. The directions share one file of weights, ``weights.npz``::

    with zipfile.ZipFile("zebras.jaxgan") as file:
        translate = jax.export.deserialize(bytearray(file.read("a_to_b/translate")))
        weights = dict(np.load(io.BytesIO(file.read("weights.npz"))))
    translated = translate.call(weights, images, np.uint32(0), np.arange(len(images), dtype=np.int32))

If layers normalise an image by its own moments, two more functions serve images in tiles: ``note``, ``(weights, images,
seed, indices) -> moments``, and ``translate_by``, which takes moments as its last argument.
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
FORMAT_VERSION = 1
BATCH_SIZE = 64
MAX_METADATA_BYTES = 64 * 2**20  # a larger entry is refused
MIN_SIDE = 8  # pixels of the smallest image that is translated
COMMANDS = {"generator": "sample", "translator": "translate"}  # of `jaxgan`, by the kind of file that they read
SYNTHETIC = "What this makes is synthetic: no camera took it. Say so where it is shown."


class TranslationDirection(NamedTuple):
    """One direction of a translation between images, as functions of weights.

    Attributes:
      weights: arrays by name.
      run: ``(weights, images, seed, indices, moments) -> images``, [B, height, width, channels] in [-1, 1], of any
        height and width that ``multiple`` divides. The seed, a uint32 scalar, and the images' indices, [B], determine
        random inputs. Layers normalise by ``moments``, those of another image, or by each image's own if it is {}.
      moments: ``(weights, images, seed, indices) -> moments``: by network, the moments by which layers normalise.
      channels: of the images that it takes.
      multiple: the factor that must divide height and width.
      scale: height and width of the output, divided by those of the input.
    """

    weights: Mapping[str, Any]
    run: Callable[..., jax.Array]
    moments: Callable[..., dict[str, Any]]
    channels: int
    multiple: int = 1
    scale: int = 1


def write_generator(
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
      classes: the names of a conditional model's classes.
      about: more metadata, as JSON values.
      card: the model card, Markdown.

    Raises:
      ValueError: the functions do not take batches of any size.
      OSError: the file cannot be written.
    """
    (batch,) = jax.export.symbolic_shape("b")
    seed, indices = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    inputs = [jax.eval_shape(draw, seed, indices)]
    if classes:
        inputs.append(indices)  # the labels
    try:
        exported_draw = _export(draw)(seed, indices)
        exported_generate = _export(generate)(*inputs)
    except Exception as error:  # JAX's errors about symbolic sizes have no public class
        raise ValueError(f"A function does not take batches of any size: {_first_line(error)}") from error
    shape = [int(n) for n in exported_generate.out_avals[0].shape[1:]]
    metadata = {"holds": "generator", "classes": list(classes), "shape": shape, **(about or {})}
    _write(path, metadata, card, {"draw": exported_draw, "generate": exported_generate})


def write_translator(
    path: str | Path,
    directions: Mapping[str, TranslationDirection],
    *,
    about: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write a translator between images.

    Args:
      path: the file.
      directions: by name. Weights of the same name must be the same in all of them.
      about, card: see ``write_generator``.

    Raises:
      ValueError: the functions do not take images of any number, height and width.
      OSError: the file cannot be written.
    """
    functions, weights, descriptions = {}, {}, {}
    for name, direction in directions.items():
        try:
            for part, function in _exported_functions(direction).items():
                functions[f"{name}/{part}"] = function
        except Exception as error:  # JAX's errors about symbolic sizes have no public class
            raise ValueError(f"{name} does not take images of any number and size: {_first_line(error)}") from error
        weights |= {weight: np.asarray(x) for weight, x in direction.weights.items()}
        descriptions[name] = {
            "channels": direction.channels,
            "multiple": direction.multiple,
            "scale": direction.scale,
            "weights": sorted(direction.weights),
        }
    arrays = io.BytesIO()
    np.savez(arrays, **weights)
    metadata = {"holds": "translator", "directions": descriptions, **(about or {})}
    _write(path, metadata, card, functions, arrays.getvalue())


def _exported_functions(direction: TranslationDirection) -> dict[str, jax.export.Exported]:
    """A direction's functions, for images of any number and size."""
    multiple = direction.multiple
    constraints = [f"{side} >= {-(-MIN_SIDE // multiple)}" for side in ("h", "w")]
    count, height, width = jax.export.symbolic_shape("b, h, w", constraints=constraints)
    images = jax.ShapeDtypeStruct((count, multiple * height, multiple * width, direction.channels), jnp.float32)
    seed, indices = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((count,), jnp.int32)
    inputs = (dict(direction.weights), images, seed, indices)
    functions = {"translate": _export(lambda *inputs: direction.run(*inputs, {}))(*inputs)}
    moments = jax.eval_shape(direction.moments, *inputs)
    if moments:
        functions["note"] = _export(direction.moments)(*inputs)
        functions["translate_by"] = _export(direction.run)(*inputs, moments)
    return functions


def _write(
    path, about: Mapping[str, Any], card: str | None, functions: Mapping[str, Any], weights: bytes = b""
) -> None:
    metadata = {
        "format": FORMAT_VERSION,
        "platforms": list(PLATFORMS),
        "synthetic": SYNTHETIC,
        "jax": jax.__version__,
        "jaxgan": __version__,
        **about,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", json.dumps(metadata, indent=2))
        if card:
            file.writestr("card.md", card)
        if weights:
            file.writestr("weights.npz", weights)
        for name, function in functions.items():
            file.writestr(name, bytes(function.serialize()))


def _export(f: Callable) -> Callable:
    return jax.export.export(jax.jit(f), platforms=PLATFORMS)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class GeneratorArtefact:
    """A generator that was read from a file.

    Attributes:
      metadata: ``classes``, ``shape`` of a sample, versions, and what its maker added.
    """

    def __init__(self, metadata: dict[str, Any], draw: jax.export.Exported, generate: jax.export.Exported):
        self.metadata, self._draw, self._generate = metadata, jax.jit(draw.call), jax.jit(generate.call)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for an unconditional model."""
        return tuple(self.metadata["classes"])

    def sample(self, seed: int, count: int, label: int | None = None) -> np.ndarray:
        """Samples 0 to ``count - 1`` of a seed, [count, ...]; sample i is the same for any count.

        Args:
          seed: a uint32.
          count: the number of samples, at least 1.
          label: the class of all samples; None goes through the classes in turn.

        Raises:
          ValueError: there is no such class, or the count is below 1.
        """
        labels, size = class_labels(count, self.classes, label), min(BATCH_SIZE, count)
        batches = []
        for start in range(0, count, size):
            indices = np.arange(start, start + size, dtype=np.int32)  # every batch of one size: compiled once
            z = self._draw(np.uint32(seed), indices)
            samples = self._generate(z, np.resize(labels[start:], size)) if self.classes else self._generate(z)
            batches.append(np.asarray(samples))
        return np.concatenate(batches)[:count]


def read_generator(path: str | Path) -> GeneratorArtefact:
    """Read what ``write_generator`` wrote. Nothing is executed but its two functions, of array operations, when called.

    Raises:
      ValueError: the file is another kind, damaged, or of a newer format.
      OSError: it cannot be read.
    """
    with _open(path, "generator") as (file, metadata):
        return GeneratorArtefact(metadata, *(_deserialize(file.read(name)) for name in ("draw", "generate")))


class TranslatorArtefact(NamedTuple):
    """A translator that was read from a file.

    Attributes:
      metadata: versions, and what its maker added.
      directions: by name, the default one first; ``editing.translator.Translator`` takes one.
    """

    metadata: dict[str, Any]
    directions: dict[str, TranslationDirection]


def read_translator(path: str | Path) -> TranslatorArtefact:
    """Read what ``write_translator`` wrote. Nothing is executed but its functions, of array operations, when called.

    Raises:
      ValueError, OSError: as ``read_generator``.
    """
    with _open(path, "translator") as (file, metadata):
        with np.load(io.BytesIO(file.read("weights.npz")), allow_pickle=False) as arrays:
            weights = dict(arrays)
        directions = {
            name: _read_direction(file, name, description, weights)
            for name, description in metadata["directions"].items()
        }
        return TranslatorArtefact(metadata, directions)


def _read_direction(
    file: zipfile.ZipFile, name: str, description: Mapping[str, Any], weights: Mapping[str, Any]
) -> TranslationDirection:
    sizes = {size: description[size] for size in ("channels", "multiple", "scale")}
    if not all(type(n) is int and n > 0 for n in sizes.values()):
        raise ValueError(f"the sizes of {name} are {sizes}")
    used_weights = {weight: weights[weight] for weight in description["weights"]}
    translate = _deserialize(file.read(f"{name}/translate"))
    if f"{name}/note" not in file.namelist():

        def run_plainly(weights, images, seed, indices, moments):
            return translate.call(weights, images, seed, indices)

        return TranslationDirection(used_weights, run_plainly, lambda *inputs: {}, **sizes)
    note, translate_by = (_deserialize(file.read(f"{name}/{part}")) for part in ("note", "translate_by"))

    def run(weights, images, seed, indices, moments):
        if moments:
            return translate_by.call(weights, images, seed, indices, moments)
        return translate.call(weights, images, seed, indices)

    return TranslationDirection(used_weights, run, lambda *inputs: dict(note.call(*inputs)), **sizes)


@contextlib.contextmanager
def _open(path: str | Path, kind: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The zip and its metadata. Errors that damaged content raises inside the block become ``ValueError``."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo("metadata.json").file_size > MAX_METADATA_BYTES:
                raise ValueError("its metadata are too large")
            metadata = json.loads(file.read("metadata.json"))
            version = metadata.get("format") if isinstance(metadata, dict) else None
            if version != FORMAT_VERSION:
                raise ValueError(f"it is of format {version!r}, this jaxgan reads {FORMAT_VERSION}")
            found_kind = metadata["holds"]
            if found_kind in COMMANDS and found_kind != kind:
                raise ValueError(f"it holds a {found_kind}: jaxgan {COMMANDS[found_kind]} {path}")
            yield file, metadata
    except (zipfile.BadZipFile, KeyError, AttributeError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no exported {kind}, or a damaged one: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: no exported {kind} that can be read: {error}") from None


def _deserialize(content: bytes) -> jax.export.Exported:
    try:
        return jax.export.deserialize(bytearray(content))
    except Exception as error:  # flatbuffers raises many kinds of errors on foreign content
        raise ValueError(f"a function of it is damaged: {error}") from None
