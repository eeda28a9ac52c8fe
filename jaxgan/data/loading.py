"""Load a data set by its path or its name, as a ``Source`` that reads examples by index."""

import difflib
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import datasets, images, photos, toy
from jaxgan.data.source import Arrays, Source, read_into_memory, size_in_bytes
from jaxgan.data.stacked import stack_channels
from jaxgan.data.tiles import load_tiles

TOYS = {"ring": toy.ring, "grid": toy.grid, "swiss_roll": toy.swiss_roll}
TOY_EXAMPLES = 50_000  # number of points of a toy data set
IN_MEMORY_BYTES = 2**30  # maximum size of a data set that is read into memory completely
RANGE_TOLERANCE = 1e-3  # floats may leave [-1, 1] by this amount, because of rounding errors in the user's scaling


def load(
    data: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
) -> Source:
    """Return the examples that ``data`` names, as a source.

    A data set that needs at most 1 GiB is read into memory immediately. The examples of a larger data set are read when
    they are needed.

    Args:
      data: one of these:

        - a folder or a zip of images;
        - an ``.npz`` file with an array ``images`` and optionally ``labels``, or an ``.npy`` file;
        - ``ring``, ``grid`` or ``swiss_roll``: points in the plane, see ``jaxgan.data.toy``;
        - ``digits``: the handwritten digits that are bundled with the package;
        - ``photos``: tiles of several photographs, see ``jaxgan.data.photos``; ``photos:china`` selects the photograph
          china;
        - the name of any data set of TensorFlow Datasets (TFDS);
        - ``stacked:`` followed by one of the above: each image combines three grey images as its colour channels;
        - ``tiles:`` followed by a folder or a zip of images: square tiles that are cut out of the images. The images
          can have any sizes and are not resized.
      resolution: height and width of the images in pixels; None keeps their own size.
      channels: number of channels of image files: 1, 3 or 4. None uses 1 if all files are grey, and 3 otherwise.
      split: the split of a TFDS data set or of the photographs.
      data_dir: the folder of prepared TFDS data sets; None uses the default of TFDS.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
    """
    if data.startswith("stacked:"):
        grey = load(
            data.removeprefix("stacked:"), resolution=resolution, channels=channels, split=split, data_dir=data_dir
        )
        return stack_channels(grey)
    if data.startswith("tiles:"):
        return load_tiles(data.removeprefix("tiles:"), resolution, channels)
    check_resolution(resolution)
    path = Path(data)
    suffix = path.suffix.lower()
    if images.is_image_store(path):
        source = images.ImageFiles(path, resolution, channels)
    elif suffix in (".npz", ".npy") and path.is_file():
        source = load_arrays(path)
    elif path.is_file():
        found = f"a {path.suffix} file" if path.suffix else "a file without a suffix"
        raise ValueError(f"`data` must be a folder, or a .zip, .npz or .npy file, got {found}, {data!r}.")
    elif data.partition(":")[0] == "photos":
        source = photos.load(data, resolution=resolution, channels=channels, split=split)
    elif data in TOYS:
        source = Arrays(TOYS[data](TOY_EXAMPLES), name=data)
    elif ("/" in data and (path.is_absolute() or path.parent.is_dir())) or suffix in (".zip", ".npz", ".npy"):
        raise ValueError(f"`data` {data!r} does not exist.{suggest_path(path)}")
    else:
        source = datasets.load(data, split, data_dir, resolution)
    return resize_source(cache_if_small(source), resolution, channels)


def as_source(
    data: Any,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
    argument: str = "data",
) -> Source:
    """Return a source for a name, a path, an array or a source.

    Args:
      data: a name or a path that ``load`` accepts; a ``Source``; or an array of examples without labels, [N, ...],
        uint8 from 0 to 255 or floats in [-1, 1]. A NumPy array, a JAX array, and any other type that NumPy can convert
        are accepted.
      resolution, channels, split, data_dir: see ``load``. ``split`` and ``data_dir`` only apply if ``data`` is a name.
      argument: the name of the caller's argument, for messages.

    Raises:
      TypeError: if ``data`` is of another type.
      ValueError: if the data do not exist or cannot be used. The message explains why.

    Warns:
      UserWarning: if no value of an array of float images is below 0, so that the images may be in [0, 1]; or if the
        channels of an array of images seem to come before height and width.
    """
    if isinstance(data, str | Path):
        return load(str(data), resolution=resolution, channels=channels, split=split, data_dir=data_dir)
    check_resolution(resolution)
    if hasattr(data, "read") and hasattr(data, "shape"):
        source = data
    elif hasattr(data, "__array__"):
        pixels = _check_pixels(np.asarray(data), f"`{argument}`")
        if pixels.ndim == 4 and pixels.dtype == np.float32 and pixels.size and pixels.min() >= 0:
            warnings.warn(
                f"`{argument}` contains floats from {pixels.min():g} to {pixels.max():g}, but images must be in "
                "[-1, 1]. If 0 is black, pass 2 * images - 1.",
                stacklevel=3,
            )
        if _has_channels_first(pixels.shape):
            warnings.warn(
                f"`{argument}` has shape {list(pixels.shape)}, but images must be [N, height, width, C]. If the "
                f"channels come first, pass {argument}.transpose(0, 2, 3, 1).",
                stacklevel=3,
            )
        source = Arrays(pixels, name=f"{argument} array")
    else:
        raise TypeError(
            f"`{argument}` must be a path, a name such as 'digits', a `Source` or an array [N, ...], got "
            f"{type(data).__name__}. For arrays with labels, pass jaxgan.data.Arrays(images, labels)."
        )
    return resize_source(source, resolution, channels)


