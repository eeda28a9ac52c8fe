"""A source by what a user types: a path, or a name."""

import difflib
import zipfile
from pathlib import Path

import numpy as np

from jaxgan.data import datasets, images, photos, toy
from jaxgan.data.source import Arrays, Source, read_into_memory, size_in_bytes
from jaxgan.data.stacked import stacked
from jaxgan.data.tiles import tiles

TOYS = {"ring": toy.ring, "grid": toy.grid, "swiss_roll": toy.swiss_roll}
TOY_EXAMPLES = 50_000
IN_MEMORY_BYTES = 2**30


def load(
    data: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
) -> Source:
    """The examples that ``data`` names; read into memory at once if they take less than 1 GiB there.

    Args:
      data: a folder or a zip of images; an ``.npz`` (``images``, and ``labels`` if any) or ``.npy`` file;
        ``ring``, ``grid`` or ``swiss_roll``; ``digits``; ``photos``, or ``photos:china`` for one of them, see
        ``jaxgan.data.photos``; the name of any TFDS dataset; or one of these after ``stacked:``, for three of its grey
        images in the colours of one; or a folder or zip after ``tiles:``, for windows of its images, of any sizes,
        which are not resized.
      size: make images this size, square; None keeps their own.
      channels: of image files: 1, 3 or 4; None decides by what they are.
      split: of a TFDS dataset, or of photos.
      data_dir: where TFDS datasets are prepared; None is TFDS's own default.

    Raises:
      ValueError: there is no such data, or it cannot be used; it says what and why.
    """
    if data.startswith("stacked:"):
        return stacked(
            load(data.removeprefix("stacked:"), size=size, channels=channels, split=split, data_dir=data_dir)
        )
    if data.startswith("tiles:"):
        return tiles(data.removeprefix("tiles:"), size, channels)
    path = Path(data)
    suffix = path.suffix.lower()
    if size is not None and size < 1:
        raise ValueError(f"size {size}: at least 1")
    if path.is_dir() or (suffix == ".zip" and path.is_file()):
        source = images.ImageFiles(path, size, channels)
    elif suffix in (".npz", ".npy") and path.is_file():
        source = arrays(path)
    elif path.is_file():
        raise ValueError(f"data {data!r}: want a folder, a .zip, a .npz or a .npy, not a {path.suffix or 'bare'} file")
    elif data.partition(":")[0] == "photos":
        source = photos.load(data, size=size, channels=channels, split=split)
    elif data in TOYS:
        source = Arrays(TOYS[data](TOY_EXAMPLES), name=data)
    elif ("/" in data and (path.is_absolute() or path.parent.is_dir())) or suffix in (".zip", ".npz", ".npy"):
        raise ValueError(f"data {data!r}: no such file or folder{nearest(path)}")
    else:
        source = datasets.load(data, split, data_dir, size)
    return sized(kept(source), size, channels)


def kept(source: Source) -> Source:
    """The source, in memory if it takes less than 1 GiB there."""
    return read_into_memory(source) if size_in_bytes(source) <= IN_MEMORY_BYTES else source


def arrays(path: Path, *, paired: bool = False) -> Arrays:
    """Those of an ``.npz`` or ``.npy``: ``images``, ``labels`` if any, and if ``paired`` their ``inputs``."""
    images = ("images", "inputs") if paired else ("images",)
    try:
        # Without pickles: an array of Python objects could run code as it is read.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            names, found = ["images"], {"images": loaded}
        else:
            with loaded as file:
                names = file.files
                found = {name: file[name] for name in names if name in (*images, "labels")}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not an array file that can be trusted, for it holds objects or is damaged; save plain numbers, "
            f"numpy.savez(file, {', '.join(f'{name}={name}' for name in (*images, 'labels'))})"
        ) from None
    for name in images:
        if name not in found:
            raise ValueError(f"{path}: no array {name!r} in it, but {', '.join(names) or 'nothing'}")
    pixels, *inputs = (_pixels(found[name], f"{path}: {name}") for name in images)
    labels = found.get("labels")
    if labels is not None:
        if (
            not np.issubdtype(labels.dtype, np.integer)
            or labels.ndim != 1
            or (labels.size and not 0 <= labels.min() <= labels.max() < 2**31)
        ):
            raise ValueError(f"{path}: labels are {labels.dtype}{list(labels.shape)}; want whole numbers from 0, [N]")
        labels = labels.astype(np.int32)
    classes = tuple(str(i) for i in range(int(labels.max()) + 1)) if labels is not None and labels.size else ()
    return Arrays(pixels, labels, str(path), classes, *inputs)


def _pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.dtype == np.float32 and pixels.size and pixels.ndim != 2:
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= -1 and high <= 1):  # NaN is neither
            raise ValueError(
                f"{where} from {low:g} to {high:g}; float images are in [-1, 1]: scale them, or save 0 to 255 as uint8"
            )
    return pixels


def sized(source: Source, size: int | None, channels: int | None) -> Source:
    """The source with images of this size; ``ValueError`` if they are not resized, or not of so many channels."""
    if len(source.shape) == 3 and channels not in (None, source.shape[2]):
        raise ValueError(
            f"{source.name}: its images have {source.shape[2]} channels, not {channels}; only image files are converted"
        )
    if size is None or source.shape[:2] == (size, size):
        return source
    if not isinstance(source, Arrays) or source.images.dtype != np.uint8 or len(source.shape) != 3:
        raise ValueError(
            f"{source.name}: examples of shape {source.shape} are not resized to {size}, only uint8 images "
            "[N, height, width, C] are; give them in that size"
        )
    return Arrays(images.resized(source.images, size), source.labels, source.name, source.classes)


def nearest(path: Path) -> str:
    """For a message: what there is of nearly that name."""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
