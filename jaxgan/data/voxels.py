"""Voxels: solids in cubes, from arrays, from .binvox files, and from digits that come along.

A cube is [n, n, n, 1], its axes x, y, z as in the mesh that it was made from. In a source it is uint8, 0 for an empty
voxel and 255 for a solid one, which ``normalize`` makes -1 and 1.
"""

import os
import zipfile
from pathlib import Path

import numpy as np

from jaxgan.data import binvox
from jaxgan.data.digits import CLASSES, read_digits
from jaxgan.data.images import classes_of_folders
from jaxgan.data.loading import cache_if_small, check_labels, check_resolution
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Arrays, Source

SOLID = 255
DIGIT_SIDE, DIGIT_DEPTH = 16, 4


def load(data: str, *, resolution: int | None = None, category: str | None = None) -> Source:
    """The solids that ``data`` names; read into memory at once if they take at most 1 GiB there.

    Args:
      data: ``digits``, see ``load_digits``; an ``.npz``, see ``load_arrays``; or a folder of .binvox files, see
        ``BinvoxFiles``.
      resolution: make cubes of this side, see ``resize_cubes``; None keeps their own.
      category: the one class to take; None takes all.

    Raises:
      ValueError: there is no such data, or it cannot be used; the message says why.
    """
    path = Path(data)
    check_resolution(resolution)
    if data == "digits":
        source: Source = load_digits()
    elif path.is_dir():
        source = BinvoxFiles(path, resolution)
    elif path.suffix.lower() == ".npz" and path.is_file():
        source = load_arrays(path)
    else:
        problem = "a file of another kind" if path.exists() else "no such file or folder"
        raise ValueError(f"`data` {data!r}: {problem}; voxels are an .npz, a folder of .binvox files, or digits.")
    if category is not None:
        source = _select_category(source, category)
    source = cache_if_small(source)
    if isinstance(source, Arrays) and resolution not in (None, source.shape[0]):
        cubes = resize_cubes(source.images, resolution, source.name)
        source = Arrays(cubes, source.labels, source.name, source.classes)
    return source


def load_digits() -> Arrays:
    """The 1,797 handwritten digits of ``jaxgan.data.digits`` as upright slabs, 4 voxels thick, in cubes of side 16.

    Their 8 x 8 grey levels are interpolated to 14 x 14; pixels above half are solid. x points right, z points up.
    """
    from PIL import Image

    pixels, labels = read_digits()
    inner, margin = DIGIT_SIDE - 2, (DIGIT_SIDE - DIGIT_DEPTH) // 2

    def ink(image):
        grey = Image.fromarray(image.astype(np.float32))
        return np.pad(np.asarray(grey.resize((inner, inner), Image.Resampling.BICUBIC)) > 8, 1)

    slabs = np.stack([ink(image) for image in pixels])
    upright = slabs[:, ::-1].transpose(0, 2, 1)  # rows from below; then x before z
    cubes = np.zeros((len(slabs), *(DIGIT_SIDE,) * 3, 1), np.uint8)
    cubes[:, :, margin : margin + DIGIT_DEPTH, :, 0] = SOLID * upright[:, :, None, :]
    return Arrays(cubes, labels, "digits, extruded", CLASSES)


