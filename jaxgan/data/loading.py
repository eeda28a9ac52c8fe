"""Load a data set by its path or its name, as a ``Source`` that reads examples by index."""

import difflib
import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import datasets, images, photos, toy
from jaxgan.data.array_checks import check_examples
from jaxgan.data.array_files import load_arrays
from jaxgan.data.decoding import MAX_PIXELS, resize_images
from jaxgan.data.folders import is_image_store
from jaxgan.data.layouts import find_split
from jaxgan.data.source import Arrays, Source, read_into_memory, size_in_bytes
from jaxgan.data.stacked import stack_channels
from jaxgan.data.tiles import load_tiles
from jaxgan.data.uncropped import UncroppedImages, uncropped_files

TOYS = {"ring": toy.ring, "grid": toy.grid, "swiss_roll": toy.swiss_roll}
TOY_EXAMPLES = 50_000  # number of points of a toy data set
IN_MEMORY_BYTES = 2**30  # maximum size of a data set that is read into memory completely


def load(
    data: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
    argument: str = "data",
    uncropped: bool = False,
    jpeg_draft: bool = False,
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
      split: the split of a TFDS data set, of the photographs, or of a folder or zip with folders such as train and
        test; see ``jaxgan.data.layouts``.
      data_dir: the folder of prepared TFDS data sets; None uses the default of TFDS.
      argument: the name of the caller's argument, for messages.
      uncropped: whether images may be rectangles and have different sizes, if ``resolution`` is None. A batch of such
        images contains an ``uncropped.ImageSequence`` in place of an array, which only functions that resize each image
        themselves accept, such as the feature extractors of metrics.
      jpeg_draft: whether to decode JPEG files that are at least four times as large as ``resolution`` at a fraction of
        their size, which is faster and changes the pixels slightly; see ``decoding.decode_draft``. It has no effect on
        other data.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
    """
    if data.startswith("stacked:"):
        grey = load(
            data.removeprefix("stacked:"),
            resolution=resolution,
            channels=channels,
            split=split,
            data_dir=data_dir,
            argument=argument,
            jpeg_draft=jpeg_draft,
        )
        return stack_channels(grey)
    if data.startswith("tiles:"):
        return load_tiles(data.removeprefix("tiles:"), resolution, channels, argument, split)
    check_resolution(resolution)
    path = Path(data)
    suffix = path.suffix.lower()
    uncropped = uncropped and resolution is None
    if is_image_store(path):
        found = find_split(path, split)
        source = uncropped_files(found, channels) if uncropped else None
        source = source or images.ImageFiles(found, resolution, channels, jpeg_draft=jpeg_draft)
    elif suffix in (".npz", ".npy") and path.is_file():
        check_no_split(split, data)
        source = load_arrays(path)
    elif suffix == ".jaxgan" and path.is_file():
        raise ValueError(
            f"`{argument}` {data!r} is an exported generator, not a data set. To use its samples, run `jaxgan sample "
            f"{shlex.quote(data)} --count 10000 --out samples.npz` and pass samples.npz."
        )
    elif path.exists():
        kind = f"a {path.suffix} file" if path.suffix else "a file without a suffix"
        raise ValueError(f"`{argument}` must be a folder, or a .zip, .npz or .npy file, got {kind}, {data!r}.")
    elif data.partition(":")[0] == "photos":
        source = photos.load(data, resolution=resolution, channels=channels, split=split, argument=argument)
    elif data in TOYS:
        check_no_split(split, data)
        source = Arrays(TOYS[data](TOY_EXAMPLES), name=data)
    elif ("/" in data and (path.is_absolute() or path.parent.is_dir())) or suffix in (".zip", ".npz", ".npy"):
        raise ValueError(f"`{argument}` {data!r} does not exist.{suggest_path(path)}")
    else:
        source = datasets.load(data, split, data_dir, resolution, argument, uncropped)
    if isinstance(source, UncroppedImages):
        return source
    return resize_source(cache_if_small(source), resolution, channels)


def as_source(
    data: Any,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    data_dir: str | None = None,
    argument: str = "data",
    uncropped: bool = False,
) -> Source:
    """Return a source for a name, a path, an array or a source.

    Args:
      data: a name or a path that ``load`` accepts; a ``Source``; or an array of examples without labels, [N, ...],
        uint8 from 0 to 255 or floats in [-1, 1], see ``check_examples``. A NumPy array, a JAX array, and any other type
        that NumPy can convert are accepted.
      resolution, channels, split, data_dir: see ``load``. ``split`` and ``data_dir`` only apply if ``data`` is a name.
      argument: the name of the caller's argument, for messages.
      uncropped: whether images may be rectangles and have different sizes, see ``load``.

    Raises:
      TypeError: if ``data`` is of another type.
      ValueError: if the data do not exist or cannot be used. The message explains why.

    Warns:
      UserWarning: if no value of an array of float images is below 0, so that the images may be in [0, 1]; or if grey
        images [N, height, width] get an axis of channels.
    """
    if isinstance(data, str | Path):
        return load(
            str(data),
            resolution=resolution,
            channels=channels,
            split=split,
            data_dir=data_dir,
            argument=argument,
            uncropped=uncropped,
        )
    check_resolution(resolution)
    if hasattr(data, "read") and hasattr(data, "shape"):
        source = data
    elif hasattr(data, "__array__"):
        examples = check_examples(np.asarray(data), f"The examples of `{argument}`", argument)
        source = Arrays(examples, name=f"{argument} array", checked=True)
    else:
        raise TypeError(
            f"`{argument}` must be a path, a name such as 'digits', a `Source` or an array [N, ...], got "
            f"{type(data).__name__}. For arrays with labels, pass jaxgan.data.Arrays(images, labels)."
        )
    return resize_source(source, resolution, channels)


def check_no_split(split: str, data: str) -> None:
    """Raise a ``ValueError`` if a split of data without splits is requested.

    Args:
      split: the requested split; only train is allowed.
      data: the name of the data, for messages.
    """
    if split != "train":
        raise ValueError(f"`split` must be train for {data}, which has no splits, got {split!r}.")


def check_resolution(resolution: int | None) -> None:
    """Raise a ``ValueError`` if ``resolution`` is below 1 or an image has too many pixels; None is allowed."""
    if resolution is not None and resolution < 1:
        raise ValueError(f"`resolution` must be at least 1, got {resolution}.")
    largest = math.isqrt(MAX_PIXELS)
    if resolution is not None and resolution > largest:
        raise ValueError(f"`resolution` must be at most {largest:,}, got {resolution:,}.")


def cache_if_small(source: Source) -> Source:
    """Read a source into memory if it needs at most 1 GiB; return other sources unchanged."""
    return read_into_memory(source) if size_in_bytes(source) <= IN_MEMORY_BYTES else source


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
    images = resize_images(source.images, resolution)
    return Arrays(images, source.labels, source.name, source.classes, checked=True)


def suggest_path(path: Path) -> str:
    """Return a sentence for an error message that suggests the most similar name in the same folder.

    The sentence begins with a space. If no name is similar, the result is "".

    Args:
      path: the path that does not exist.
    """
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""
