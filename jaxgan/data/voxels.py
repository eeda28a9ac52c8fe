"""Load voxels, that is, solid objects in cubes, from arrays, from .binvox files, or from the bundled digits.

A cube is an array [n, n, n, 1]. The axes are x, y and z, as in the mesh that the cube was computed from. Cubes of a
source are uint8, with 0 for an empty voxel and 255 for a solid voxel. ``normalize`` converts 0 to -1 and 255 to 1.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.files import open_regular
from jaxgan.data import binvox
from jaxgan.data.array_files import warn_of_unused_arrays
from jaxgan.data.digits import CLASSES, read_digits
from jaxgan.data.folders import list_files
from jaxgan.data.labels import class_indices
from jaxgan.data.layouts import classes_of_folders
from jaxgan.data.loading import cache_if_small, check_resolution
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Arrays, Source

SOLID = 255  # value of a solid voxel
DIGIT_SIDE, DIGIT_DEPTH = 16, 4  # side of the cube that contains a digit, and thickness of the digit, in voxels


def load(data: str, *, resolution: int | None = None, category: str | None = None) -> Source:
    """Return the objects that ``data`` names, as a source of cubes.

    A data set that needs at most 1 GiB is read into memory immediately. The cubes of a larger data set are read when
    they are needed.

    Args:
      data: ``digits``, see ``load_digits``; an ``.npz`` file, see ``load_arrays``; or a folder of .binvox files, see
        ``BinvoxFiles``.
      resolution: side of the cubes in voxels, see ``resize_cubes``; None keeps their own side.
      category: the name of the only class to load; None loads all classes.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
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
        found = "a file of another kind" if path.exists() else "which does not exist"
        raise ValueError(f"`data` must be digits, an .npz file or a folder of .binvox files, got {data!r}, {found}.")
    if category is not None:
        source = _select_category(source, category)
    source = cache_if_small(source)
    if isinstance(source, Arrays) and resolution not in (None, source.shape[0]):
        cubes = resize_cubes(source.images, resolution, source.name)
        source = Arrays(cubes, source.labels, source.name, source.classes)
    return source


def load_digits() -> Arrays:
    """Return the 1,797 handwritten digits of ``jaxgan.data.digits`` as upright solids in cubes of side 16.

    The images of 8 x 8 pixels are interpolated to 14 x 14. Pixels with more than half of the maximum amount of ink
    become solid. A digit is 4 voxels thick. The x axis points right, and the z axis points up.
    """
    from PIL import Image

    pixels, labels = read_digits()
    inner, margin = DIGIT_SIDE - 2, (DIGIT_SIDE - DIGIT_DEPTH) // 2

    def ink(image):
        grey = Image.fromarray(image.astype(np.float32))
        return np.pad(np.asarray(grey.resize((inner, inner), Image.Resampling.BICUBIC)) > 8, 1)

    slabs = np.stack([ink(image) for image in pixels])
    upright = slabs[:, ::-1].transpose(0, 2, 1)  # reverses the rows, so that z points up, and puts x before z
    cubes = np.zeros((len(slabs), *(DIGIT_SIDE,) * 3, 1), np.uint8)
    cubes[:, :, margin : margin + DIGIT_DEPTH, :, 0] = SOLID * upright[:, :, None, :]
    return Arrays(cubes, labels, "digits, extruded", CLASSES)


def load_arrays(path: Path) -> Arrays:
    """Return the objects in an ``.npz`` file as a source of cubes.

    The file has one of two layouts:

    - an array with the name ``voxels`` or ``images``, and optionally the array ``labels``, whole numbers [N]; or
    - one array of voxels for each class. The name of the array is the name of the class.

    Each array of voxels has one of two formats:

    - [N, n, n, n] or [N, n, n, n, 1], with booleans, the numbers 0 and 1, or the uint8 numbers 0 and 255; or
    - packed bits, uint8 [N, n^3 / 8], as ``numpy.packbits`` returns them.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file is damaged or contains Python objects, or if an array has another shape, type or range.
    """
    try:
        found = read_npz(path)
    except ValueError as error:
        raise ValueError(f"{error} Save arrays of numbers with numpy.savez(file, voxels=voxels).") from None
    if not found:
        raise ValueError(f"{path} contains no arrays. Save the voxels with numpy.savez(file, voxels=voxels).")
    for name in ("voxels", "images"):
        if name in found:
            warn_of_unused_arrays(path, list(found), (name, "labels"))
            cubes, labels, classes = _to_cubes(found[name], f"{path}: {name}"), None, ()
            if "labels" in found:
                labels, classes = class_indices(found["labels"], f"{path}: labels")
            return Arrays(cubes, labels, str(path), classes)
    by_class = {name: _to_cubes(array, f"{path}: {name}") for name, array in found.items()}
    sides = {cubes.shape[1]: name for name, cubes in by_class.items()}
    if len(sides) > 1:
        examples = " and ".join(f"{name} has {side}" for side, name in sides.items())
        raise ValueError(f"{path}: all cubes must have the same side, but {examples}. Save them with the same side.")
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(cubes) for cubes in by_class.values()])
    return Arrays(np.concatenate(list(by_class.values())), labels, str(path), tuple(by_class))


