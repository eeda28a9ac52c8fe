"""A trained generator in a file that needs no jaxgan: compiled as far as is the same on CPUs, CUDA and TPUs.

    artefact = read("digits.jaxgan")
    artefact.sample(seed=0, count=16)                       # [16, 8, 8, 1] in [-1, 1]

The file is a zip of ``metadata.json`` and of two functions in StableHLO as ``jax.export`` writes them, weights and all:
``draw``, ``(seed, indices) -> z``, and ``generate``, ``z -> samples`` or ``(z, label) -> samples``, of batches of any
size. Where jax and flatbuffers alone are installed::

    with zipfile.ZipFile("digits.jaxgan") as file:
        draw, generate = (jax.export.deserialize(file.read(name)) for name in ("draw", "generate"))
    samples = generate.call(draw.call(np.uint32(0), np.arange(16, dtype=np.int32)))
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import sampling
from jaxgan.version import __version__

PLATFORMS = ("cpu", "cuda", "tpu")
FORMAT = 1
BATCH = 64
MOST = 64 * 2**20  # bytes of metadata, more are no metadata


def write(
    path: str | Path,
    draw: Callable[[jax.Array, jax.Array], Any],
    generate: Callable[..., jax.Array],
    *,
    classes: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a generator.

    Args:
      path: the file.
      draw: ``(seed, indices) -> z``, a uint32 scalar and [B] to latents, an array or a tree of arrays, [B, ...].
      generate: ``z -> samples``, [B, ...]; with ``classes`` ``(z, label)``, [B].
      classes: of a conditional model.
      about: what else people should know, as JSON has it: goes into the metadata.

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
    metadata = {
        "format": FORMAT,
        "classes": list(classes),
        "shape": [int(n) for n in generated.out_avals[0].shape[1:]],
        "platforms": list(PLATFORMS),
        "synthetic": "What this makes is synthetic: no camera took it. Say so where it is shown.",
        "jax": jax.__version__,
        "jaxgan": __version__,
        **(about or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", json.dumps(metadata, indent=2))
        for name, function in {"draw": drawn, "generate": generated}.items():
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
        labels, size = sampling.labels(count, self.classes, label), min(BATCH, count)
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
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo("metadata.json").file_size > MOST:
                raise ValueError("its metadata are too large")
            metadata = json.loads(file.read("metadata.json"))
            if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
                raise ValueError(f"it is of format {metadata.get('format')!r}, this jaxgan reads {FORMAT}")
            functions = [_deserialized(file.read(name)) for name in ("draw", "generate")]
    except (zipfile.BadZipFile, KeyError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no exported generator, or a damaged one: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: no exported generator that can be read: {error}") from None
    return Artefact(metadata, *functions)


def _deserialized(content: bytes) -> jax.export.Exported:
    try:
        return jax.export.deserialize(bytearray(content))
    except Exception as error:  # whatever flatbuffers meets in what is none of its own
        raise ValueError(f"a function of it is damaged: {error}") from None
