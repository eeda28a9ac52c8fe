"""Read and write .safetensors files, which contain named arrays.

The format is described in https://huggingface.co/docs/safetensors, section "Format". The first eight bytes are the
length of the header, a little-endian integer. The header is JSON and contains the dtype, the shape and the position of
each array. The arrays fill the rest of the file without gaps. Reading a file executes no code from the file, and
allocates no more memory than the arrays need.
"""

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxgan.core.files import open_regular
from jaxgan.core.json_files import parse_json
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
_NOT_SAFETENSORS = "This is not a .safetensors file, or it is damaged."
_MAX_HEADER = 100_000_000  # size in bytes of the largest header that is read, as in the reference implementation


class _Tensor(NamedTuple):
    """The description of an array in the header.

    Attributes:
      dtype: a key of ``_DTYPES``.
      shape: the shape of the array.
      begin: position of the first byte of the array, counted from the end of the header.
      end: position after the last byte of the array, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Return a dictionary from names to the arrays of a file, in the order of their positions in the file.

    Arrays of bfloat16 are converted to float32.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file has another format or is damaged.
      OSError: if the file cannot be read.
    """
    with _open(path) as (file, tensors, _):
        return {name: _array(file.read(tensor.end - tensor.begin), tensor) for name, tensor in tensors.items()}


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a file, a dictionary from names to strings, without reading the arrays.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file has another format or is damaged.
      OSError: if the file cannot be read.
    """
    with _open(path) as (_, _, metadata):
        return metadata


def write_safetensors(path: str | Path, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays to a file.

    Args:
      path: the file.
      arrays: a dictionary from names to arrays. Arrays of bfloat16 must be converted to float32 first, because NumPy
        has no bfloat16.
      metadata: a dictionary from names to strings that is stored in the file; None stores no metadata.

    Raises:
      ValueError: if the format does not support the dtype of an array, or an array has the reserved name
        ``__metadata__``.
      OSError: if the file cannot be written.
    """
    known = {np.dtype(dtype): name for name, dtype in _DTYPES.items() if name != "BF16"}
    # Arrays with large items come first, so that each array begins at a multiple of its item size.
    values = sorted(((name, np.asarray(value)) for name, value in arrays.items()), key=lambda p: -p[1].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, value in values:
        dtype = known.get(value.dtype.newbyteorder("<"))
        if dtype is None or name == "__metadata__":
            kinds = ", ".join(known.values())
            raise ValueError(
                f"The array {name!r} of dtype {value.dtype} cannot be written. The name of an array must not be "
                f"'__metadata__', and its dtype must be one of {kinds}."
            )
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
    """Open a file and read its header. The messages of errors begin with the path.

    Yields:
      The file, positioned at the first byte of its first array; a dictionary from the names of its arrays to their
      descriptions; and its metadata.
    """
    path = Path(path)
    stream = open_regular(path)
    try:
        with stream as file:
            yield file, *_header(file, os.fstat(file.fileno()).st_size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _header(file: BinaryIO, size: int) -> tuple[dict[str, _Tensor], dict[str, str]]:
    """Read the header and check it against the size of the file.

    Returns:
      A dictionary from the names of the arrays to their descriptions, in the order of their positions, and the
      metadata.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _MAX_HEADER):
        raise ValueError(
            f"This is not a .safetensors file, because a header of {length:,} bytes does not fit into a file of "
            f"{size:,} bytes."
        )
    tree = parse_json(file.read(length), "The header of the file", {"__metadata__?": {str: str}}, fix=_NOT_SAFETENSORS)
    tensors = {name: _tensor(name, entry) for name, entry in tree.items() if name != "__metadata__"}
    tensors = dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))
    end = 0
    for name, tensor in tensors.items():
        if tensor.begin != end:
            raise ValueError(
                f"The file is damaged: the array {quote(name)} begins at byte {tensor.begin:,}, but the previous array "
                f"ends at byte {end:,}."
            )
        end = tensor.end
    if end != size - 8 - length:
        raise ValueError(
            f"The file is damaged: its arrays need {end:,} bytes, but the file has {size - 8 - length:,} bytes for "
            "them."
        )
    return tensors, tree.get("__metadata__", {})


def _tensor(name: str, entry: Any) -> _Tensor:
    """Check the description of an array in the header and return it.

    Raises:
      ValueError: if the description is invalid.
    """
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(
            f"The array {quote(name)} must be described by dtype, shape and data_offsets, and nothing else."
        )
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(
            f"The array {quote(name)} has the dtype {quote(dtype)}, but only these can be read: {', '.join(_DTYPES)}."
        )
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise ValueError(
            f"The shape of the array {quote(name)} must be a list of at most {MAX_AXES} non-negative integers."
        )
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"The data_offsets of the array {quote(name)} must be the positions of its start and its end.")
    size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != size:
        raise ValueError(
            f"The array {quote(name)} of dtype {dtype} and shape {shape} needs {size:,} bytes, but its data_offsets "
            f"cover {offsets[1] - offsets[0]:,} bytes."
        )
    return _Tensor(dtype, tuple(shape), *offsets)


def _are_sizes(values: Any) -> bool:
    """Return whether a JSON value is a list of non-negative integers below 2**48."""
    # type() and not isinstance(), because bool is a subclass of int.
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _array(data: bytes, tensor: _Tensor) -> np.ndarray:
    """Convert the bytes of an array to the array."""
    if len(data) != tensor.end - tensor.begin:
        raise ValueError("The file became shorter while it was read.")
    numbers = np.frombuffer(data, _DTYPES[tensor.dtype])
    numbers = from_bfloat16(numbers) if tensor.dtype == "BF16" else numbers.copy()
    return numbers.reshape(tensor.shape)
