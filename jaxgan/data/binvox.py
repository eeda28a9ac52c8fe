"""The .binvox format of solids in cubes: https://www.patrickmin.com/binvox/binvox.html."""

import re

import numpy as np

MAX_SIDE = 512  # 2^27 voxels
MAX_HEADER_BYTES = 1024
MAX_BYTES = MAX_HEADER_BYTES + 2 * MAX_SIDE**3


def decode_binvox(content: bytes) -> np.ndarray:
    """A .binvox file's bytes as booleans, [n, n, n], axes x, y, z; ``translate`` and ``scale`` are left out.

    The format is a header of lines, ``#binvox 1``, ``dim n n n``, perhaps ``translate`` and ``scale``, ``data``; then
    runs, one byte for the value and one for how many voxels have it, y fastest, then z, then x. Version 2 has values
    above 1.

    Raises:
      ValueError: the content is malformed, or its cube is larger than 512 on a side.
    """
    end = re.search(rb"^data\r?\n", content[:MAX_HEADER_BYTES], re.MULTILINE)
    if not content.startswith(b"#binvox ") or end is None:
        raise ValueError("no header of binvox, which begins with '#binvox 1' and ends with 'data'")
    version, n = _parse_header(content[: end.start()].decode("ascii", "replace"))
    body = np.frombuffer(content, np.uint8, offset=end.end())
    values, counts = body[: len(body) // 2 * 2].reshape(-1, 2).T
    total = int(counts.sum(dtype=np.int64))
    # Checked before anything is unpacked, so that it takes as much memory as the header says, and no more.
    if len(body) % 2:
        raise ValueError(f"its runs hold {total:,} voxels and a half run, and dim says {n**3:,}")
    if total != n**3:
        raise ValueError(f"its runs hold {total:,} voxels, and dim says {n**3:,}")
    if not counts.all() or (version == 1 and (values > 1).any()):
        raise ValueError("a run of no voxels, or of a value above 1")
    return np.repeat(values > 0, counts).reshape(n, n, n).transpose(0, 2, 1)


def _parse_header(header: str) -> tuple[int, int]:
    """The version, 1 or 2, and the side of the cube."""
    first, *lines = header.split("\n")
    version = first.split()[1:]
    if version not in (["1"], ["2"]):
        raise ValueError(f"its version is {' '.join(version)!r}, not 1 or 2")
    words = [line.split() for line in lines if line.strip()]
    unknown = [w[0] for w in words if w[0] not in ("dim", "translate", "scale")]
    if unknown:
        raise ValueError(f"a line {unknown[0][:20]!r} in its header")
    dims = [w[1:] for w in words if w[0] == "dim"]
    if len(dims) != 1 or len(dims[0]) != 3 or not all(re.fullmatch("[0-9]{1,9}", d) for d in dims[0]):
        raise ValueError("its header says no 'dim n n n'")
    sides = {int(d) for d in dims[0]}
    side = max(sides)
    if len(sides) > 1 or not 1 <= side <= MAX_SIDE:
        raise ValueError(f"dim {' '.join(dims[0])}: want a cube of at most {MAX_SIDE} on a side")
    return int(version[0]), side