def load_arrays(path: Path) -> Arrays:
    """The solids of an ``.npz``.

    They are in its array ``voxels`` or ``images``, with whole numbers ``labels``, [N], if there are any; or every array
    holds a class that has the array's name. An array is [N, n, n, n] or [N, n, n, n, 1] of booleans or numbers 0 and 1
    (or 0 and 255), or uint8 [N, n^3 / 8] of bits, as ``numpy.packbits`` makes them.

    Raises:
      ValueError: the file is damaged or holds objects, or its arrays are not this; the message says which.
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
    for name in ("voxels", "images"):
        if name in found:
            labels, classes = check_labels(found.get("labels"), f"{path}: labels")
            return Arrays(_to_cubes(found[name], f"{path}: {name}"), labels, str(path), classes)
    by_class = {name: _to_cubes(array, f"{path}: {name}") for name, array in found.items()}
    sides = {cubes.shape[1]: name for name, cubes in by_class.items()}
    if len(sides) > 1:
        examples = " and ".join(f"{name} of {side}" for side, name in sides.items())
        raise ValueError(f"{path}: cubes of different sides, {examples}; save them of one")
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(cubes) for cubes in by_class.values()])
    return Arrays(np.concatenate(list(by_class.values())), labels, str(path), tuple(by_class))


def _to_cubes(array: np.ndarray, where: str) -> np.ndarray:
    """An array of any form that ``load_arrays`` takes as uint8, [N, n, n, n, 1], of 0 and 255."""
    if array.ndim == 2 and array.dtype == np.uint8:
        if not array.size:
            raise ValueError(f"{where}: no solids in it")
        n = round((8 * array.shape[1]) ** (1 / 3))
        if n**3 != 8 * array.shape[1]:
            raise ValueError(f"{where}: {array.shape[1]} bytes a solid are no bits of a cube; one of side 32 has 4096")
        return SOLID * np.unpackbits(array, axis=1).reshape(-1, n, n, n, 1)
    shape = (*array.shape, 1) if array.ndim == 4 else array.shape
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


def _select_category(source: Source, category: str) -> Source:
    if category not in source.classes:
        known = f"it has {', '.join(source.classes)}" if source.classes else "it has no classes"
        raise ValueError(f"`category` {category}: no class of {source.name}; {known}.")
    batch = source.read(np.arange(len(source)))
    cubes = batch["image"][batch["label"] == source.classes.index(category)]
    return Arrays(cubes, name=f"{source.name}, {category}")


def resize_cubes(cubes: np.ndarray, size: int, name: str = "voxels") -> np.ndarray:
    """Cubes [N, n, n, n, 1] with the side ``size``.

    A smaller cube has a voxel for each block of the larger, solid where any of the block's is, so that thin legs stay;
    a larger cube has empty space around the smaller.

    Raises:
      ValueError: ``size`` is smaller, and does not divide the side.
    """
    n = cubes.shape[1]
    if size > n:
        before = (size - n) // 2
        after = size - n - before
        return np.pad(cubes, [(0, 0), (before, after), (before, after), (before, after), (0, 0)])
    if n % size:
        raise ValueError(f"{name}: cubes of side {n} are not made smaller to {size}, which does not divide it")
    block = n // size
    return cubes.reshape(-1, size, block, size, block, size, block, 1).max((2, 4, 6))


class BinvoxFiles(ShownSource):
    """A ``Source`` of .binvox files, decoded when they are read.

    Files directly in the folder have no labels; files in sub-folders have the sub-folder as their class.

    Args:
      path: the folder.
      resolution: make cubes of this side, see ``resize_cubes``; None takes the files' own, which must then be the same
        for all.

    Raises:
      ValueError: there is no such file, sides differ and no resolution is given, or a file cannot be decoded; the
        message names the file.
    """

    def __init__(self, path: str | Path, resolution: int | None = None):
        self._path, self._resolution, self.name = Path(path), resolution, str(path)
        walked = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        self._files = sorted(file.relative_to(path) for file in walked if file.suffix.lower() == ".binvox")
        if not self._files:
            raise ValueError(f"{path}: no .binvox file in it; it may hold files or class sub-folders of them")
        self.classes, self._labels = classes_of_folders([file.parent.as_posix() for file in self._files])
        self._side = resolution or self._cube(0).shape[0]

    def __len__(self) -> int:
        return len(self._files)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._side, self._side, self._side, 1)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        batch = {"image": np.stack([self._resized_cube(i) for i in indices])}
        if self._labels is not None:
            batch["label"] = self._labels[indices]
        return batch

    def _resized_cube(self, i: int) -> np.ndarray:
        cube, where = self._cube(i), f"{self.name}: {self._files[i]}"
        if self._resolution is not None:
            return resize_cubes(cube[None], self._resolution, where)[0]
        if len(cube) != self._side:
            raise ValueError(
                f"{self.name}: {self._files[0]} is of side {self._side}, {self._files[i]} of {len(cube)}; give the "
                f"side to make of them as `resolution`, say {min(self._side, len(cube))}"
            )
        return cube

    def _cube(self, i: int) -> np.ndarray:
        """A file's cube in its own size, uint8 [n, n, n, 1]."""
        where = f"{self.name}: {self._files[i]}"
        try:
            with (self._path / self._files[i]).open("rb") as file:
                content = file.read(binvox.MAX_BYTES + 1)
        except OSError as error:
            raise ValueError(f"{where} cannot be opened: {error.strerror}; mend or remove it") from None
        try:
            if len(content) > binvox.MAX_BYTES:
                raise ValueError(f"more than {binvox.MAX_BYTES:,} bytes")
            return SOLID * binvox.decode_binvox(content).astype(np.uint8)[..., None]
        except ValueError as error:
            raise ValueError(f"{where} cannot be decoded: {error}; replace or remove it") from None
