"""Sources by a path or a name, as a user types it."""

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
TOY_EXAMPLES = 50_000
IN_MEMORY_BYTES = 2**30
RANGE_TOLERANCE = 1e-3  # float arithmetic on the way to [-1, 1] may leave that range by so much


def load(
    data: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
) -> Source:
    """The examples that ``data`` names; read into memory at once if they take at most 1 GiB there.

    Args:
      data: a folder or a zip of images; an ``.npz`` (``images``, and ``labels`` if any) or ``.npy`` file;
        ``ring``, ``grid`` or ``swiss_roll``; ``digits``; ``photos``, or ``photos:china`` for one of them, see
        ``jaxgan.data.photos``; the name of any TFDS dataset; or one of these after ``stacked:``, for three of its grey
        images in the colours of one; or a folder or zip after ``tiles:``, for windows of its images, of any sizes,
        which are not resized.
      resolution: make images this high and wide; None keeps their own size.
      channels: of image files: 1, 3 or 4; None is 1 if all are grey, else 3.
      split: of a TFDS dataset, or of photos.
      data_dir: where TFDS datasets are prepared; None is TFDS's own default.

    Raises:
      ValueError: there is no such data, or it cannot be used; the message says why.
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
        raise ValueError(
            f"`data` must be a folder, a .zip, a .npz or a .npy file, got the {path.suffix or 'bare'} file {data!r}."
        )
    elif data.partition(":")[0] == "photos":
        source = photos.load(data, resolution=resolution, channels=channels, split=split)
    elif data in TOYS:
        source = Arrays(TOYS[data](TOY_EXAMPLES), name=data)
    elif ("/" in data and (path.is_absolute() or path.parent.is_dir())) or suffix in (".zip", ".npz", ".npy"):
        raise ValueError(f"`data` {data!r}: no such file or folder{suggest_path(path)}.")
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
    """The examples that ``data`` stands for, whatever its kind.

    Args:
      data: a name or a path, as ``load`` takes it; a ``Source``; or an array of examples without labels, [N, ...]:
        uint8 from 0 to 255 or floats in [-1, 1], of NumPy, JAX or anything else that NumPy converts.
      resolution, channels, split, data_dir: as in ``load``; ``split`` and ``data_dir`` are for names alone.
      argument: what the caller calls ``data``, for messages.

    Raises:
      TypeError: ``data`` is none of these.
      ValueError: there is no such data, or it cannot be used; the message says why.

    Warns:
      UserWarning: no value of an array of float images is below 0, so they may be in [0, 1]; or the channels of an
        array of images seem to come before height and width.
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
                f"`{argument}` are floats from {pixels.min():g} to {pixels.max():g}, but images are in [-1, 1]. If 0 "
                "is black, give 2 * images - 1.",
                stacklevel=3,
            )
        if _has_channels_first(pixels.shape):
            warnings.warn(
                f"`{argument}` has shape {list(pixels.shape)}, but images are [N, height, width, C]. If the channels "
                f"come first, give {argument}.transpose(0, 2, 3, 1).",
                stacklevel=3,
            )
        source = Arrays(pixels, name=f"{argument} array")
    else:
        raise TypeError(
            f"`{argument}` must be a path, a name such as 'digits', a `Source` or an array [N, ...], got "
            f"{type(data).__name__}. For arrays with labels give jaxgan.data.Arrays(images, labels)."
        )
    return resize_source(source, resolution, channels)


def check_resolution(resolution: int | None) -> None:
    """Raise ``ValueError`` if a resolution is below 1."""
    if resolution is not None and resolution < 1:
        raise ValueError(f"`resolution` must be at least 1, got {resolution}.")


def cache_if_small(source: Source) -> Source:
    """The source, read into memory if it takes at most 1 GiB there."""
    return read_into_memory(source) if size_in_bytes(source) <= IN_MEMORY_BYTES else source


