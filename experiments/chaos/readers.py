"""Files of every kind that jaxgan reads, and the functions that read them."""

import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

IMAGE_FORMATS = ("png", "jpg", "gif", "bmp", "tiff", "webp", "ppm")
ARRAYS = {"images": np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3), "labels": np.arange(3)}
CLASSIFIER = {"accuracy": 0.5, "Dense_1/kernel": np.ones((2, 2))}
RECORD = {"experiment": "dcgan", "config": {"steps": 20}, "data": {"examples": 2, "shape": [8, 8, 3], "classes": []}}


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
      name: the name of the file, relative to a folder of its own.
      content: the content of a valid file.
      read: reads the file and everything in it. Its argument is the path of the file.
      beside: other files in the folder, as a dictionary from names to contents.
    """

    name: str
    content: bytes
    read: Callable[[Path], Any]
    beside: dict[str, bytes] = {}  # noqa: RUF012 (never changed)


def kinds() -> dict[str, Kind]:
    """Return the kinds of files by their names. The contents are the same in every call."""
    png = {"a.png": _image("png")}
    found = {f"{suffix} image": Kind(f"b.{suffix}", _image(suffix), _read_folder, png) for suffix in IMAGE_FORMATS}
    found |= {
        "image zip": Kind("a.zip", make_zip({"cat/a.png": _image("png"), "dog/b.png": _image("png")}), _read_source),
        "dataset.json": Kind("dataset.json", _json({"labels": [["a.png", 0]]}), _read_folder, png),
        "npz": Kind("a.npz", _npz(np.savez, **ARRAYS), _read_source),
        "compressed npz": Kind("a.npz", _npz(np.savez_compressed, **ARRAYS), _read_source),
        "npy": Kind("a.npy", _npy(ARRAYS["images"]), _read_source),
        "voxel npz": Kind("a.npz", _npz(np.savez, voxels=np.ones((2, 4, 4, 4), bool)), _read_voxels),
        "binvox": Kind("a.binvox", b"#binvox 1\ndim 4 4 4\ndata\n" + bytes([1, 32, 0, 32]), _read_voxel_folder),
        "safetensors": Kind("a.safetensors", _safetensors(), _read_weights),
        "weights npz": Kind("w.npz", _npz(np.savez, weight=np.ones((2, 3))), _read_weights),
        "pth": Kind("a.pth", _torch_zip(), _read_weights),
        "older pth": Kind("a.pth", _torch_pickles(), _read_weights),
        "generator": Kind("g.jaxgan", _generator(), _read_generator),
        "generator without digests": Kind("g.jaxgan", _without_digests(_generator()), _read_generator),
        "translator": Kind("t.jaxgan", _translator(), _read_translator),
        "projection": Kind("a.w.npz", _projection(), _read_projection),
        "classifier": Kind("c.npz", _npz(np.savez, **CLASSIFIER), _read_classifier),
        "config.json": Kind("config.json", _json(RECORD), _read_record),
        "metrics.jsonl": Kind("metrics.jsonl", b'{"step": 1, "d/loss": 1.5}\n{"step": 2, "d/loss": 2}\n', _read_rows),
        "settings": Kind("settings.yaml", b"steps: 20\nz_dim: 4\nlearning_rate: 2e-4\ndata: digits\n", _read_settings),
    }
    return found


def _image(suffix: str) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, {"jpg": "jpeg"}.get(suffix, suffix))
    return file.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def make_zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip with these members. The result is the same at any time.

    Args:
      members: dictionary from the names of the members to their contents.
      method: the compression, a constant of ``zipfile``.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def _npz(save: Callable, **arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _safetensors() -> bytes:
    header = _json({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "__metadata__": {"name": "test"}})
    return len(header).to_bytes(8, "little") + header + np.ones(4, "<f4").tobytes()


# A pickle of {"weight": a tensor of shape [2, 2]}, as torch.save writes it.
_STATE_DICT = (
    b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storageq\x03"
    b"ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x04%sK\x00K\x02K\x02\x86q\x08K\x02K"
    b"\x01\x86q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds."
)


def _torch_zip() -> bytes:
    pickle = _STATE_DICT.replace(b"%s", b"tq\x07Q")
    members = {
        "m/data.pkl": pickle,
        "m/byteorder": b"little",
        "m/data/0": np.ones(4, "<f4").tobytes(),
        "m/version": b"3\n",
    }
    return make_zip(members, zipfile.ZIP_STORED)


def _torch_pickles() -> bytes:
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    system = b"\x80\x02}q\x00X\r\x00\x00\x00little_endianq\x01\x88s."
    pickle = _STATE_DICT.replace(b"%s", b"Ntq\x07Q")
    keys = b"\x80\x02]q\x00X\x01\x00\x00\x000q\x01a."
    return magic + b"\x80\x02M\xe9\x03." + system + pickle + keys + struct.pack("<q", 4) + np.ones(4, "<f4").tobytes()


def _generator() -> bytes:
    import jax.numpy as jnp

    from jaxgan import export
    from jaxgan.core.keys import keys_of, latents

    def draw(seed, indices):
        return latents(keys_of(seed, indices), 3)

    def generate(z):
        return jnp.tanh(z @ jnp.ones((3, 12))).reshape(-1, 2, 2, 3)

    return _written(lambda path: export.write_generator(path, draw, generate, card="# A model card"))


def _translator() -> bytes:
    from jaxgan import export

    direction = export.TranslationDirection(
        {"w": np.ones(3, np.float32)}, lambda w, x, *_: x * w["w"].reshape(1, 1, 1, 3), lambda *_: {}, 3, 4
    )
    return _written(lambda path: export.write_translator(path, {"there": direction}))


def _projection() -> bytes:
    from jaxgan.editing.projection_files import SavedProjection, write_projection

    projection = SavedProjection(
        np.ones((2, 4)), (np.ones((4, 4)),), np.ones(3), 20.0, 0.5, {"checkpoint": 3, "space": "w", "steps": 3}
    )
    return _written(lambda path: write_projection(path, projection))


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def _without_digests(content: bytes) -> bytes:
    """Return an exported model as earlier versions wrote it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    del metadata["sha256"]
    return make_zip({**members, "metadata.json": _json(metadata)})


