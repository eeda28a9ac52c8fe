"""Decode .binvox files, which contain a solid object as a cube of voxels.

The format is described at https://www.patrickmin.com/binvox/binvox.html.
"""

import re

import numpy as np

MAX_SIDE = 512  # largest side of a cube, in voxels; such a cube has 2^27 voxels
MAX_HEADER_BYTES = 1024  # maximum size of the header
MAX_BYTES = MAX_HEADER_BYTES + 2 * MAX_SIDE**3  # maximum size of a file: the header, and 2 bytes for each voxel


def decode_binvox(content: bytes) -> np.ndarray:
    """Decode the content of a .binvox file.

    A file begins with a header of text lines: ``#binvox 1``, ``dim n n n``, optionally ``translate`` and ``scale``, and
    ``data``. The voxels follow in compressed form, as runs of two bytes: a value, and the number of consecutive voxels
    with this value. The index along y changes fastest, then z, then x. The value 0 means empty, and 1 means solid.
    Files of version 2 can also contain values above 1, which mean solid too.

    Args:
      content: all bytes of the file.

    Returns:
      The voxels, bool [n, n, n], with axes x, y, z; True where the object is solid. ``translate`` and ``scale`` are
      ignored.

    Raises:
      ValueError: if the content is malformed, or the side of the cube is larger than 512.
    """
    end = re.search(rb"^data\r?\n", content[:MAX_HEADER_BYTES], re.MULTILINE)
    if not content.startswith(b"#binvox ") or end is None:
        raise ValueError(
            f"The file has no .binvox header. A header begins with '#binvox 1', ends with a line 'data' and has at "
            f"most {MAX_HEADER_BYTES} bytes."
        )
    version, n = _parse_header(content[: end.start()].decode("ascii", "replace"))
    body = np.frombuffer(content, np.uint8, offset=end.end())
    values, counts = body[: len(body) // 2 * 2].reshape(-1, 2).T
    total = int(counts.sum(dtype=np.int64))
    # The total number of voxels is checked before the runs are expanded, to limit the memory that a damaged file can
    # allocate. ``_parse_header`` has already checked that n is at most MAX_SIDE.
    if len(body) % 2:
        raise ValueError(
            f"The voxel data ends within a run: it has an odd number of bytes, {len(body):,}, but each run has 2 bytes."
        )
    if total != n**3:
        raise ValueError(f"The runs contain {total:,} voxels in total, but the header announces {n**3:,}.")
    if not counts.all() or (version == 1 and (values > 1).any()):
        raise ValueError(
            "A run has length 0, or it has a value above 1. Version 1 of the format only allows the values 0 and 1."
        )
    return np.repeat(values > 0, counts).reshape(n, n, n).transpose(0, 2, 1)


def _parse_header(header: str) -> tuple[int, int]:
    """Return the version, 1 or 2, and the side of the cube in voxels."""
    first, *lines = header.split("\n")
    version = first.split()[1:]
    if version not in (["1"], ["2"]):
        raise ValueError(f"The version of the .binvox format must be 1 or 2, got {' '.join(version)!r}.")
    words = [line.split() for line in lines if line.strip()]
    unknown = [w[0] for w in words if w[0] not in ("dim", "translate", "scale")]
    if unknown:
        raise ValueError(f"The header has an unknown line that begins with {unknown[0][:20]!r}.")
    dims = [w[1:] for w in words if w[0] == "dim"]
    if len(dims) != 1 or len(dims[0]) != 3 or not all(re.fullmatch("[0-9]{1,9}", d) for d in dims[0]):
        raise ValueError("The header must have one line 'dim n n n' with three whole numbers.")
    sides = {int(d) for d in dims[0]}
    side = max(sides)
    if len(sides) > 1 or not 1 <= side <= MAX_SIDE:
        raise ValueError(
            f"The size of the cube must be three equal numbers from 1 to {MAX_SIDE}, got 'dim {' '.join(dims[0])}'."
        )
    return int(version[0]), side
