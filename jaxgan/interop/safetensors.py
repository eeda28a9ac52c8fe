"""Files of arrays by name, .safetensors: https://huggingface.co/docs/safetensors, "Format".

Eight bytes are the length of a header, little-endian; the header is JSON, for each name a dtype, a shape and where its
numbers lie in the rest of the file, which they fill without gaps. Nothing in a file runs, and nothing is allocated that
the file does not hold.
"""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxgan.interop.untrusted import MAX_AXES, from_bfloat16, quote

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_MAX_HEADER = 100_000_000  # bytes, as in the reference implementation


class _Tensor(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, in the order in which they lie there; bfloat16 becomes float32.

    Raises:
      ValueError: the file is of another format, or damaged; the message says how.
      OSError: it cannot be read.
    """
    with _open(path) as (file, tensors, _):
        return {name: _array(file.read(tensor.end - tensor.begin), tensor) for name, tensor in tensors.items()}


def read_metadata(path: str | Path) -> dict[str, str]:
    """What a file says of itself, text by name; its arrays are not read.

    Raises:
      ValueError: the file is of another format, or damaged; the message says how.
      OSError: it cannot be read.
    """
    with _open(path) as (_, _, metadata):
        return metadata


def write_safetensors(path: str | Path, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name; ``metadata`` is text by name.

    Raises:
      ValueError: an array's dtype is none of the format's (bfloat16, which NumPy has not, is neither: give float32), or
        a name is the format's own, ``__metadata__``.
    """
    known = {np.dtype(dtype): name for name, dtype in _DTYPES.items() if name != "BF16"}
    # Wide numbers first, so that each begins at a multiple of its width.
    values = sorted(((name, np.asarray(value)) for name, value in arrays.items()), key=lambda p: -p[1].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, value in values:
        dtype = known.get(value.dtype.newbyteorder("<"))
        if dtype is None or name == "__metadata__":
            kinds = ", ".join(known.values())
            raise ValueError(f"{name!r} of {value.dtype}: want another name than '__metadata__', and one of {kinds}")
        begin, end = end, end + value.nbytes
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, value in values:
            file.write(value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes())


@contextlib.contextmanager
def _open(path: str | Path) -> Iterator[tuple[BinaryIO, dict[str, _Tensor], dict[str, str]]]:
    """The file, at the first number of its first array; its arrays by name; and its metadata. Errors name the path."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            yield file, *_header(file, path.stat().st_size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _header(file: BinaryIO, size: int) -> tuple[dict[str, _Tensor], dict[str, str]]:
    """The header's arrays and metadata, checked against the file's size. Then the file is at the first number."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _MAX_HEADER):
        raise ValueError(f"no .safetensors: a header of {length:,} bytes in a file of {size:,}")
    try:
        tree = json.loads(file.read(length).decode(), object_pairs_hook=_without_duplicates)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no .safetensors: its header is no JSON ({type(error).__name__})") from error
    if not isinstance(tree, dict):
        raise ValueError("no .safetensors: its header is no dictionary")
    tensors = {name: _tensor(name, entry) for name, entry in tree.items() if name != "__metadata__"}
    tensors = dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))
    end = 0
    for name, tensor in tensors.items():
        if tensor.begin != end:
            raise ValueError(f"{quote(name)} begins at byte {tensor.begin:,}; the one before it ends at {end:,}")
        end = tensor.end
    if end != size - 8 - length:
        raise ValueError(f"its arrays take {end:,} bytes, and it has {size - 8 - length:,} for them")
    metadata = tree.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are other than text by name")
    return tensors, metadata


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of JSON in which every name occurs once."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has a name twice")
    return found


def _tensor(name: str, entry: Any) -> _Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{quote(name)} is told by other than dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{quote(name)} is of dtype {quote(dtype)}; {', '.join(_DTYPES)} are read")
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise ValueError(f"{quote(name)} has a shape of other than up to {MAX_AXES} whole numbers from 0")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{quote(name)} has data_offsets of other than a begin and an end")
    size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != size:
        raise ValueError(f"{quote(name)}: {dtype} of shape {shape} are {size:,} bytes, not {offsets[1] - offsets[0]:,}")
    return _Tensor(dtype, tuple(shape), *offsets)


def _are_sizes(values: Any) -> bool:
    # type() and not isinstance(): true and false are whole numbers to Python.
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _array(data: bytes, tensor: _Tensor) -> np.ndarray:
    if len(data) != tensor.end - tensor.begin:
        raise ValueError("it became shorter while it was read")
    numbers = np.frombuffer(data, _DTYPES[tensor.dtype])
    numbers = from_bfloat16(numbers) if tensor.dtype == "BF16" else numbers.copy()
    return numbers.reshape(tensor.shape)