def _read_all(source: Any) -> Any:
    return source.read(np.arange(len(source)))


def _read_source(path: Path) -> Any:
    from jaxgan.data import load

    return _read_all(load(str(path), resolution=8))


def _read_folder(path: Path) -> Any:
    return _read_source(path.parent)


def _read_voxels(path: Path) -> Any:
    from jaxgan.data import voxels

    return _read_all(voxels.load(str(path)))


def _read_voxel_folder(path: Path) -> Any:
    return _read_voxels(path.parent)


def _read_weights(path: Path) -> Any:
    from jaxgan.interop import read_weights

    return read_weights(path)


def _read_generator(path: Path) -> Any:
    from jaxgan.export import read_generator

    return read_generator(path)


def _read_translator(path: Path) -> Any:
    from jaxgan.export import read_translator

    return read_translator(path)


def _read_projection(path: Path) -> Any:
    from jaxgan.editing.projection_files import read_projection

    return read_projection(path)


def _read_classifier(path: Path) -> Any:
    from jaxgan.evaluation import classifier

    return classifier.read_cached(path)


def _read_record(path: Path) -> Any:
    from jaxgan.monitoring.run_record import read_record

    return read_record(path.parent)


def _read_rows(path: Path) -> Any:
    from jaxgan.monitoring.metrics_file import read_rows

    return read_rows(path)


def _read_settings(path: Path) -> Any:
    from jaxgan.cli.config_file import read_config_file

    return read_config_file(path, ())
