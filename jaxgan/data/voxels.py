"""Voxels: solids in cubes, from arrays, from .binvox files, and from digits that come along.

A cube is [n, n, n, 1], its axes x, y, z as in the mesh that it is made from. In a source it is uint8, 0 for an empty
voxel and 255 for a solid one, which ``normalize`` makes -1 and 1.
"""

import os
import re
import zipfile
from pathlib import Path

import numpy as np

from jaxgan.data.load import kept
from jaxgan.data.source import Arrays, Source

SOLID = 255
MOST_SIDE = 512  # of a .binvox file: 2^27 voxels
HEADER_BYTES = 1024
DIGIT_SIDE, DIGIT_DEPTH = 16, 4


def load(data: str, *, size: int | None = None, only: str | None = None) -> Source:
    """The solids that ``data`` names; read into memory at once if they take less than 1 GiB there.

    Args:
      data: ``digits``, see ``digits``; an ``.npz``, see ``arrays``; or a folder of .binvox files, see ``Binvox``.
      size: make cubes of this side, see ``resized``; None keeps their own.
      only: the one class to take; None takes all.

    Raises:
      ValueError: there is no such data, or it cannot be used; it says what and why.
    """
    path = Path(data)
    if size is not None and size < 1:
        raise ValueError(f"size {size}: at least 1")
    if data == "digits":
        source: Source = digits()
    elif path.is_dir():
        source = Binvox(path, size)
    elif path.suffix.lower() == ".npz" and path.is_file():
        source = arrays(path)
    else:
        what = "not a file of such" if path.exists() else "no such file or folder"
        raise ValueError(f"data {data!r}: {what}; voxels are an .npz, a folder of .binvox files, or digits")
    source = source if only is None else _one_class(source, only)
    source = kept(source)
    if isinstance(source, Arrays) and size not in (None, source.shape[0]):
        cubes = resized(source.images, size, source.name)
        source = Arrays(cubes, source.labels, source.name, source.classes)
    return source


