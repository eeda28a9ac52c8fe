"""Pairs of an image and the input that it is made of: files side by side, files of equal names, or arrays.

In a batch, a generator takes ``input`` and should make ``image`` of it.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from jaxgan.data.images import (
    Files,
    common_size,
    convert_channels,
    crop_to_square,
    decode,
    find_images,
    is_image_store,
    read_headers,
)
from jaxgan.data.loading import cache_if_small, check_resolution, load_arrays, resize_source, suggest_path
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Arrays, Source, read_into_memory

Direction = Literal["left-to-right", "right-to-left"]


def load(
    data: str,
    data_a: str | None = None,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    direction: Direction = "left-to-right",
    scale: int = 1,
) -> Source:
    """The pairs that ``data`` names; read into memory at once if they take at most 1 GiB there.

    Args:
      data: a folder or a zip of images: with their inputs beside them in one file each, see ``SideBySide``; or, with
        ``data_a``, see ``EqualNames``. Or an ``.npz`` with arrays ``images`` and ``inputs``.
      data_a: the inputs, if they are elsewhere: a folder or a zip; or an ``.npz`` or ``.npy`` file with
        inputs in its array ``images``, one for each image of ``data``.
      resolution: make images this high and wide, and inputs ``resolution / scale``; None keeps their own size.
      channels: of image files, both of a pair: 1, 3 or 4; None is 1 if all are grey, else 3.
      direction: of files side by side, from the half that is the input to the half that is the image.
      scale: how many times an image is as high and as wide as its input.

    Raises:
      ValueError: there is no such data, or it cannot be used; the message says why.
    """
    paths = [Path(name) for name in (data, data_a) if name is not None]
    kinds = [_kind(path) for path in paths]
    check_resolution(resolution)
    if scale < 1:
        raise ValueError(f"`scale` must be at least 1, got {scale}.")
    if resolution is not None and resolution % scale:
        raise ValueError(f"`resolution` must be divisible by `scale`, {scale}, got {resolution}.")
    if direction not in ("left-to-right", "right-to-left"):
        raise ValueError(f"`direction` must be left-to-right or right-to-left, got {direction!r}.")
    if direction != "left-to-right" and kinds != ["images"]:
        raise ValueError(
            f"`direction` {direction} is for files side by side, and {data} has none; swap `data` and `data_a` instead."
        )
    if kinds == ["images"]:
        if scale != 1:
            raise ValueError(f"`scale` must be 1 for the halves of a file, got {scale}; give inputs as `data_a`.")
        source: Source = SideBySide(paths[0], resolution, channels, direction)
    elif kinds == ["images", "images"]:
        source = EqualNames(paths[0], paths[1], resolution, channels, scale)
    elif set(kinds) == {"arrays"}:
        source = _resize_pairs(_load_arrays(paths), resolution, channels, scale)
    else:
        raise ValueError(f"`data` {data} and `data_a` {data_a} must both hold image files, or both arrays.")
    return cache_if_small(source)


def _kind(path: Path) -> Literal["images", "arrays"]:
    if is_image_store(path):
        return "images"
    if path.suffix.lower() in (".npz", ".npy") and path.is_file():
        return "arrays"
    problem = "a file of another kind" if path.exists() else f"no such file or folder{suggest_path(path)}"
    raise ValueError(f"`data` {str(path)!r}: {problem}; pairs are a folder, a .zip or a .npz, or two of them.")


def _check_upright(size: tuple[int, int], header: tuple[int, int]) -> None:
    """``ValueError`` if a decoded image has another size than its header: an EXIF at a file's end may turn it."""
    if size != header:
        raise ValueError(f"it is {size[1]} x {size[0]}, and its header says {header[1]} x {header[0]}; save it upright")


