"""Image files: a folder, or a zip read in place, of any format that Pillow knows, any size, any mode.

Files directly in the folder have no labels; files in sub-folders have the sub-folder for their class,
numbered in alphabetical order.
"""

import contextlib
import io
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

# A member of a zip may unpack to anything; no image that Pillow opens needs as much as this.
MOST_BYTES = 2**29
EXTENSIONS = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # of EXIF: its tag, and those of its values that swap height and width

T = TypeVar("T")


class Files(Protocol):
    """A folder's, or a zip's."""

    name: str

    def names(self) -> list[str]: ...

    def open(self, name: str) -> BinaryIO: ...


class _Folder:
    def __init__(self, path: Path):
        self.name, self._path = str(path), path

    def names(self) -> list[str]:
        found, seen = [], set()
        for folder, below, files in os.walk(self._path, followlinks=True):
            # A link may lead back to a folder above it. Sorted, so that of two names for one folder it is always
            # the same that counts.
            if (real := os.path.realpath(folder)) in seen:
                below.clear()
                continue
            seen.add(real)
            below[:] = sorted(name for name in below if not _hidden(name))
            found += [Path(folder, file).relative_to(self._path).as_posix() for file in files]
        return sorted(name for name in found if not _hidden(name))

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._path / name).open("rb")
        except OSError as error:
            raise ValueError(f"{self.name}: {name} cannot be opened: {error.strerror}; mend or remove it") from None


class _Zip:
    def __init__(self, path: Path):
        self.name, self._path, self._own = str(path), path, threading.local()
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
        # Threads read at once: each opens the archive for itself, once, as opening reads the whole directory.
        try:
            if not hasattr(self._own, "archive"):
                self._own.archive = zipfile.ZipFile(self._path)
            size = self._own.archive.getinfo(name).file_size
            if size > MOST_BYTES:
                raise ValueError(f"{self.name}: its member {name!r} unpacks to {size:,} bytes; that is no image")
            return io.BytesIO(self._own.archive.read(name))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError) as error:
            raise ValueError(f"{self.name}: its member {name!r} cannot be read: {error}") from None


def _hidden(name: str) -> bool:
    """Whether a system's file, not a user's: one in a hidden folder, or with what macOS adds to a zip."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


class ImageFiles:
    """A ``Source`` of image files, decoded when they are read: uint8, [B, size, size, channels].

    Args:
      path: a folder or a zip.
      size: images are cropped to a centred square and resized to it, antialiased (Lanczos); None takes
        the files' own size, which must then be one and the same.
      channels: 1 for grey, 3 for colour, 4 for colour with alpha; None takes 1 if every file is grey, else 3.

    Raises:
      ValueError: there is no image, sizes differ and none is asked for, or a file cannot be decoded; it
        names the file.
    """

    def __init__(self, path: str | Path, size: int | None = None, channels: int | None = None):
        self._files, self._names = image_files(Path(path))
        self.name = self._files.name
        parents = [str(PurePosixPath(name).parent) for name in self._names]
        # A folder around everything, as archives have one, is no part of a class's name.
        around = os.path.commonpath(parents)
        parents = [os.path.relpath(parent, around) for parent in parents]
        self.classes = tuple(sorted(set(parents))) if "." not in parents else ()
        self._labels = np.array([self.classes.index(p) for p in parents], np.int32) if self.classes else None
        if size is None or channels is None:
            sizes, grey = surveyed(self._files, self._names)
            if size is None:
                size = common(self.name, self._names, sizes, square=True)[0]
            channels = (1 if grey else 3) if channels is None else channels
        self._size, self._channels = size, channels

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._size, self._size, self._channels)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        make = lambda image: fitted(image, self._size, self._channels)  # noqa: E731
        batch = {"image": np.stack([decoded(self._files, self._names[i], make) for i in indices])}
        return batch if self._labels is None else {**batch, "label": self._labels[indices]}


def image_files(path: Path) -> tuple[Files, list[str]]:
    """A folder, or a zip, and the names of the images in it, sorted; of an image its folder, and its name alone.

    Raises:
      ValueError: there is none, or a zip is damaged or leads out of itself.
    """
    if path.is_file() and path.suffix.lower() in EXTENSIONS:
        return _Folder(path.parent), [path.name]
    files: Files = _Folder(path) if path.is_dir() else _Zip(path)
    every = files.names()
    names = [name for name in every if PurePosixPath(name).suffix.lower() in EXTENSIONS]
    if not names:
        raise ValueError(
            f"{files.name}: no image in it ({len(every)} other files); it may hold files or class "
            f"sub-folders of {', '.join(sorted(e[1:] for e in EXTENSIONS))}"
        )
    return files, names


def surveyed(files: Files, names: list[str]) -> tuple[list[tuple[int, int]], bool]:
    """Each image's (height, width), upright, and whether all are grey; from the headers alone."""
    sizes, grey = [], True
    for name in names:
        size, is_grey = decoded(files, name, _looked_at)
        sizes.append(size)
        grey = grey and is_grey
    return sizes, grey


