"""Read ``.npz`` and ``.npy`` files that can be damaged or malicious. No other module of jaxgan calls ``numpy.load``.

A file is checked before its arrays are read. The header of each array must describe as many bytes as the file contains
for the array, and these must fit into the memory (see ``jaxgan.core.zip_files``). Arrays of Python objects are refused,
because loading them can run code.
"""

import io
import math
import os
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxgan.core.files import open_regular
from jaxgan.core.text import quote
from jaxgan.core.zip_files import check_sizes, open_zip

_SUFFIX = ".npy"  # the suffix of the members of an .npz file
_KINDS = "biufcUS"  # NumPy's kinds of dtypes that are read: booleans, numbers and text
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_MAX_HEADER = 2**16  # largest size of a header in bytes; NumPy itself reads at most 10,000 characters
_START = np.lib.format.MAGIC_PREFIX  # the first bytes of an .npy file


class ArrayHeader(NamedTuple):
    """The description of an array in a file.

    Attributes:
      shape: the shape of the array.
      dtype: the dtype of the array, which contains no Python objects.
      fortran_order: whether the first axis varies fastest in the file.
      offset: position of the first item, counted in bytes from the start of the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    offset: int


def write_npz(file: BinaryIO, arrays: Mapping[str, ArrayLike]) -> None:
    """Write arrays to an ``.npz`` file. Unlike for ``numpy.savez``, any text can be the name of an array.

    The arguments of ``numpy.savez``, such as ``file``, cannot be the names of arrays that it writes.

    Args:
      file: the file, which is open for writing.
      arrays: dictionary from names to arrays.

    Raises:
      ValueError: if an array contains Python objects.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(name + _SUFFIX, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def is_npy(path: str | Path) -> bool:
    """Return whether a file begins as an ``.npy`` file does, whatever its suffix is.

    Args:
      path: the file.

    Raises:
      OSError: if the file cannot be read.
    """
    with open_regular(path) as file:
        return file.read(len(_START)) == _START


def map_npy(path: str | Path) -> np.ndarray:
    """Return the array of an ``.npy`` file, of the shape in its header. Its items are read when they are used.

    Args:
      path: the file.

    Raises:
      ValueError: if the file is damaged or contains other values than numbers, booleans and text.
      OSError: if the file cannot be opened.
    """
    stream = open_regular(path)
    try:
        with stream as file:
            header = _read_header(file, os.fstat(file.fileno()).st_size, "the array")
        order = "F" if header.fortran_order else "C"
        if not math.prod(header.shape):  # the system maps no empty ranges
            return np.zeros(header.shape, header.dtype)
        return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_npz_headers(file: str | Path | BinaryIO, name: str = "") -> dict[str, ArrayHeader]:
    """Return a dictionary from the names of arrays in an ``.npz`` file to their headers, without reading their data.

    Args:
      file: the path of the file, or a file that is open for reading and supports ``seek``.
      name: the name of the file for messages; by default, its path.

    Raises:
      ValueError: if the file is damaged or contains other values than numbers, booleans and text.
      OSError: if the file cannot be opened.
    """
    with open_zip(file, name or str(file), ".npz") as archive:
        return {array: _member_header(archive, member) for array, member in _arrays(archive).items()}


def read_npz(
    file: str | Path | BinaryIO, names: Collection[str] | None = None, name: str = "", *, compressed: bool = True
) -> dict[str, np.ndarray]:
    """Return a dictionary from the names of the arrays in an ``.npz`` file to the arrays.

    Args:
      file: the path of the file, or a file that is open for reading and supports ``seek``.
      names: the names of the arrays to read, without those that the file lacks. By default, all arrays are read.
      name: the name of the file for messages; by default, its path.
      compressed: whether arrays may be compressed, as ``numpy.savez_compressed`` does.

    Raises:
      ValueError: if the file is damaged or contains other values than numbers, booleans and text, or if the arrays are
        far larger than the file or larger than the available memory.
      OSError: if the file cannot be opened.
    """
    with open_zip(file, name or str(file), ".npz") as archive:
        members = {array: i for array, i in _arrays(archive).items() if names is None or array in names}
        if not compressed and any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise ValueError("its arrays are compressed. Save them with numpy.savez.")
        check_sizes(list(members.values()))
        return {array: _read_member(archive, member) for array, member in members.items()}


def _arrays(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return a dictionary from the names of the arrays to the members of the zip."""
    members = {member.filename: member for member in archive.infolist()}
    for name in members:
        if not name.endswith(_SUFFIX):
            raise ValueError(
                f"the member {quote(name)} is not an array. Create the file with numpy.savez, which adds "
                f"{_SUFFIX} to the names of all members."
            )
    return {name.removesuffix(_SUFFIX): member for name, member in members.items()}


def _member_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ArrayHeader:
    """Return the header of a member of the zip."""
    with archive.open(member) as file:
        subject = f"the array {quote(member.filename.removesuffix(_SUFFIX))}"
        return _read_header(file, member.file_size, subject)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return the array of a member of the zip, after its header was checked."""
    _member_header(archive, member)
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _read_header(file: IO[bytes], size: int, subject: str) -> ArrayHeader:
    """Read the header of an array and check it.

    Args:
      file: the file, at the start of the header.
      size: the size of the header and the array in bytes.
      subject: the name of the array, for messages.

    Raises:
      ValueError: if the header is damaged, describes Python objects, or does not describe ``size`` bytes.
    """
    start = io.BytesIO(file.read(_MAX_HEADER))
    try:
        shape, fortran_order, dtype = _READ_HEADER[np.lib.format.read_magic(start)](start)
    except Exception:  # NumPy parses the header as Python's literals, and raises many kinds of errors
        raise ValueError(f"{subject} is damaged, or it is not in NumPy's format.") from None
    if dtype.hasobject:
        raise ValueError(f"{subject} contains Python objects, which are not loaded, because loading them can run code.")
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise ValueError(f"{subject} has the dtype {str(dtype)[:80]}, but only numbers, booleans and text are read.")
    if any(type(n) is not int or n < 0 for n in shape):  # type(), because True is an instance of int
        raise ValueError(f"{subject} is damaged, because its shape does not consist of whole numbers from 0.")
    described, found = math.prod(shape) * dtype.itemsize, size - start.tell()
    if described != found:
        raise ValueError(
            f"{subject} is damaged or incomplete, because its shape {list(shape)} and dtype {dtype} need "
            f"{described:,} bytes, but the file contains {found:,} bytes of it."
        )
    return ArrayHeader(shape, dtype, fortran_order, start.tell())