class SideBySide(ShownSource):
    """A ``Source`` of pairs that are the two halves of one image file each, decoded when they are read.

    This is the layout of pix2pix's data (Isola et al. 2017, 1611.07004).

    Args:
      path: a folder or a zip.
      resolution: halves are cropped to a centred square and resized to it, antialiased (Lanczos), both alike; None
        takes their own size, which must then be the same for all.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha; None is 1 if every file is grey, else 3.
      direction: from the half that is the input to the half that is the image.

    Raises:
      ValueError: there is no image, one has an odd width, sizes differ and no resolution is given, or a file cannot be
        decoded; the message names the file.
    """

    classes = ()

    def __init__(
        self,
        path: str | Path,
        resolution: int | None = None,
        channels: int | None = None,
        direction: Direction = "left-to-right",
    ):
        self._files, self._names = find_images(Path(path))
        self.name, self._resolution, self._direction = self._files.name, resolution, direction
        self._sizes, grey = read_headers(self._files, self._names)
        for name, (height, width) in zip(self._names, self._sizes):
            if width % 2:
                raise ValueError(
                    f"{self.name}: {name} is {width} x {height}, and an odd width has no two halves; pairs are an "
                    "input and its image side by side, or in two folders, `data` and `data_a`."
                )
        halves = [(height, width // 2) for height, width in self._sizes]
        size = (resolution, resolution) if resolution else common_size(f"{self.name}, halves", self._names, halves)
        self._channels = (1 if grey else 3) if channels is None else channels
        self.shape = (*size, self._channels)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        left, right = zip(*(self._halves(i) for i in indices))
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
    """A ``Source`` of pairs of image files with equal names in two folders or zips, decoded when they are read.

    ``cat/0001.png`` belongs to ``cat/0001.jpg``: names are compared within their folders and without extensions.

    Args:
      images: a folder or a zip of the images.
      inputs: a folder or a zip of their inputs.
      resolution: images are cropped to a centred square and resized to it, antialiased (Lanczos), and their inputs
        alike to ``resolution / scale``; None takes their own size, which must then be the same for all images.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha, of both; None is 1 for images if all are grey, else
        3, and likewise for inputs.
      scale: how many times an image is as high and as wide as its input.

    Raises:
      ValueError: a name is in one of them alone, an image is not ``scale`` times as large as its input, sizes of
        images differ and no resolution is given, or a file cannot be decoded; the message names the file.
    """

    classes = ()

    def __init__(
        self,
        images: str | Path,
        inputs: str | Path,
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
        images, inputs = (
            np.stack([files.decode(self._keys[i]) for i in indices]) for files in (self._images, self._inputs)
        )
        return {"image": images, "input": inputs}

    def _check_names(self) -> None:
        images, inputs = self._images.names.keys(), self._inputs.names.keys()
        alone = sorted(images ^ inputs)
        if alone:
            examples = [f"{name} ({'images' if name in images else 'inputs'} only)" for name in alone[:3]]
            if len(alone) > 3:
                examples.append("...")
            raise ValueError(
                f"{self.name}: {len(alone):,} of {len(images | inputs):,} names are in one of them alone: "
                f"{', '.join(examples)}; an image and its input have equal names, but for the extension"
            )

    def _check_sizes(self, key: str, scale: int) -> None:
        (height, width), (input_height, input_width) = self._images.sizes[key], self._inputs.sizes[key]
        if (height, width) == (scale * input_height, scale * input_width):
            return
        found = height // input_height
        fits = found > 1 and (height, width) == (found * input_height, found * input_width)
        mend = f"; give `scale` {found}" if fits else ""
        raise ValueError(
            f"{self.name}: image {self._images.names[key]} is {width} x {height}, its input "
            f"{self._inputs.names[key]} {input_width} x {input_height}; {_size_rule(scale)}{mend}."
        )


class _NamedImages:
    """Images or inputs of pairs, by the part of their names that a pair has in common."""

    def __init__(self, path: str | Path, channels: int | None, resolution: int | None):
        self.files, names = find_images(Path(path))
        sizes, grey = read_headers(self.files, names)
        keys = _keys(self.files, names)
        self.names, self.sizes = dict(zip(keys, names)), dict(zip(keys, sizes))
        self.channels, self._resolution = (1 if grey else 3) if channels is None else channels, resolution

    def decode(self, key: str) -> np.ndarray:
        def to_array(image: Image.Image) -> np.ndarray:
            image = convert_channels(image, self.channels)
            _check_upright((image.size[1], image.size[0]), self.sizes[key])
            return crop_to_square(image, self._resolution)

        return decode(self.files, self.names[key], to_array)


def _keys(files: Files, names: Sequence[str]) -> list[str]:
    """Names without extensions, and without a folder around all of them, as archives often have one."""
    around = os.path.commonpath([PurePosixPath(name).parent for name in names])
    keys = [PurePosixPath(os.path.relpath(name, around or ".")).with_suffix("").as_posix() for name in names]
    first_of_key: dict[str, str] = {}
    for key, name in zip(keys, names):
        first = first_of_key.setdefault(key, name)
        if first != name:
            raise ValueError(
                f"{files.name}: {first} and {name} have one name, but for the extension; remove the one that "
                "belongs to no pair"
            )
    return keys


def _size_rule(scale: int) -> str:
    if scale == 1:
        return "an image and its input must have one size"
    return f"with `scale` {scale}, an image must be {scale} times as high and wide as its input"


def _load_arrays(paths: list[Path]) -> Arrays:
    if len(paths) == 1:
        return load_arrays(paths[0], paired=True)
    images, inputs = (load_arrays(path) for path in paths)
    return Arrays(images.images, images.labels, f"{inputs.name} to {images.name}", images.classes, inputs.images)


def _resize_pairs(source: Arrays, resolution: int | None, channels: int | None, scale: int) -> Arrays:
    """Pairs in memory with images of this resolution; ``ValueError`` if sizes are not as ``scale`` says."""
    images = Arrays(source.images, name=source.name)
    inputs = Arrays(source.by_name["input"], name=f"{source.name}, inputs")
    if not len(images.shape) == len(inputs.shape) == 3:
        raise ValueError(f"{source.name}: images {images.shape} and inputs {inputs.shape}; want [N, height, width, C]")
    if images.shape[:2] != (scale * inputs.shape[0], scale * inputs.shape[1]):
        raise ValueError(
            f"{source.name}: images of {images.shape[1]} x {images.shape[0]} and inputs of {inputs.shape[1]} x "
            f"{inputs.shape[0]}; {_size_rule(scale)}."
        )
    images = read_into_memory(resize_source(images, resolution, channels)).images
    inputs = read_into_memory(resize_source(inputs, resolution and resolution // scale, channels)).images
    return Arrays(images, source.labels, source.name, source.classes, inputs)