def _to_cubes(array: np.ndarray, where: str) -> np.ndarray:
    """Convert an array of voxels in any format that ``load_arrays`` accepts to uint8 [N, n, n, n, 1], 0 or 255."""
    if array.ndim == 2 and array.dtype == np.uint8:
        if not array.size:
            raise ValueError(f"{where} is empty; it must contain at least one object.")
        n = round((8 * array.shape[1]) ** (1 / 3))
        if n**3 != 8 * array.shape[1]:
            raise ValueError(
                f"{where} must have n^3 / 8 bytes for each object, for cubes of side n, got {array.shape[1]}. For "
                "example, cubes of side 32 need 4096 bytes."
            )
        return SOLID * np.unpackbits(array, axis=1).reshape(-1, n, n, n, 1)
    shape = (*array.shape, 1) if array.ndim == 4 else array.shape
    if len(shape) != 5 or not shape[0] or len(set(shape[1:4])) > 1 or shape[4] != 1:
        raise ValueError(
            f"{where} must be cubes [N, n, n, n] or [N, n, n, n, 1] with N > 0, got {array.dtype} with shape "
            f"{list(array.shape)}."
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where} must be booleans, or the numbers 0 (empty) and 1 (solid), got {array.dtype}.")
    top = 255 if array.dtype == np.uint8 and array.max() > 1 else 1
    solid = array == top
    if not (solid | (array == 0)).all():
        raise ValueError(
            f"{where} must be 0 (empty) or 1 (solid), got values from {array.min():g} to {array.max():g}. Save the "
            "voxels as voxels > threshold."
        )
    return SOLID * solid.astype(np.uint8).reshape(shape)


def _select_category(source: Source, category: str) -> Source:
    if category not in source.classes:
        known = f"Its classes are: {', '.join(source.classes)}." if source.classes else "It has no classes."
        raise ValueError(f"`category` must be a class of {source.name}, got {category}. {known}")
    batch = source.read(np.arange(len(source)))
    cubes = batch["image"][batch["label"] == source.classes.index(category)]
    return Arrays(cubes, name=f"{source.name}, {category}")


def resize_cubes(cubes: np.ndarray, size: int, name: str = "voxels") -> np.ndarray:
    """Resize cubes [N, n, n, n, 1] to [N, size, size, size, 1].

    When cubes are reduced, each new voxel replaces a block of old voxels, and is solid if any voxel of the block is
    solid. Thin parts, such as the legs of a chair, are therefore preserved. When cubes are enlarged, empty space is
    added on all sides.

    Args:
      cubes: [N, n, n, n, 1].
      size: the new side in voxels.
      name: the name of the data, for messages.

    Raises:
      ValueError: if ``size`` is smaller than n and does not divide n.
    """
    n = cubes.shape[1]
    if size > n:
        before = (size - n) // 2
        after = size - n - before
        return np.pad(cubes, [(0, 0), (before, after), (before, after), (before, after), (0, 0)])
    if n % size:
        raise ValueError(
            f"{name}: cubes of side {n} cannot be reduced to side {size}, because {size} does not divide {n}."
        )
    block = n // size
    return cubes.reshape(-1, size, block, size, block, size, block, 1).max((2, 4, 6))


class BinvoxFiles(ShownSource):
    """A ``Source`` of .binvox files, which are decoded when they are read.

    If any file is directly in the folder, the files have no labels. Otherwise, the class of a file is the name of its
    sub-folder.

    Args:
      path: the folder.
      resolution: side of the cubes in voxels, see ``resize_cubes``. None keeps the side of the files, which must be the
        same for all files.

    Raises:
      ValueError: if there is no .binvox file, if ``resolution`` is None and the sides differ, or if a file cannot be
        decoded. The message names the file.
    """

    def __init__(self, path: str | Path, resolution: int | None = None):
        self._path, self._resolution, self.name = Path(path), resolution, str(path)
        listed = map(PurePosixPath, list_files(self._path).listing().names)
        self._files = sorted(file for file in listed if file.suffix.lower() == ".binvox")
        if not self._files:
            raise ValueError(
                f"{path} contains no .binvox files. The files must be directly in it, or in one sub-folder for each "
                "class."
            )
        self.classes, self._labels = classes_of_folders(self.name, self._files)
        self._side = resolution or self._cube(0).shape[0]

    def __len__(self) -> int:
        return len(self._files)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an object, (side, side, side, 1)."""
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
                f"{self.name}: all cubes must have the same side, but {self._files[0]} has {self._side} and "
                f"{self._files[i]} has {len(cube)}. Set `resolution`, for example to {min(self._side, len(cube))}."
            )
        return cube

    def _cube(self, i: int) -> np.ndarray:
        """Return the cube of a file at its original size, uint8 [n, n, n, 1]."""
        where = f"{self.name}: {self._files[i]}"
        try:
            with open_regular(self._path / self._files[i]) as file:
                content = file.read(binvox.MAX_BYTES + 1)
        except OSError as error:
            raise ValueError(f"{where} cannot be opened: {error.strerror}. Fix or remove the file.") from None
        try:
            if len(content) > binvox.MAX_BYTES:
                raise ValueError(f"The file has more than {binvox.MAX_BYTES:,} bytes, the limit for .binvox files.")
            return SOLID * binvox.decode_binvox(content).astype(np.uint8)[..., None]
        except ValueError as error:
            raise ValueError(f"{where} cannot be decoded. {error} Replace or remove the file.") from None
