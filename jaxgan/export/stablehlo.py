"""Write and read trained networks as files that run without jaxgan: StableHLO for CPUs, CUDA and TPUs.

    artefact = export.read_generator("digits.jaxgan")
    artefact.sample(seed=0, count=16)                       # [16, 8, 8, 1] in [-1, 1]

A file is a zip. It contains ``metadata.json``, optionally a model card ``card.md``, and functions that were serialised
by ``jax.export``.

The file of a generator contains two functions, which accept batches of any size and contain the weights as constants:

- ``draw``, a function ``(seed, indices) -> z`` that samples latents; and
- ``generate``, a function ``z -> samples``, or ``(z, label) -> samples`` for a conditional model.

To call the functions, only jax and flatbuffers are needed::

    with zipfile.ZipFile("digits.jaxgan") as file:
        draw, generate = (jax.export.deserialize(bytearray(file.read(name))) for name in ("draw", "generate"))
    samples = generate.call(draw.call(np.uint32(0), np.arange(16, dtype=np.int32)))

The file of a translator, which ``export.read_translator`` reads, contains a function ``translate`` for each direction.
It is a function ``(weights, images, seed, indices) -> images``. It accepts any number of images. Their height and width
must be multiples of the number ``multiple`` in the metadata. All directions share the weights in ``weights.npz``::

    with zipfile.ZipFile("zebras.jaxgan") as file:
        translate = jax.export.deserialize(bytearray(file.read("a_to_b/translate")))
        weights = dict(np.load(io.BytesIO(file.read("weights.npz"))))
    translated = translate.call(weights, images, np.uint32(0), np.arange(len(images), dtype=np.int32))

If layers normalise an image by its own moments (mean and variance), a direction has two more functions, which are used
to translate an image in tiles:

- ``note``, a function ``(weights, images, seed, indices) -> moments`` that returns the moments of images; and
- ``translate_by``, a function ``(weights, images, seed, indices, moments) -> images`` that normalises by these moments.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.keys import class_labels
from jaxgan.core.text import printable
from jaxgan.export.container import FIX, read_members, write_members
from jaxgan.export.programs import PLATFORMS, check_function, export_function, output_shapes, read_function
from jaxgan.version import __version__

FORMAT_VERSION = 1
MAX_SIZE = 4096  # largest number of channels, multiple and scale of a direction
BATCH_SIZE = 64  # maximum number of samples that one call of the functions generates
MIN_SIDE = 8  # smallest height and width in pixels of an image that can be translated
COMMANDS = {"generator": "sample", "translator": "translate"}  # subcommand of jaxgan that reads each kind of file
FORM = {  # the form of the metadata, see jaxgan.core.json_files; the names depend on the kind of file
    "classes?": [str],
    "shape?": [int],
    "directions?": {str: {"channels": int, "multiple": int, "scale": int, "weights": [str]}},
}
SYNTHETIC = "The output of this model is synthetic and was not recorded by a camera. Label it as synthetic."


class TranslationDirection(NamedTuple):
    """Functions that translate images in one direction, such as from horses to zebras, and their weights.

    Attributes:
      weights: a dictionary from names to arrays. It is the first argument of ``run`` and of ``moments``.
      run: function ``(weights, images, seed, indices, moments) -> images`` that translates images, [B, height, width,
        channels] in [-1, 1]. Height and width must be multiples of ``multiple``. The seed, a uint32 scalar, and the
        indices of the images, [B], determine random inputs. Layers normalise images with ``moments``. If ``moments`` is
        {}, they normalise each image with its own moments.
      moments: function ``(weights, images, seed, indices) -> moments`` that returns the moments (mean and variance)
        that layers use to normalise images. The result is a dictionary from the names of networks to the moments in
        each network, or {} if no layer normalises an image by its own moments.
      channels: number of channels of the input images.
      multiple: height and width must be multiples of this number.
      scale: height and width of the output, divided by height and width of the input.
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
    """Write a generator to a file.

    Args:
      path: the file.
      draw: function ``(seed, indices) -> z`` that maps a seed, a uint32 scalar, and indices, [B], to latents. The
        latents are one array or a tree of arrays, each of shape [B, ...].
      generate: function ``z -> samples`` that maps latents to samples, [B, ...]. If ``classes`` is not empty, it is a
        function ``(z, label) -> samples``, with labels [B].
      classes: the names of the classes of a conditional model; empty for an unconditional model.
      about: additional entries of the metadata. Their values must be representable in JSON.
      card: the model card, in Markdown; None writes no model card.

    Raises:
      ValueError: if a function does not accept batches of any size.
      OSError: if the file cannot be written.
    """
    (batch,) = jax.export.symbolic_shape("b")
    seed, indices = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    inputs = [jax.eval_shape(draw, seed, indices)]
    if classes:
        inputs.append(indices)  # the labels
    try:
        exported_draw = export_function(draw)(seed, indices)
        exported_generate = export_function(generate)(*inputs)
    except Exception as error:  # JAX's errors about symbolic sizes have no public class
        raise ValueError(
            f"`draw` or `generate` does not accept batches of any size. JAX reports: {_first_line(error)}"
        ) from error
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
    """Write a translator between images to a file.

    Args:
      path: the file.
      directions: a dictionary from the names of directions to the directions. Weights with the same name must be equal
        in all directions.
      about: additional entries of the metadata. Their values must be representable in JSON.
      card: the model card, in Markdown; None writes no model card.

    Raises:
      ValueError: if a function does not accept images of any number, height and width.
      OSError: if the file cannot be written.
    """
    functions, weights, descriptions = {}, {}, {}
    for name, direction in directions.items():
        try:
            for part, function in _exported_functions(direction).items():
                functions[f"{name}/{part}"] = function
        except Exception as error:  # JAX's errors about symbolic sizes have no public class
            raise ValueError(
                f"The direction {name!r} does not accept images of any number and size. JAX reports: "
                f"{_first_line(error)}"
            ) from error
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
    """Export the functions of a direction for any number and size of images, and return them keyed by name."""
    multiple = direction.multiple
    constraints = [f"{side} >= {-(-MIN_SIDE // multiple)}" for side in ("h", "w")]
    count, height, width = jax.export.symbolic_shape("b, h, w", constraints=constraints)
    images = jax.ShapeDtypeStruct((count, multiple * height, multiple * width, direction.channels), jnp.float32)
    seed, indices = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((count,), jnp.int32)
    inputs = (dict(direction.weights), images, seed, indices)
    functions = {"translate": export_function(lambda *inputs: direction.run(*inputs, {}))(*inputs)}
    moments = jax.eval_shape(direction.moments, *inputs)
    if moments:
        functions["note"] = export_function(direction.moments)(*inputs)
        functions["translate_by"] = export_function(direction.run)(*inputs, moments)
    return functions