def _looked_at(image: Image.Image) -> tuple[tuple[int, int], bool]:
    width, height = image.size
    # Of a PNG whose EXIF comes last, Pillow would decode everything to look for it.
    says = image.format != "PNG" or "exif" in image.info
    turned = says and image.getexif().get(ORIENTATION, 1) in SIDEWAYS
    grey = image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
    return (width, height) if turned else (height, width), grey


def common(where: str, names: list[str], sizes: list[tuple[int, int]], *, square: bool = False) -> tuple[int, int]:
    """The one (height, width) of all images.

    Raises:
      ValueError: they differ, or are not square and have to be.
    """
    found: dict[tuple[int, int], str] = {}
    for size, name in zip(sizes, names):
        found.setdefault(size, name)
    if len(found) > 1 or (square and len(set(sizes[0])) > 1):
        some = ", ".join(f"{name} is {w} x {h}" for (h, w), name in list(found.items())[:2])
        raise ValueError(f"{where}: {some}; say which square size to make of them: --resolution 64")
    return sizes[0]


def decoded(files: Files, name: str, make: Callable[[Image.Image], T]) -> T:
    """What ``make`` makes of an image; what is wrong with the file is told by its name."""
    with _opened(files, name) as image:
        try:
            return make(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be decoded: {error}; if it is damaged, replace or remove it"
            ) from None


@contextlib.contextmanager
def _opened(files: Files, name: str) -> Iterator[Image.Image]:
    """An image whose header has been read, and no more."""
    with files.open(name) as file:
        try:
            image = Image.open(file)
            # Pillow refuses twice as many, and warns of these. Filters of warnings belong to no thread: not set here.
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


def fitted(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """An image of any mode as uint8, [size, size, channels]: its centred square, resized; see ``converted``."""
    return cropped(converted(image, channels), size)


def cropped(image: Image.Image, size: int | None) -> np.ndarray:
    """An image as uint8, [size, size, channels]: its centred square, resized; None takes all of it as it is."""
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(*image.size[::-1], -1)


def converted(image: Image.Image, channels: int) -> Image.Image:
    """An image of any mode as one of 8 bits and so many channels.

    The first frame of an animation; turned upright as its EXIF says; a transparent one over white, if
    alpha is not asked for; 16 bits scaled down to 8.
    """
    image.load()
    # PGM says which value is white, and Pillow scales it to 16 bits.
    says_white = image.format == "PPM"
    image = _eight_bits(ImageOps.exif_transpose(image), says_white)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise ValueError(f"channels {channels}: an image has 1 (grey), 3 (colour) or 4 (colour, alpha)")
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _eight_bits(image: Image.Image, says_white: bool) -> Image.Image:
    """Grey of more bits as 8. Pillow's own conversion clips at 255.

    Integers are 16 bits, 65,535 is white, in a 32-bit file as well; floats are from 0 to 1: one scale for all
    files, because a scale by each file's own values would make a dark picture bright.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    low, high = values.min(), values.max()
    if image.mode == "I" and not says_white and 0 < high <= 255:
        raise ValueError(
            f"32-bit pixels up to {high:g}: whether 255 or 65,535 is white is not said; save it as 8 or 16 bits"
        )
    if not (low >= 0 and high <= top):
        raise ValueError(f"its pixels are from {low:g} to {high:g}, and not from 0 to {top:g}; save it as 8 or 16 bits")
    grey = Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] * 255.0 / top)
    return grey


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 images [N, h, w, C] to [N, size, size, C], cropped and resized like files."""

    def channel(plane):
        return np.asarray(ImageOps.fit(Image.fromarray(plane), (size, size), Image.Resampling.LANCZOS))

    if images.shape[1:3] == (size, size):
        return images
    return np.stack([np.stack([channel(x[..., c]) for c in range(x.shape[-1])], -1) for x in images])