def load_arrays(path: Path, *, paired: bool = False) -> Arrays:
    """The arrays of an ``.npz`` or ``.npy`` file: ``images``, ``labels`` if any, and ``inputs`` if ``paired``.

    Raises:
      ValueError: the file is damaged or holds objects, an array is missing, or has values that are out of range.
    """
    wanted = ("images", "inputs") if paired else ("images",)
    found, names = _read_arrays(path, wanted)
    for name in wanted:
        if name not in found:
            raise ValueError(f"{path}: no array {name!r} in it, but {', '.join(names) or 'nothing'}")
    pixels, *inputs = (_check_pixels(found[name], f"{path}: {name}") for name in wanted)
    labels, classes = check_labels(found.get("labels"), f"{path}: labels")
    return Arrays(pixels, labels, str(path), classes, *inputs)


def _read_arrays(path: Path, wanted: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The wanted arrays of a file, with ``labels``, and the names of all that it holds."""
    try:
        # Without pickles: an array of Python objects could run code as it is read.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"images": loaded}, ["images"]
        with loaded as file:
            return {name: file[name] for name in file.files if name in (*wanted, "labels")}, file.files
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        names = ", ".join(f"{name}={name}" for name in (*wanted, "labels"))
        raise ValueError(
            f"{path}: not an array file that can be trusted, for it holds objects or is damaged; save plain numbers, "
            f"numpy.savez(file, {names})"
        ) from None


def check_labels(labels: np.ndarray | None, where: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels of a file as int32, [N], and their classes, named by their numbers.

    Raises:
      ValueError: they are no whole numbers from 0, [N]; the message begins with ``where``.
    """
    if labels is None:
        return None, ()
    if (
        not np.issubdtype(labels.dtype, np.integer)
        or labels.ndim != 1
        or (labels.size and not 0 <= labels.min() <= labels.max() < 2**31)
    ):
        raise ValueError(f"{where} are {labels.dtype}{list(labels.shape)}; want whole numbers from 0, [N]")
    count = int(labels.max()) + 1 if labels.size else 0
    return labels.astype(np.int32), tuple(map(str, range(count)))


def _check_pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    """Images with float64 as float32; ``ValueError`` if float images leave [-1, 1] by more than rounding does."""
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.dtype == np.float32 and pixels.size and pixels.ndim != 2:
        low, high = float(pixels.min()), float(pixels.max())
        limit = 1 + RANGE_TOLERANCE
        if not (low >= -limit and high <= limit):  # NaN also fails this
            raise ValueError(
                f"{where} from {low:.7g} to {high:.7g}; float images are in [-1, 1]: scale them, or save 0 to 255 as "
                "uint8"
            )
    return pixels


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether images of this shape are [N, C, height, width], as PyTorch has them: 1 or 3 rows and many channels."""
    return len(shape) == 4 and shape[1] in (1, 3) and shape[2] > 4 and shape[3] > 4


def resize_source(source: Source, resolution: int | None, channels: int | None) -> Source:
    """The source with images of this resolution.

    Raises:
      ValueError: the images have another number of channels, or are not of a kind that is resized.
    """
    if len(source.shape) == 3 and channels not in (None, source.shape[2]):
        raise ValueError(
            f"{source.name}: its images have {source.shape[2]} channels, not {channels}; only image files are converted"
        )
    if resolution is None or source.shape[:2] == (resolution, resolution):
        return source
    if not isinstance(source, Arrays) or source.images.dtype != np.uint8 or len(source.shape) != 3:
        raise ValueError(
            f"{source.name}: examples of shape {source.shape} are not resized to {resolution}, only uint8 images "
            "[N, height, width, C] are; give them in that size"
        )
    return Arrays(images.resize_images(source.images, resolution), source.labels, source.name, source.classes)


def suggest_path(path: Path) -> str:
    """The end of a message about a path that is not there: a sibling with nearly that name, or ''."""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