def check_resolution(resolution: int | None) -> None:
    """Raise a ``ValueError`` if ``resolution`` is below 1; None is allowed."""
    if resolution is not None and resolution < 1:
        raise ValueError(f"`resolution` must be at least 1, got {resolution}.")


def cache_if_small(source: Source) -> Source:
    """Read a source into memory if it needs at most 1 GiB; return other sources unchanged."""
    return read_into_memory(source) if size_in_bytes(source) <= IN_MEMORY_BYTES else source


def load_arrays(path: Path, *, paired: bool = False) -> Arrays:
    """Read the arrays of an ``.npz`` or ``.npy`` file.

    Args:
      path: an ``.npz`` file with an array ``images`` and optionally ``labels``; or an ``.npy`` file with the images.
      paired: whether to read an array ``inputs`` too, which contains the input of each image.

    Raises:
      ValueError: if the file is damaged or contains Python objects, if an array is missing, or if values are out of
        range.
    """
    wanted = ("images", "inputs") if paired else ("images",)
    found, names = _read_arrays(path, wanted)
    for name in wanted:
        if name not in found:
            contents = f"It contains: {', '.join(names)}." if names else "It contains no arrays."
            raise ValueError(f"{path} has no array {name!r}. {contents}")
    pixels, *inputs = (_check_pixels(found[name], f"{path}: {name}") for name in wanted)
    labels, classes = check_labels(found.get("labels"), f"{path}: labels")
    return Arrays(pixels, labels, str(path), classes, *inputs)


def _read_arrays(path: Path, wanted: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays from an ``.npz`` or ``.npy`` file.

    Args:
      path: the file.
      wanted: the names of the arrays to read, in addition to ``labels``.

    Returns:
      A dictionary from names to arrays, without the arrays that the file lacks, and the names of all arrays in the
      file. The array in an ``.npy`` file has the name ``images``.
    """
    try:
        # Pickles are not allowed, because loading an array of Python objects could run code.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"images": loaded}, ["images"]
        with loaded as file:
            return {name: file[name] for name in file.files if name in (*wanted, "labels")}, file.files
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        names = ", ".join(f"{name}={name}" for name in (*wanted, "labels"))
        raise ValueError(
            f"{path} cannot be read, because it is damaged or contains Python objects. Save arrays of numbers with "
            f"numpy.savez(file, {names})."
        ) from None


def check_labels(labels: np.ndarray | None, where: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Check the labels of a file.

    Args:
      labels: whole numbers from 0, [N]; None if the file has no labels.
      where: the file and the array, for messages.

    Returns:
      The labels as int32 [N], and the names of the classes, which are the numbers as text. Without labels, None and an
      empty tuple.

    Raises:
      ValueError: if ``labels`` has another shape or type, or if a label is negative.
    """
    if labels is None:
        return None, ()
    if (
        not np.issubdtype(labels.dtype, np.integer)
        or labels.ndim != 1
        or (labels.size and not 0 <= labels.min() <= labels.max() < 2**31)
    ):
        raise ValueError(
            f"{where} must be whole numbers from 0 with shape [N], got {labels.dtype} with shape {list(labels.shape)}."
        )
    count = int(labels.max()) + 1 if labels.size else 0
    return labels.astype(np.int32), tuple(map(str, range(count)))


def _check_pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    """Check that float images are in [-1, 1], up to rounding errors, and convert float64 to float32.

    Arrays [N, D], such as points in the plane, may have any range.

    Raises:
      ValueError: if a value is outside this range or not finite. The message begins with ``where``.
    """
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.dtype == np.float32 and pixels.size and pixels.ndim != 2:
        low, high = float(pixels.min()), float(pixels.max())
        limit = 1 + RANGE_TOLERANCE
        if not (low >= -limit and high <= limit):  # NaN also fails this
            raise ValueError(
                f"{where} must be floats in [-1, 1] or uint8 from 0 to 255, got floats from {low:.7g} to {high:.7g}. "
                "Rescale the floats, or convert them to uint8."
            )
    return pixels


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether a shape seems to be [N, C, height, width], the order of PyTorch.

    This is assumed if C is 1 or 3, and height and width are above 4.
    """
    return len(shape) == 4 and shape[1] in (1, 3) and shape[2] > 4 and shape[3] > 4


def resize_source(source: Source, resolution: int | None, channels: int | None) -> Source:
    """Resize the images of a source.

    Args:
      source: the source.
      resolution: height and width of the images in pixels; None keeps their own size.
      channels: the number of channels that images must have; None allows any number.

    Raises:
      ValueError: if the images have another number of channels than ``channels``, or if the source must be resized but
        does not consist of uint8 images in memory.
    """
    if len(source.shape) == 3 and channels not in (None, source.shape[2]):
        raise ValueError(
            f"`channels` must be {source.shape[2]} for {source.name}, got {channels}. Only image files can be "
            "converted to another number of channels."
        )
    if resolution is None or source.shape[:2] == (resolution, resolution):
        return source
    if not isinstance(source, Arrays) or source.images.dtype != np.uint8 or len(source.shape) != 3:
        raise ValueError(
            f"The examples of {source.name} have shape {source.shape} and cannot be resized to `resolution` "
            f"{resolution}. Only uint8 images [N, height, width, C] can be resized. Save the examples in the required "
            "size."
        )
    return Arrays(images.resize_images(source.images, resolution), source.labels, source.name, source.classes)


def suggest_path(path: Path) -> str:
    """Return a sentence for an error message that suggests the most similar name in the same folder.

    The sentence begins with a space. If no name is similar, the result is "".

    Args:
      path: the path that does not exist.
    """
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""
