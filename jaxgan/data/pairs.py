"""Pairs: an image, and the input that it is to be made of, from files side by side, files of equal names, or arrays.

A batch's ``image`` is what a generator has to make, its ``input`` what it makes it of.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from jaxgan.data.images import Files, common, converted, cropped, decoded, image_files, surveyed
from jaxgan.data.load import arrays, kept, nearest, sized
from jaxgan.data.source import Arrays, Source, read_into_memory

Direction = Literal["left-to-right", "right-to-left"]


def load(
    data: str,
    inputs: str | None = None,
    *,
    size: int | None = None,
    channels: int | None = None,
    direction: Direction = "left-to-right",
    scale: int = 1,
) -> Source:
    """The pairs that ``data`` names; read into memory at once if they take less than 1 GiB there.

    Args:
      data: a folder or a zip of images: with their inputs beside them in one file each, see ``SideBySide``; or without,
        see ``EqualNames``. Or an ``.npz`` with arrays ``images`` and ``inputs``.
      inputs: where the inputs are, if not there: a folder or a zip; or an ``.npz`` or ``.npy`` whose ``images`` are
        inputs, one for each of those of another.
      size: make images this size, square, and inputs ``size / scale``; None keeps their own.
      channels: of image files, both of a pair: 1, 3 or 4; None decides by what they are.
      direction: of files side by side, from the half that is the input to the one that is the image.
      scale: how many times an image is as high and as wide as its input.

    Raises:
      ValueError: there is no such data, or it cannot be used; it says what and why.
    """
    paths = [Path(name) for name in (data, inputs) if name is not None]
    kinds = [_kind(path) for path in paths]
    if size is not None and size < 1:
        raise ValueError(f"size {size}: at least 1")
    if scale < 1 or (size or 0) % scale:
        raise ValueError(
            f"scale {scale}: at least 1" if scale < 1 else f"size {size}: scale {scale} does not divide it"
        )
    if direction not in ("left-to-right", "right-to-left"):
        raise ValueError(f"direction {direction!r}: want left-to-right or right-to-left")
    if direction != "left-to-right" and kinds != ["images"]:
        raise ValueError(f"direction {direction}: of files side by side; {data} is none, swap data and inputs instead")
    if kinds == ["images"]:
        if scale != 1:
            raise ValueError(f"scale {scale}: the halves of a file are of one size; give inputs of their own")
        source: Source = SideBySide(paths[0], size, channels, direction)
    elif kinds == ["images", "images"]:
        source = EqualNames(paths[0], paths[1], size, channels, scale)
    elif set(kinds) == {"arrays"}:
        source = _sized(_arrays(paths), size, channels, scale)
    else:
        raise ValueError(f"data {data} and inputs {inputs}: one holds files and the other arrays; want two of a kind")
    return kept(source)


def _kind(path: Path) -> Literal["images", "arrays"]:
    suffix = path.suffix.lower()
    if path.is_dir() or (suffix == ".zip" and path.is_file()):
        return "images"
    if suffix in (".npz", ".npy") and path.is_file():
        return "arrays"
    what = "not a file of such" if path.exists() else f"no such file or folder{nearest(path)}"
    raise ValueError(f"data {str(path)!r}: {what}; pairs are a folder, a .zip or a .npz, or two of them")


class SideBySide:
    """A ``Source`` of pairs of which each is one image file, its halves side by side, decoded when it is read.

    As pix2pix has them (Isola et al. 2017, 1611.07004).

    Args:
      path: a folder or a zip.
      size: halves are cropped to a centred square and resized to it, antialiased (Lanczos), both alike; None takes
        their own size, which must then be one and the same.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha; None takes 1 if every file is grey, else 3.
      direction: from the half that is the input to the one that is the image.

    Raises:
      ValueError: there is no image, one is of odd width, sizes differ and none is asked for, or a file cannot be
        decoded; it names the file.
    """

    classes = ()

    def __init__(
        self,
        path: str | Path,
        size: int | None = None,
        channels: int | None = None,
        direction: Direction = "left-to-right",
    ):
        self._files, self._names = image_files(Path(path))
        self.name, self._size, self._input_first = self._files.name, size, direction == "left-to-right"
        self._whole, grey = surveyed(self._files, self._names)
        for name, (height, width) in zip(self._names, self._whole):
            if width % 2:
                raise ValueError(
                    f"{self.name}: {name} is {width} x {height}, and an odd width has no two halves; pairs are an "
                    "input and its image side by side, or in two folders: data and inputs"
                )
        halves = [(height, width // 2) for height, width in self._whole]
        own = (size, size) if size else common(f"{self.name}, halves", self._names, halves)
        self._channels = (1 if grey else 3) if channels is None else channels
        self.shape = (*own, self._channels)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        left, right = zip(*(self._halves(i) for i in indices))
        inputs, images = (left, right) if self._input_first else (right, left)
        return {"image": np.stack(images), "input": np.stack(inputs)}

    def _halves(self, i: int) -> list[np.ndarray]:
        def make(image: Image.Image) -> list[np.ndarray]:
            image = converted(image, self._channels)
            width, height = image.size
            _same((height, width), self._whole[i])
            boxes = (0, 0, width // 2, height), (width // 2, 0, width, height)
            return [cropped(image.crop(box), self._size) for box in boxes]

        return decoded(self._files, self._names[i], make)


class EqualNames:
    """A ``Source`` of pairs of image files with equal names in two folders or zips, decoded when they are read.

    ``cat/0001.png`` belongs to ``cat/0001.jpg``: a name is that within its folder, without its extension.

    Args:
      images: a folder or a zip of what is to be made.
      inputs: one of what it is made of.
      size: images are cropped to a centred square and resized to it, antialiased (Lanczos), and their inputs alike to
        ``size / scale``; None takes their own size, which must then be one and the same.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha, of both; None takes 1 for images if every one is
        grey, else 3, and so for inputs.
      scale: how many times an image is as high and as wide as its input.

    Raises:
      ValueError: a name is in one of them alone, the two of a pair are not of one size or not by ``scale``, sizes of
        pairs differ and none is asked for, or a file cannot be decoded; it names the file.
    """

    classes = ()

    def __init__(
        self,
        images: str | Path,
        inputs: str | Path,
        size: int | None = None,
        channels: int | None = None,
        scale: int = 1,
    ):
        self._sets = [_Set(path, channels, size and size // k) for path, k in ((images, 1), (inputs, scale))]
        theirs, ours = self._sets
        self.name = f"{ours.files.name} to {theirs.files.name}"
        if alone := sorted(theirs.names.keys() ^ ours.names.keys()):
            told = ", ".join(f"{name} ({'images' if name in theirs.names else 'inputs'} only)" for name in alone[:3])
            raise ValueError(
                f"{self.name}: {len(alone):,} of {len(theirs.names.keys() | ours.names.keys()):,} names are in one of "
                f"them alone: {told}{', ...' if len(alone) > 3 else ''}; an image and its input have equal names, but "
                "for the extension"
            )
        self._keys = sorted(theirs.names)
        for key in self._keys:
            self._check(key, theirs.sizes[key], ours.sizes[key], scale)
        names = [theirs.names[key] for key in self._keys]
        own = (size, size) if size else common(theirs.files.name, names, [theirs.sizes[key] for key in self._keys])
        self.shape = (*own, theirs.channels)

    def __len__(self) -> int:
        return len(self._keys)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        images, inputs = (np.stack([one.decoded(self._keys[i]) for i in indices]) for one in self._sets)
        return {"image": images, "input": inputs}

    def _check(self, key: str, image: tuple[int, int], own: tuple[int, int], scale: int) -> None:
        if image == (scale * own[0], scale * own[1]):
            return
        theirs, ours = (one.names[key] for one in self._sets)
        want = "both are of one size" if scale == 1 else f"at scale {scale} an image is {scale} times as high and wide"
        whole = image[0] // own[0]
        mend = f"; say scale {whole}" if whole > 1 and image == (whole * own[0], whole * own[1]) else ""
        raise ValueError(
            f"{self.name}: image {theirs} is {image[1]} x {image[0]}, its input {ours} {own[1]} x {own[0]}; "
            f"{want}{mend}"
        )


class _Set:
    """One side of pairs: its files by what they have in common with their others' names."""

    def __init__(self, path: str | Path, channels: int | None, size: int | None):
        self.files, names = image_files(Path(path))
        sizes, grey = surveyed(self.files, names)
        keys = _keys(self.files, names)
        self.names, self.sizes = dict(zip(keys, names)), dict(zip(keys, sizes))
        self.channels, self._size = (1 if grey else 3) if channels is None else channels, size

    def decoded(self, key: str) -> np.ndarray:
        def make(image: Image.Image) -> np.ndarray:
            image = converted(image, self.channels)
            _same((image.size[1], image.size[0]), self.sizes[key])
            return cropped(image, self._size)

        return decoded(self.files, self.names[key], make)


