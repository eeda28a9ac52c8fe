"""Load pairs of an input and a target image, to train a generator that translates the input to the image.

A pair can be the two halves of one image file, two files of equal names in two folders, or the elements of two arrays
with the same index. In a batch, ``input`` contains the inputs and ``image`` contains the target images. In this module,
"the image" of an input is always its target image.
"""

import dataclasses
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from jaxgan.core.text import list_names
from jaxgan.data.array_files import load_arrays
from jaxgan.data.decoding import convert_channels, crop_to_square, decode
from jaxgan.data.folders import is_image_store
from jaxgan.data.image_headers import common_size, read_headers
from jaxgan.data.layouts import ImageSet, as_image_set, find_split, has_domains, select_domain
from jaxgan.data.loading import cache_if_small, check_no_split, check_resolution, resize_source, suggest_path
from jaxgan.data.readers import read_all
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Arrays, Source, read_into_memory

Direction = Literal["left-to-right", "right-to-left"]
Halves = Literal["square", "any"]
SQUARE = 1.05  # largest ratio of the sides of a half that counts as square


def load(
    data: str,
    data_a: str | None = None,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    direction: Direction = "left-to-right",
    scale: int = 1,
    halves: Halves = "square",
    split: str = "train",
    argument: str = "data",
) -> Source:
    """Return the pairs that ``data`` and ``data_a`` name, as a source.

    A data set that needs at most 1 GiB is read into memory immediately. The pairs of a larger data set are read when
    they are needed.

    Args:
      data: a folder or a zip of image files, or an ``.npz`` file. If ``data_a`` is None, each image file contains the
        input and the target image side by side, see ``SideBySide``; or the images are in the folders A and B, where the
        files in A are on the left; and an ``.npz`` file has the arrays ``inputs`` and ``images``. If ``data_a`` is
        given, image files contain the target images, see ``EqualNames``, and an ``.npz`` file has an array ``images``.
      data_a: the inputs, one for each image of ``data``: a folder or a zip of image files, an ``.npz`` file with an
        array ``images``, or an ``.npy`` file. None if ``data`` contains the inputs too.
      resolution: height and width of the images in pixels. Inputs have a height and width of ``resolution/scale``. None
        keeps the sizes of the data.
      channels: number of channels of image files, both inputs and images: 1, 3 or 4. None uses 1 if all files are grey,
        and 3 otherwise.
      direction: the order of the halves in image files that contain both: ``left-to-right`` if the input is on the left
        and the image is on the right, or ``right-to-left``.
      scale: height and width of an image, divided by the height and width of its input.
      halves: the shape of the halves of files that contain both: ``square``, or ``any`` for rectangles.
      split: the split of a folder or zip with folders such as train and test, see ``jaxgan.data.layouts``.
      argument: the name of the caller's argument for ``data``, for messages. The name for ``data_a`` ends with ``_a``.

    Raises:
      ValueError: if the data do not exist or cannot be used. The message explains why.
    """
    paths = [Path(name) for name in (data, data_a) if name is not None]
    kinds = [_kind(path, argument) for path, argument in zip(paths, (argument, f"{argument}_a"))]
    check_resolution(resolution)
    if scale < 1:
        raise ValueError(f"`scale` must be at least 1, got {scale}.")
    if resolution is not None and resolution % scale:
        raise ValueError(f"`resolution` must be divisible by `scale`, which is {scale}, got {resolution}.")
    if direction not in ("left-to-right", "right-to-left"):
        raise ValueError(f"`direction` must be left-to-right or right-to-left, got {direction!r}.")
    if direction != "left-to-right" and kinds != ["images"]:
        raise ValueError(
            f"`direction` {direction} requires image files that contain the input and the target image side by side, "
            f"but {data} contains other pairs. Swap `{argument}` and `{argument}_a` instead."
        )
    only = find_split(paths[0], split) if kinds == ["images"] else None
    if only and has_domains(only):
        domains = [select_domain(only, domain) for domain in "BA"]
        images, inputs = domains if direction == "left-to-right" else reversed(domains)
        source: Source = EqualNames(images, inputs, resolution, channels, scale)
    elif only:
        if scale != 1:
            raise ValueError(
                f"`scale` must be 1 if the input and the image are halves of the same file, got {scale}. For another "
                f"`scale`, pass a separate folder of inputs as `{argument}_a`."
            )
        source = SideBySide(only, resolution, channels, direction, halves)
    elif kinds == ["images", "images"]:
        image_set, input_set = (find_split(path, split) for path in paths)
        source = EqualNames(image_set, input_set, resolution, channels, scale)
    elif set(kinds) == {"arrays"}:
        check_no_split(split, data)
        source = _resize_pairs(_load_arrays(paths), resolution, channels, scale)
    else:
        raise ValueError(
            f"`{argument}` and `{argument}_a` must be of the same kind, either image files or array files, got {data} "
            f"and {data_a}."
        )
    return cache_if_small(source)


