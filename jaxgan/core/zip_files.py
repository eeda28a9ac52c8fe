"""Open zip files that can be damaged or malicious, and check their members before anything is decompressed.

A zip states the size of each member, and a damaged or malicious zip states wrong sizes. ``open_zip`` checks the list of
members against the size of the file. ``check_sizes`` limits the memory that the members need: deflate compresses zeros
to a thousandth of their size, so that a file of 2 MB can fill 2 GB (a decompression bomb).
"""

import contextlib
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from jaxgan.core.files import open_regular, reason_of
from jaxgan.core.system import available_memory_bytes
from jaxgan.core.tables import format_bytes
from jaxgan.core.text import quote

# Members that are read together may grow by this factor and by FREE_BYTES when they are decompressed. Useful data are
# below it: photographs reach a factor of 2, handwritten digits 10, and cubes of mostly empty voxels 100.
MAX_RATIO = 200
FREE_BYTES = 2**26  # size in bytes to which the members of any zip may grow; covers small arrays of zeros
MAX_MEMBERS = 100_000  # largest number of members; the files of the largest networks have a few thousand
MAX_NAME = 1000  # largest number of characters in the name of a member

# The exceptions that ``zipfile`` raises for damaged files. RuntimeError includes NotImplementedError.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    LookupError,
    OverflowError,
    UnicodeDecodeError,
    OSError,
)


@contextlib.contextmanager
def open_zip(file: str | Path | BinaryIO, name: str, format: str = "zip") -> Iterator[zipfile.ZipFile]:
    """Open a zip, check the list of its members, and yield it.

    Each member is stored or deflated, is not encrypted, and has a name of its own. The members do not overlap.

    Args:
      file: the path of the zip, or a file that is open for reading and supports ``seek``.
      name: the name of the zip, for messages.
      format: the name of the expected format, for messages.

    Raises:
      ValueError: if the zip is damaged or breaks one of these rules, or if reading a member in the body of the ``with``
        statement fails because the zip is damaged.
      OSError: if the file cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open_regular(file)) if isinstance(file, str | Path) else file
        size = stream.seek(0, os.SEEK_END)
        try:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            _check_members(archive.infolist(), size)
            yield archive
        except DAMAGE as error:
            raise ValueError(f"{name} is not in the {format} format, or it is damaged: {reason_of(error)}.") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def check_sizes(members: Collection[zipfile.ZipInfo]) -> None:
    """Check that members of a zip can be decompressed into memory together.

    Args:
      members: the members that will be read.

    Raises:
      ValueError: if the members are far larger than their compressed data, or larger than the available memory.
    """
    stored, needed = sum(i.compress_size for i in members), sum(i.file_size for i in members)
    if needed > MAX_RATIO * stored + FREE_BYTES:
        raise ValueError(
            f"the file would grow from {format_bytes(stored)} to {format_bytes(needed)} when it is decompressed. Files "
            f"that grow by more than a factor of {MAX_RATIO} are refused, because they could be made to fill the "
            "memory. If the file is your own, save it without compression."
        )
    available = available_memory_bytes()
    if available is not None and needed > available:
        raise ValueError(
            f"the file needs {format_bytes(needed)} of memory, but only {format_bytes(available)} are available."
        )


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Check the list of members against the size of the file in bytes, or raise ``ValueError``."""
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"the file has {len(members):,} members, and at most {MAX_MEMBERS:,} are read.")
    if sum(member.compress_size for member in members) > size:
        raise ValueError("the file is damaged, because its members overlap or are larger than the file.")
    names = set()
    for member in members:
        name = quote(member.filename)
        if len(member.filename) > MAX_NAME:
            raise ValueError(f"the name {name} of a member has more than {MAX_NAME:,} characters.")
        if member.filename in names:
            raise ValueError(f"the file is damaged, because it contains the member {name} twice.")
        if member.flag_bits & 1:
            raise ValueError(f"the member {name} is encrypted. Create the file again without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"the member {name} is compressed by another method than deflate. Create the file again.")
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
            raise ValueError(f"the file is damaged, because the sizes of its member {name} are inconsistent.")
        names.add(member.filename)