def digits() -> Arrays:
    """scikit-learn's 1,797 handwritten digits as solids, 16 x 16 x 16: each an upright slab, 4 voxels thick.

    Their 8 x 8 grey levels are interpolated to 14 x 14 and are ink where above half. x is to the right, z is up.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    inner, margin = DIGIT_SIDE - 2, (DIGIT_SIDE - DIGIT_DEPTH) // 2

    def ink(image):
        smooth = Image.fromarray(image.reshape(8, 8).astype(np.float32)).resize(
            (inner, inner), Image.Resampling.BICUBIC
        )
        return np.pad(np.asarray(smooth) > 8, 1)

    drawn = np.stack([ink(image) for image in pixels])
    upright = drawn[:, ::-1].transpose(0, 2, 1)  # rows from below, then x before z
    cubes = np.zeros((len(drawn), *(DIGIT_SIDE,) * 3, 1), np.uint8)
    cubes[:, :, margin : margin + DIGIT_DEPTH, :, 0] = SOLID * upright[:, :, None, :]
    return Arrays(cubes, labels.astype(np.int32), "digits, extruded", tuple("0123456789"))


def arrays(path: Path) -> Arrays:
    """The solids of an ``.npz``.

    They are in its array ``voxels`` or ``images``, with whole numbers ``labels``, [N], if there are any; or every array
    holds a class that has the array's name. An array is [N, n, n, n] or [N, n, n, n, 1] of booleans or numbers 0 and 1
    (or 0 and 255), or uint8 [N, n^3 / 8] of bits, as ``numpy.packbits`` makes them.

    Raises:
      ValueError: the file is damaged or holds objects, or its arrays are not this; it says which.
    """
    try:
        # Without pickles: an array of Python objects could run code as it is read.
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not an array file that can be trusted, for it holds objects or is damaged; save plain numbers, "
            "numpy.savez(file, voxels=voxels)"
        ) from None
    if not found:
        raise ValueError(f"{path}: no array in it; save one, numpy.savez(file, voxels=voxels)")
    name = next((name for name in ("voxels", "images") if name in found), None)
    if name is not None:
        cubes, labels = _cubes(found[name], f"{path}: {name}"), found.get("labels")
        if labels is None:
            return Arrays(cubes, name=str(path))
        whole = np.issubdtype(labels.dtype, np.integer) and labels.shape == (len(cubes),)
        if not whole or not 0 <= labels.min() <= labels.max() < 2**31:
            raise ValueError(
                f"{path}: labels are {labels.dtype}{list(labels.shape)} of {len(cubes)} solids; want whole "
                "numbers from 0, one for each"
            )
        return Arrays(cubes, labels.astype(np.int32), str(path), tuple(map(str, range(int(labels.max()) + 1))))
    by_class = {name: _cubes(array, f"{path}: {name}") for name, array in found.items()}
    if len(sides := {cubes.shape[1]: name for name, cubes in by_class.items()}) > 1:
        told = " and ".join(f"{name} of {side}" for side, name in sides.items())
        raise ValueError(f"{path}: cubes of different sides, {told}; save them of one")
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(cubes) for cubes in by_class.values()])
    return Arrays(np.concatenate(list(by_class.values())), labels, str(path), tuple(by_class))


def _cubes(array: np.ndarray, where: str) -> np.ndarray:
    """An array of any of the forms that ``arrays`` takes to uint8, [N, n, n, n, 1], of 0 and 255."""
    if array.ndim == 2 and array.dtype == np.uint8:
        if not array.size:
            raise ValueError(f"{where}: no solids in it")
        n = round((8 * array.shape[1]) ** (1 / 3))
        if n**3 != 8 * array.shape[1]:
            raise ValueError(f"{where}: {array.shape[1]} bytes a solid are no bits of a cube; one of side 32 has 4096")
        return SOLID * np.unpackbits(array, axis=1).reshape(-1, n, n, n, 1)
    shape = array.shape + (1,) * (array.ndim == 4)
    if len(shape) != 5 or not shape[0] or len(set(shape[1:4])) > 1 or shape[4] != 1:
        raise ValueError(
            f"{where}: {array.dtype}{list(array.shape)}; want cubes, [N, n, n, n] or [N, n, n, n, 1], N > 0"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where}: {array.dtype}; want booleans, or numbers 0 (empty) and 1 (solid)")
    top = 255 if array.dtype == np.uint8 and array.max() > 1 else 1
    solid = array == top
    if not (solid | (array == 0)).all():
        raise ValueError(
            f"{where}: values from {array.min():g} to {array.max():g}; voxels are 0 (empty) or 1 (solid): save "
            "them as voxels > threshold"
        )
    return SOLID * solid.astype(np.uint8).reshape(shape)


def _one_class(source: Source, only: str) -> Source:
    if only not in source.classes:
        known = f"it has {', '.join(source.classes)}" if source.classes else "it has no classes"
        raise ValueError(f"--category {only}: no class of {source.name}; {known}")
    everything = source.read(np.arange(len(source)))
    return Arrays(everything["image"][everything["label"] == source.classes.index(only)], name=f"{source.name}, {only}")


def resized(cubes: np.ndarray, size: int, name: str = "voxels") -> np.ndarray:
    """Cubes [N, n, n, n, 1] to the side ``size``.

    A smaller one has a voxel for each block, solid where any of the block's is, so that thin legs stay; a larger one
    has empty space around it.

    Raises:
      ValueError: ``size`` is smaller, and does not divide the side.
    """
    n = cubes.shape[1]
    if size > n:
        low = (size - n) // 2
        return np.pad(cubes, [(0, 0), *((low, size - n - low),) * 3, (0, 0)])
    if n % size:
        raise ValueError(f"{name}: cubes of side {n} are not made smaller to {size}, which does not divide it")
    k = n // size
    return cubes.reshape(-1, *(size, k) * 3, 1).max((2, 4, 6))


class Binvox:
    """A ``Source`` of .binvox files (https://www.patrickmin.com/binvox/binvox.html), decoded when they are read.

    Files directly in the folder have no labels; files in sub-folders have the sub-folder for their class.

    Args:
      path: the folder.
      size: make cubes of this side, see ``resized``; None takes the files' own, which must then be one and the same.

    Raises:
      ValueError: there is no such file, sides differ and none is asked for, or a file cannot be decoded; it names it.
    """

    def __init__(self, path: str | Path, size: int | None = None):
        self._path, self._size, self.name = Path(path), size, str(path)
        walked = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        self._files = sorted(file.relative_to(path) for file in walked if file.suffix.lower() == ".binvox")
        if not self._files:
            raise ValueError(f"{path}: no .binvox file in it; it may hold files or class sub-folders of them")
        parents = [file.parent.as_posix() for file in self._files]
        self.classes = tuple(sorted(set(parents))) if "." not in parents else ()
        self._labels = np.array([self.classes.index(p) for p in parents], np.int32) if self.classes else None
        self._side = size or len(self._decoded(0))

    def __len__(self) -> int:
        return len(self._files)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._side,) * 3 + (1,)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        cubes = []
        for i in indices:
            cube = SOLID * self._decoded(i).astype(np.uint8)
            if self._size is None and len(cube) != self._side:
                raise ValueError(
                    f"{self.name}: {self._files[0]} is of side {self._side}, {self._files[i]} of {len(cube)}; say "
                    f"which to make of them: --resolution {min(self._side, len(cube))}"
                )
            where = f"{self.name}: {self._files[i]}"
            cubes.append(
                cube[..., None] if self._size is None else resized(cube[None, ..., None], self._size, where)[0]
            )
        batch = {"image": np.stack(cubes)}
        return batch if self._labels is None else {**batch, "label": self._labels[indices]}

    def _decoded(self, i: int) -> np.ndarray:
        where, most = f"{self.name}: {self._files[i]}", HEADER_BYTES + 2 * MOST_SIDE**3
        try:
            with (self._path / self._files[i]).open("rb") as file:
                content = file.read(most + 1)
        except OSError as error:
            raise ValueError(f"{where} cannot be opened: {error.strerror}; mend or remove it") from None
        try:
            if len(content) > most:
                raise ValueError(f"more than {most:,} bytes")
            return binvox(content)
        except ValueError as error:
            raise ValueError(f"{where} cannot be decoded: {error}; replace or remove it") from None


def binvox(content: bytes) -> np.ndarray:
    """A .binvox file's bytes as booleans, [n, n, n], axes x, y, z; ``translate`` and ``scale`` are left out.

    The format: a header of lines, ``#binvox 1``, ``dim n n n``, perhaps ``translate`` and ``scale``, ``data``; then
    runs, a byte of the value and a byte of how many voxels have it, y fastest, then z, then x. Version 2 has values
    above 1.

    Raises:
      ValueError: it is not that.
    """
    end = re.search(rb"^data\r?\n", content[:HEADER_BYTES], re.MULTILINE)
    if not content.startswith(b"#binvox ") or end is None:
        raise ValueError("no header of binvox, which begins with '#binvox 1' and ends with 'data'")
    first, *lines = content[: end.start()].decode("ascii", "replace").split("\n")
    version = first.split()[1:]
    if version not in (["1"], ["2"]):
        raise ValueError(f"its version is {' '.join(version)!r}, not 1 or 2")
    words = [line.split() for line in lines if line.strip()]
    dims = [w[1:] for w in words if w[0] == "dim"]
    strange = [w[0] for w in words if w[0] not in ("dim", "translate", "scale")]
    if strange:
        raise ValueError(f"a line {strange[0][:20]!r} in its header")
    if len(dims) != 1 or len(dims[0]) != 3 or not all(re.fullmatch("[0-9]{1,9}", d) for d in dims[0]):
        raise ValueError("its header says no 'dim n n n'")
    n, *others = map(int, dims[0])
    if others != [n, n] or not 1 <= n <= MOST_SIDE:
        raise ValueError(f"dim {' '.join(dims[0])}: want a cube of at most {MOST_SIDE} on a side")
    body = np.frombuffer(content, np.uint8, offset=end.end())
    values, counts = body[: len(body) // 2 * 2].reshape(-1, 2).T
    held = int(counts.sum(dtype=np.int64))
    # Before anything is unpacked: as much as the header says, and no more.
    if len(body) % 2 or held != n**3:
        raise ValueError(f"its runs hold {held:,} voxels{' and a half run' * (len(body) % 2)}, and dim says {n**3:,}")
    if not counts.all() or (version == ["1"] and (values > 1).any()):
        raise ValueError("a run of no voxels, or of a value above 1")
    return np.repeat(values > 0, counts).reshape(n, n, n).transpose(0, 2, 1)