def _kind(path: Path, argument: str) -> Literal["images", "arrays"]:
    if is_image_store(path):
        return "images"
    if path.suffix.lower() in (".npz", ".npy") and path.is_file():
        return "arrays"
    if not path.exists():
        raise ValueError(f"`{argument}` {str(path)!r} does not exist.{suggest_path(path)}")
    raise ValueError(f"`{argument}` must be a folder of images, or a .zip, .npz or .npy file, got {str(path)!r}.")


def _check_upright(size: tuple[int, int], header: tuple[int, int]) -> None:
    """Raise a ``ValueError`` if a decoded image has a different (height, width) than its header.

    This happens if EXIF data at the end of a file rotate the image.
    """
    if size != header:
        raise ValueError(
            f"The decoded image is {size[1]} x {size[0]}, but its header declares {header[1]} x {header[0]}. Save the "
            "image without EXIF rotation."
        )


_SIDE_BY_SIDE = (
    "Each file must contain an input and its image side by side. If inputs and images are in separate folders, pass "
    "the folder of inputs as `data_a` and the folder of images as `data`, or name the folders A and B."
)


class SideBySide(ShownSource):
    """A ``Source`` of image files that contain an input and its target image side by side.

    This is the format of pix2pix's data (Isola et al. 2017, 1611.07004). Files are decoded when they are read.

    Args:
      images: a folder or a zip, or the images of one split of it.
      resolution: height and width in pixels. Both halves are cropped to a centred square and resized with antialiasing
        (Lanczos). None keeps the size of the halves, which must be the same for all files.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha). None uses 1 if all files are grey, and 3 otherwise.
      direction: ``left-to-right`` if the input is the left half, or ``right-to-left`` if it is the right half.
      halves: ``square``, or ``any`` if the halves can be rectangles.

    Raises:
      ValueError: if there is no image, if a file has an odd width or is not about twice as wide as high while
        ``halves`` is square, if ``resolution`` is None and the sizes differ, or if a file cannot be decoded. The
        message names the file.
    """

    classes, decodes = (), True

    def __init__(
        self,
        images: str | Path | ImageSet,
        resolution: int | None = None,
        channels: int | None = None,
        direction: Direction = "left-to-right",
        halves: Halves = "square",
    ):
        images = as_image_set(images)
        self.name, self._files, self._names = images.name, images.files, images.names
        self._resolution, self._direction = resolution, direction
        headers = read_headers(self._files, self._names)
        self._sizes = headers.sizes
        for name, (height, width) in zip(self._names, self._sizes):
            if width % 2:
                raise ValueError(
                    f"{self.name}: {name} is {width} x {height}, and an odd width cannot be split into two halves. "
                    f"{_SIDE_BY_SIDE}"
                )
        if halves == "square":
            self._check_square_halves()
        halves_sizes = [(height, width // 2) for height, width in self._sizes]
        size = (
            (resolution, resolution) if resolution else common_size(f"{self.name} (halves)", self._names, halves_sizes)
        )
        self._channels = headers.channels if channels is None else channels
        self.shape = (*size, self._channels)
        dataclasses.replace(headers, sizes=halves_sizes).warn(self._channels, resolution)

    def _check_square_halves(self) -> None:
        """Raise a ``ValueError`` if a file is not about twice as wide as high: it is probably a single photograph."""
        wrong = [i for i, (h, w) in enumerate(self._sizes) if not 1 / SQUARE <= w / (2 * h) <= SQUARE]
        if wrong:
            height, width = self._sizes[wrong[0]]
            raise ValueError(
                f"{self.name}: {len(wrong):,} of {len(self._names):,} files are not about twice as wide as high, such "
                f"as {self._names[wrong[0]]}, which is {width} x {height}. {_SIDE_BY_SIDE} If the halves are "
                "rectangles, set `halves` to any."
            )

    def __len__(self) -> int:
        return len(self._names)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        left, right = zip(*read_all(self._halves, indices))
        inputs, images = (left, right) if self._direction == "left-to-right" else (right, left)
        return {"image": np.stack(images), "input": np.stack(inputs)}

    def _halves(self, i: int) -> list[np.ndarray]:
        def split(image: Image.Image) -> list[np.ndarray]:
            image = convert_channels(image, self._channels)
            width, height = image.size
            _check_upright((height, width), self._sizes[i])
            boxes = (0, 0, width // 2, height), (width // 2, 0, width, height)
            return [crop_to_square(image.crop(box), self._resolution) for box in boxes]

        return decode(self._files, self._names[i], split)


class EqualNames(ShownSource):
    """A ``Source`` of pairs of image files that have equal names in two folders or zips.

    Names are compared including sub-folders and without extensions: ``cat/0001.png`` and ``cat/0001.jpg`` are a pair.
    Files are decoded when they are read.

    Args:
      images: a folder or a zip of the images, or the images of one split of it.
      inputs: a folder or a zip of their inputs, or the images of one split of it.
      resolution: height and width of the images in pixels. Images are cropped to a centred square and resized with
        antialiasing (Lanczos). Inputs are cropped and resized in the same way, to ``resolution / scale``. None keeps
        the size of the files, which must be the same for all images.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha), for both images and inputs. None uses 1 for the images if
        all images are grey, and 3 otherwise. The number for the inputs is then determined separately, in the same way.
      scale: height and width of an image, divided by the height and width of its input.

    Raises:
      ValueError: if a name exists only in one of the two folders, if an image is not ``scale`` times as large as its
        input, if ``resolution`` is None and the sizes of images differ, or if a file cannot be decoded. The message
        names the file.
    """

    classes, decodes = (), True

    def __init__(
        self,
        images: str | Path | ImageSet,
        inputs: str | Path | ImageSet,
        resolution: int | None = None,
        channels: int | None = None,
        scale: int = 1,
    ):
        self._images = _NamedImages(images, channels, resolution)
        self._inputs = _NamedImages(inputs, channels, resolution and resolution // scale)
        self.name = f"{self._inputs.files.name} to {self._images.files.name}"
        self._check_names()
        self._keys = sorted(self._images.names)
        for key in self._keys:
            self._check_sizes(key, scale)
        if resolution:
            size = (resolution, resolution)
        else:
            names = [self._images.names[key] for key in self._keys]
            size = common_size(self._images.files.name, names, [self._images.sizes[key] for key in self._keys])
        self.shape = (*size, self._images.channels)

    def __len__(self) -> int:
        return len(self._keys)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        keys = [self._keys[i] for i in indices]
        images, inputs = (np.stack(read_all(files.decode, keys)) for files in (self._images, self._inputs))
        return {"image": images, "input": inputs}

    def _check_names(self) -> None:
        images, inputs = self._images.names.keys(), self._inputs.names.keys()
        alone = sorted(images ^ inputs)
        if alone:
            examples = [f"{name} ({'images' if name in images else 'inputs'} only)" for name in alone]
            raise ValueError(
                f"{self.name}: {len(alone):,} of {len(images | inputs):,} file names exist only among the images or "
                f"only among the inputs: {list_names(examples, 3)}. An image and its input must have the same name, "
                "apart from the extension."
            )

    def _check_sizes(self, key: str, scale: int) -> None:
        (height, width), (input_height, input_width) = self._images.sizes[key], self._inputs.sizes[key]
        if (height, width) == (scale * input_height, scale * input_width):
            return
        found = height // input_height
        fits = found > 1 and (height, width) == (found * input_height, found * input_width)
        hint = f" Set `scale` to {found}." if fits else ""
        raise ValueError(
            f"{self.name}: the image {self._images.names[key]} is {width} x {height}, and its input "
            f"{self._inputs.names[key]} is {input_width} x {input_height}. {_size_rule(scale)}{hint}"
        )


class _NamedImages:
    """The image files of either the inputs or the target images.

    A file is found by its key, the part of its name that both files of a pair have in common.
    """

    def __init__(self, source: str | Path | ImageSet, channels: int | None, resolution: int | None):
        images = as_image_set(source)
        self.files, names = images.files, images.names
        headers = read_headers(self.files, names)
        keys = _keys(images)
        self.names, self.sizes = dict(zip(keys, names)), dict(zip(keys, headers.sizes))
        self.channels, self._resolution = headers.channels if channels is None else channels, resolution
        headers.warn(self.channels, resolution)

    def decode(self, key: str) -> np.ndarray:
        def to_array(image: Image.Image) -> np.ndarray:
            image = convert_channels(image, self.channels)
            _check_upright((image.size[1], image.size[0]), self.sizes[key])
            return crop_to_square(image, self._resolution)

        return decode(self.files, self.names[key], to_array)


def _keys(images: ImageSet) -> list[str]:
    """Return the names of files without extensions, and without the folders around all files and of the split.

    macOS and other systems encode letters with accents differently, so the names are normalised.

    Raises:
      ValueError: if two files have the same name without extensions.
    """
    keys = [unicodedata.normalize("NFC", place.with_suffix("").as_posix()) for place in images.places]
    first_of_key: dict[str, str] = {}
    for key, name in zip(keys, images.names):
        first = first_of_key.setdefault(key, name)
        if first != name:
            raise ValueError(
                f"{images.files.name}: {first} and {name} have the same name, apart from the extension. Remove the "
                "file that does not belong to a pair."
            )
    return keys


def _size_rule(scale: int) -> str:
    if scale == 1:
        return "An image and its input must have the same size."
    return f"With `scale` {scale}, an image must be {scale} times as high and {scale} times as wide as its input."


def _load_arrays(paths: list[Path]) -> Arrays:
    if len(paths) == 1:
        return load_arrays(paths[0], paired=True)
    images, inputs = (load_arrays(path) for path in paths)
    name = f"{inputs.name} to {images.name}"
    return Arrays(images.images, images.labels, name, images.classes, inputs.images, checked=True)


def _resize_pairs(source: Arrays, resolution: int | None, channels: int | None, scale: int) -> Arrays:
    """Resize pairs in memory.

    Args:
      source: the pairs.
      resolution: height and width of the images in pixels; None keeps their own size.
      channels: the number of channels that images and inputs must have; None allows any number.
      scale: height and width of an image, divided by the height and width of its input.

    Raises:
      ValueError: if images or inputs are not [N, height, width, C], if their sizes do not agree with ``scale``, or if
        they have another number of channels than ``channels``.
    """
    images = Arrays(source.images, name=source.name, checked=True)
    inputs = Arrays(source.by_name["input"], name=f"{source.name}, inputs", checked=True)
    if not len(images.shape) == len(inputs.shape) == 3:
        raise ValueError(
            f"{source.name}: images and inputs must be [N, height, width, C], got examples of shape {images.shape} and "
            f"{inputs.shape}."
        )
    if images.shape[:2] != (scale * inputs.shape[0], scale * inputs.shape[1]):
        raise ValueError(
            f"{source.name}: the images are {images.shape[1]} x {images.shape[0]}, and the inputs are "
            f"{inputs.shape[1]} x {inputs.shape[0]}. {_size_rule(scale)}"
        )
    images = read_into_memory(resize_source(images, resolution, channels)).images
    inputs = read_into_memory(resize_source(inputs, resolution and resolution // scale, channels)).images
    return Arrays(images, source.labels, source.name, source.classes, inputs, checked=True)