def _keys(files: Files, names: Sequence[str]) -> list[str]:
    """The names without their extensions, and without a folder around everything, as archives have one."""
    around = os.path.commonpath([PurePosixPath(name).parent for name in names])
    keys = [PurePosixPath(os.path.relpath(name, around or ".")).with_suffix("").as_posix() for name in names]
    found: dict[str, str] = {}
    for key, name in zip(keys, names):
        if key in found:
            raise ValueError(
                f"{files.name}: {found[key]} and {name} have one name, but for the extension; remove the one that "
                "belongs to no pair"
            )
        found[key] = name
    return keys


def _same(size: tuple[int, int], told: tuple[int, int]) -> None:
    """An EXIF at a file's end may turn it, which its header does not tell."""
    if size != told:
        raise ValueError(f"it is {size[1]} x {size[0]}, and its header says {told[1]} x {told[0]}; save it upright")


def _arrays(paths: list[Path]) -> Arrays:
    if len(paths) == 1:
        return arrays(paths[0], paired=True)
    images, inputs = (arrays(path) for path in paths)
    name = f"{inputs.name} to {images.name}"
    return Arrays(images.images, images.labels, name, images.classes, inputs.images)


def _sized(source: Arrays, size: int | None, channels: int | None, scale: int) -> Arrays:
    """Pairs in memory, made ``size``, if they are images whose sizes are as ``scale`` says."""
    images = Arrays(source.images, name=source.name)
    inputs = Arrays(source.by_name["input"], name=f"{source.name}, inputs")
    if not len(images.shape) == len(inputs.shape) == 3:
        raise ValueError(f"{source.name}: images {images.shape} and inputs {inputs.shape}; want [N, height, width, C]")
    if images.shape[:2] != (scale * inputs.shape[0], scale * inputs.shape[1]):
        raise ValueError(
            f"{source.name}: images of {images.shape[1]} x {images.shape[0]} and inputs of {inputs.shape[1]} x "
            f"{inputs.shape[0]}, at scale {scale}; want images {scale} times as high and wide as inputs"
        )
    images = read_into_memory(sized(images, size, channels)).images
    inputs = read_into_memory(sized(inputs, size and size // scale, channels)).images
    return Arrays(images, source.labels, source.name, source.classes, inputs)
