"""Image files in a folder, or in a zip that is read in place, of any format that Pillow knows, any size, any mode.

Files directly in the folder have no labels; files in sub-folders have the sub-folder as their class, numbered in
alphabetical order. Hidden sub-folders, and the directories of runs, which hold grids of samples, are left out.
"""

import contextlib
import io
import json
import lzma
import math
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jaxgan.data.representation import ShownSource

# A member of a zip may unpack to anything; no image that Pillow opens needs as much as this.
MAX_BYTES = 2**29
MAX_RECORD_BYTES = 2**20  # a config.json that is larger is no run's
EXTENSIONS = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and its values that swap height and width
GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # as Pillow names them
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels

T = TypeVar("T")


class Files(Protocol):
    """The files in a folder or in a zip."""

    name: str

    def names(self) -> list[str]:
        """The names of all files, sorted, with their sub-folders; without the system's own."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file's content.

        Raises:
          ValueError: it cannot be read; the message names it.
        """
        ...


class _Folder:
    def __init__(self, path: Path):
        self.name, self._path = str(path), path

    def names(self) -> list[str]:
        found, seen = [], set()
        for folder, below, files in os.walk(self._path, followlinks=True):
            # A link may lead back to a folder above it. Names are sorted, so that the first of two names for one
            # folder is always the same.
            if (real := os.path.realpath(folder)) in seen:
                below.clear()
                continue
            seen.add(real)
            below[:] = sorted(name for name in below if not (_hidden(name) or _is_run(Path(folder, name))))
            found += [Path(folder, file).relative_to(self._path).as_posix() for file in files]
        return sorted(name for name in found if not _hidden(name))

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._path / name).open("rb")
        except OSError as error:
            raise ValueError(f"{self.name}: {name} cannot be opened: {error.strerror}; mend or remove it") from None


class _Zip:
    def __init__(self, path: Path):
        self.name, self._path, self._of_thread = str(path), path, threading.local()
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path}: not a zip, or a damaged one ({error}); make it again") from None
        for name in self._names:
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or re.match("^[A-Za-z]:", name):
                raise ValueError(f"{path}: its member {name!r} leads out of the archive; it is refused whole")
            if "\\" in name:
                raise ValueError(f"{path}: its member {name!r} has backslashes for slashes; zip the folder anew")

    def names(self) -> list[str]:
        return [name for name in self._names if not _hidden(name)]

    def open(self, name: str) -> BinaryIO:
        # Threads read at the same time, so each opens the archive for itself, once: opening reads the whole directory.
        try:
            if not hasattr(self._of_thread, "archive"):
                self._of_thread.archive = zipfile.ZipFile(self._path)
            archive = self._of_thread.archive
            size = archive.getinfo(name).file_size
            if size > MAX_BYTES:
                raise ValueError(f"{self.name}: its member {name!r} unpacks to {size:,} bytes; that is no image")
            return io.BytesIO(archive.read(name))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError) as error:
            raise ValueError(f"{self.name}: its member {name!r} cannot be read: {error}") from None


def _hidden(name: str) -> bool:
    """Whether a file is the system's and not the user's: hidden, in a hidden folder, or added to a zip by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _is_run(folder: Path) -> bool:
    """Whether a folder is the directory of a run, whose pictures are samples and not data."""
    file = folder / "config.json"
    try:
        if not file.is_file() or file.stat().st_size > MAX_RECORD_BYTES:
            return False
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"experiment", "config"} <= record.keys()


class ImageFiles(ShownSource):
    """A ``Source`` of image files, decoded when they are read: uint8, [B, resolution, resolution, channels].

    Args:
      path: a folder or a zip.
      resolution: images are cropped to a centred square and resized to it, antialiased (Lanczos); None takes the
        files' own size, which must then be the same for all, and square.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha; None is 1 if every file is grey, else 3.

    Raises:
      ValueError: there is no image, sizes differ and no resolution is given, or a file cannot be decoded; the message
        names the file.
    """

    def __init__(self, path: str | Path, resolution: int | None = None, channels: int | None = None):
        self._files, self._names = find_images(Path(path))
        self.name = self._files.name
        parents = [str(PurePosixPath(name).parent) for name in self._names]
        # A folder around all others, as archives often have one, is no part of a class's name.
        around = os.path.commonpath(parents)
        self.classes, self._labels = classes_of_folders([os.path.relpath(parent, around) for parent in parents])
        if resolution is None or channels is None:
            sizes, grey = read_headers(self._files, self._names)
            if resolution is None:
                resolution = common_size(self.name, self._names, sizes, square=True)[0]
            channels = (1 if grey else 3) if channels is None else channels
        self._resolution, self._channels = resolution, channels

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._resolution, self._resolution, self._channels)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        def to_array(image: Image.Image) -> np.ndarray:
            return crop_to_square(convert_channels(image, self._channels), self._resolution)

        batch = {"image": np.stack([decode(self._files, self._names[i], to_array) for i in indices])}
        if self._labels is not None:
            batch["label"] = self._labels[indices]
        return batch


def classes_of_folders(parents: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The classes of files, which are their folders in alphabetical order, and the label of each file, int32 [N].

    Args:
      parents: the folder of each file; if any is ".", files have no classes, and labels are None.
    """
    if "." in parents:
        return (), None
    classes = tuple(sorted(set(parents)))
    return classes, np.array([classes.index(parent) for parent in parents], np.int32)