def _write(
    path, about: Mapping[str, Any], card: str | None, functions: Mapping[str, Any], weights: bytes = b""
) -> None:
    """Write the zip file."""
    metadata = {
        "format": FORMAT_VERSION,
        "platforms": list(PLATFORMS),
        "synthetic": SYNTHETIC,
        "jax": jax.__version__,
        "jaxgan": __version__,
        **about,
    }
    members = {}
    if card:
        members["card.md"] = card.encode()
    if weights:
        members["weights.npz"] = weights
    for name, function in functions.items():
        check_function(function, name)
        members[name] = bytes(function.serialize())
    write_members(path, metadata, members)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class GeneratorArtefact:
    """A generator that was read from a file.

    Args:
      metadata: the metadata in the file.
      draw: the exported function ``(seed, indices) -> latents``.
      generate: the exported function that generates samples from latents and, for a conditional model, labels.

    Attributes:
      metadata: a dictionary that contains ``classes``, the ``shape`` of a sample, the versions of the libraries, and
        the metadata that were passed to ``write_generator``.
    """

    def __init__(self, metadata: dict[str, Any], draw: jax.export.Exported, generate: jax.export.Exported):
        self.metadata, self._draw, self._generate = metadata, jax.jit(draw.call), jax.jit(generate.call)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for an unconditional model."""
        return tuple(self.metadata["classes"])

    def sample(self, seed: int, count: int, label: int | str | None = None) -> np.ndarray:
        """Generate samples, [count, ...]. The i-th sample of a seed does not depend on ``count``.

        Args:
          seed: seed of the latents, from 0 to 2^32 - 1.
          count: number of samples, at least 1.
          label: class of all samples, its index or its name. If it is None, the samples of a conditional model cycle
            through all classes.

        Raises:
          ValueError: if ``label`` is not a class, or ``count`` is below 1.
        """
        labels, size = class_labels(count, self.classes, label), min(BATCH_SIZE, count)
        batches = []
        for start in range(0, count, size):
            indices = np.arange(start, start + size, dtype=np.int32)  # all batches have this size, to compile only once
            z = self._draw(np.uint32(seed), indices)
            samples = self._generate(z, np.resize(labels[start:], size)) if self.classes else self._generate(z)
            batches.append(np.asarray(samples))
        return np.concatenate(batches)[:count]


def read_generator(path: str | Path) -> GeneratorArtefact:
    """Read a file that ``write_generator`` wrote.

    Reading executes nothing. The functions in the file consist of array operations only. They can still be wrong, need
    much memory or never end, so use files of unknown origin as you would use any program.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file is of another kind, damaged, changed since it was written, or of a newer format, or if its
        functions do more than array operations.
      OSError: if the file cannot be read.
    """
    with _reading(path, "generator") as (metadata, members):
        draw, generate = (read_function(members[name], name) for name in ("draw", "generate"))
        seed, indices = _seed_and_indices()
        labels = [indices] if metadata["classes"] else []
        samples = output_shapes(generate, "generate", output_shapes(draw, "draw", seed, indices), *labels)
        _check_output(samples, (2, *metadata["shape"]), "generate")
        return GeneratorArtefact(metadata, draw, generate)


class TranslatorArtefact(NamedTuple):
    """A translator that was read from a file.

    Attributes:
      metadata: a dictionary that contains the versions of the libraries, and the metadata that were passed to
        ``write_translator``.
      directions: a dictionary from the names of directions to the directions. The first direction is the default. Pass
        a direction to ``editing.translator.Translator`` to translate images.
    """

    metadata: dict[str, Any]
    directions: dict[str, TranslationDirection]


def read_translator(path: str | Path) -> TranslatorArtefact:
    """Read a file that ``write_translator`` wrote.

    Reading executes nothing. The functions in the file consist of array operations only. They can still be wrong, need
    much memory or never end, so use files of unknown origin as you would use any program.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file is of another kind, damaged, changed since it was written, or of a newer format, or if its
        functions do more than array operations.
      OSError: if the file cannot be read.
    """
    with _reading(path, "translator") as (metadata, members):
        # numpy.savez does not compress, so that the weights need no more memory than the member.
        weights = read_npz(io.BytesIO(members["weights.npz"]), name="weights.npz", compressed=False)
        directions = {
            name: _read_direction(members, name, description, weights)
            for name, description in metadata["directions"].items()
        }
        if not directions:
            raise ValueError(f"It has no directions. {FIX}")
        return TranslatorArtefact(metadata, directions)


def _read_direction(
    members: Mapping[str, bytes], name: str, description: Mapping[str, Any], weights: Mapping[str, Any]
) -> TranslationDirection:
    """Read one direction of a translator from an exported file.

    Args:
      members: a dictionary from the names of the members of the file to their contents.
      name: the name of the direction.
      description: the entry of the direction in the metadata.
      weights: the weights of all directions.
    """
    sizes = {size: description[size] for size in ("channels", "multiple", "scale")}
    if not all(0 < n <= MAX_SIZE for n in sizes.values()):
        raise ValueError(f"The sizes of the direction {name!r} must be from 1 to {MAX_SIZE}, got {sizes}. {FIX}")
    used_weights = {weight: weights[weight] for weight in description["weights"]}
    side = sizes["multiple"] * -(-MIN_SIDE // sizes["multiple"])
    images = jax.ShapeDtypeStruct((2, side, side, sizes["channels"]), jnp.float32)
    inputs = (used_weights, images, *_seed_and_indices())
    output_size = (2, sizes["scale"] * side, sizes["scale"] * side)

    def read(part):
        return read_function(members[f"{name}/{part}"], f"{name}/{part}")

    translate = read("translate")
    _check_output(output_shapes(translate, f"{name}/translate", *inputs), output_size, f"{name}/translate")
    if f"{name}/note" not in members:

        def run_without_moments(weights, images, seed, indices, moments):
            return translate.call(weights, images, seed, indices)

        return TranslationDirection(used_weights, run_without_moments, lambda *inputs: {}, **sizes)
    note, translate_by = read("note"), read("translate_by")
    moments = output_shapes(note, f"{name}/note", *inputs)
    outputs = output_shapes(translate_by, f"{name}/translate_by", *inputs, moments)
    _check_output(outputs, output_size, f"{name}/translate_by")

    def run(weights, images, seed, indices, moments):
        if moments:
            return translate_by.call(weights, images, seed, indices, moments)
        return translate.call(weights, images, seed, indices)

    return TranslationDirection(used_weights, run, lambda *inputs: dict(note.call(*inputs)), **sizes)


def _seed_and_indices() -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """Return the shapes and dtypes of a seed and of the indices of two examples."""
    return jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((2,), jnp.int32)


def _check_output(output: Any, shape: tuple[int, ...], name: str) -> None:
    """Check that the output of a function is one array, and that its shape begins with ``shape``."""
    if not isinstance(output, jax.ShapeDtypeStruct) or output.shape[: len(shape)] != shape:
        raise ValueError(f"The output of the function {name} does not have the shape in the metadata. {FIX}")


@contextlib.contextmanager
def _reading(path: str | Path, kind: str) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Read a file, and yield its metadata and a dictionary from the names of its other members to their contents.

    Errors that wrong content causes inside the ``with`` block are replaced by a ``ValueError``.
    """
    metadata, members = read_members(path, FORM)
    try:
        if metadata.get("format") != FORMAT_VERSION:
            found = printable(metadata.get("format"), limit=20)
            raise ValueError(f"It has the format {found}, but this version of jaxgan reads {FORMAT_VERSION}.")
        found_kind = metadata.get("holds")
        if found_kind in COMMANDS and found_kind != kind:
            raise ValueError(f"It contains a {found_kind}. Use `jaxgan {COMMANDS[found_kind]}` to read it.")
        yield metadata, members
    except KeyError as error:
        raise ValueError(f"{path} is not an exported {kind}, or it is damaged: it lacks {error}. {FIX}") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as an exported {kind}. {error}") from None