def is_image_store(path: Path) -> bool:
    """Whether a path is a folder or a zip, which may hold images."""
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def find_images(path: Path) -> tuple[Files, list[str]]:
    """The files of a folder or a zip, and the sorted names of the images among them.

    Args:
      path: the folder or the zip; or an image, which is then the only one of its folder.

    Raises:
      ValueError: there is no image, or a zip is damaged or has members outside of itself.
    """
    if path.is_file() and path.suffix.lower() in EXTENSIONS:
        return _Folder(path.parent), [path.name]
    files: Files = _Folder(path) if path.is_dir() else _Zip(path)
    all_names = files.names()
    names = [name for name in all_names if PurePosixPath(name).suffix.lower() in EXTENSIONS]
    if not names:
        raise ValueError(
            f"{files.name}: no image in it ({len(all_names)} other files); it may hold files or class "
            f"sub-folders of {', '.join(sorted(e[1:] for e in EXTENSIONS))}"
        )
    return files, names


def read_headers(files: Files, names: list[str]) -> tuple[list[tuple[int, int]], bool]:
    """The upright (height, width) of each image, and whether all are grey, without decoding the images."""
    headers = [decode(files, name, _read_header) for name in names]
    return [size for size, _ in headers], all(grey for _, grey in headers)


def _read_header(image: Image.Image) -> tuple[tuple[int, int], bool]:
    width, height = image.size
    # A PNG may have its EXIF at the end, and Pillow would decode the whole image to look for it.
    has_exif = image.format != "PNG" or "exif" in image.info
    if has_exif and image.getexif().get(ORIENTATION, 1) in SIDEWAYS:
        width, height = height, width
    return (height, width), image.mode in GREY_MODES


def common_size(where: str, names: list[str], sizes: list[tuple[int, int]], *, square: bool = False) -> tuple[int, int]:
    """The (height, width) that all images have.

    Args:
      where: a name of the images, for the message.
      names: of the images.
      sizes: of the images, as ``read_headers`` gives them.
      square: whether height and width must be equal.

    Raises:
      ValueError: sizes differ, or must be square and are not.
    """
    first_of_size: dict[tuple[int, int], str] = {}
    for size, name in zip(sizes, names):
        first_of_size.setdefault(size, name)
    if len(first_of_size) > 1 or (square and len(set(sizes[0])) > 1):
        examples = ", ".join(f"{name} is {w} x {h}" for (h, w), name in list(first_of_size.items())[:2])
        raise ValueError(f"{where}: {examples}; give the square size to make of them as `resolution`, say 64")
    return sizes[0]


def decode(files: Files, name: str, convert: Callable[[Image.Image], T]) -> T:
    """The result of ``convert`` for an image file.

    Raises:
      ValueError: the file cannot be decoded, or ``convert`` raised; the message names the file.
    """
    with _opened(files, name) as image:
        try:
            return convert(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be decoded: {error}; if it is damaged, replace or remove it"
            ) from None


@contextlib.contextmanager
def _opened(files: Files, name: str) -> Iterator[Image.Image]:
    """An image after its header has been read, and before its pixels are."""
    with files.open(name) as file:
        try:
            image = Image.open(file)
            # Pillow refuses twice as many pixels, and only warns of these. Whether it does so depends on filters of
            # warnings, which all threads share and which are therefore left alone.
            if math.prod(image.size) > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ValueError(f"{files.name}: {name} has more pixels than Pillow opens; make it smaller") from None
        except UnidentifiedImageError:
            raise ValueError(f"{files.name}: {name} is no image that Pillow knows; replace or remove it") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{files.name}: {name} cannot be opened: {error}; replace or remove it") from None
        with image:
            yield image


def crop_to_square(image: Image.Image, resolution: int | None) -> np.ndarray:
    """An image as uint8, [resolution, resolution, C]: its centred square, resized; None keeps the whole image."""
    if resolution is not None and image.size != (resolution, resolution):
        image = ImageOps.fit(image, (resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(*image.size[::-1], -1)


def convert_channels(image: Image.Image, channels: int) -> Image.Image:
    """An image of any mode as an upright one with 8 bits in each of ``channels`` channels: 1, 3 or 4.

    Of an animation the first frame is taken; a transparent image is laid over white unless alpha is among the
    channels; 16 bits are scaled to 8.

    Raises:
      ValueError: there is no image with so many channels, or pixels have a range that is not known.
    """
    image.load()
    # A PGM tells its value of white, and Pillow scales that to 16 bits.
    white_is_known = image.format == "PPM"
    image = _to_eight_bits(ImageOps.exif_transpose(image), white_is_known)
    if channels not in MODES:
        raise ValueError(f"`channels` must be 1 (grey), 3 (colour) or 4 (colour, alpha), got {channels}")
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(MODES[channels])


def _to_eight_bits(image: Image.Image, white_is_known: bool) -> Image.Image:
    """A grey image of more than 8 bits with 8 bits; Pillow's own conversion clips at 255.

    In integers 65,535 is white, in 32-bit files as well; in floats 1. One scale serves all files, because a scale by
    each file's own values would make dark pictures bright.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    low, high = values.min(), values.max()
    if image.mode == "I" and not white_is_known and 0 < high <= 255:
        raise ValueError(
            f"32-bit pixels up to {high:g}: whether 255 or 65,535 is white is not said; save it as 8 or 16 bits"
        )
    if not (low >= 0 and high <= top):
        raise ValueError(f"its pixels are from {low:g} to {high:g}, and not from 0 to {top:g}; save it as 8 or 16 bits")
    grey = Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] * 255.0 / top)
    return grey


def resize_images(images: np.ndarray, resolution: int) -> np.ndarray:
    """uint8 images [N, h, w, C] as [N, resolution, resolution, C], cropped and resized like files."""

    def resize(channel):
        return crop_to_square(Image.fromarray(channel), resolution)[..., 0]

    if images.shape[1:3] == (resolution, resolution):
        return images
    return np.stack([np.stack([resize(x[..., c]) for c in range(x.shape[-1])], -1) for x in images])
