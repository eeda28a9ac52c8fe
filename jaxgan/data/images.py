"""Read image files from a folder, or from a zip without unpacking it.

Files can have any of the formats in ``EXTENSIONS``, any size, and any colour mode that Pillow supports, such as grey or
RGB. If any image is directly in the folder, the images have no labels. Otherwise, the label of an image is the index of
its sub-folder in alphabetical order. Hidden sub-folders are skipped. The directories of training runs are skipped too,
because they contain samples of a generator.
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

# Largest uncompressed size of a zip member that is read, in bytes, as a protection against decompression bombs. Images
# that Pillow can open are smaller.
MAX_BYTES = 2**29
MAX_RECORD_BYTES = 2**20  # largest config.json that is read, in bytes; the config.json of a run is smaller
EXTENSIONS = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # the EXIF tag of the orientation; its values that swap height and width
GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's names of grey modes
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's modes by number of channels

T = TypeVar("T")


class Files(Protocol):
    """The files in a folder or in a zip.

    Attributes:
      name: the path of the folder or the zip, for messages.
    """

    name: str

    def names(self) -> list[str]:
        """Return the sorted paths of all files within the folder or zip, without hidden files and system files."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading.

        Args:
          name: the name of the file in the folder or zip file.

        Raises:
          ValueError: if the file cannot be read; the message names the file.
        """
        ...


class _Folder:
    def __init__(self, path: Path):
        self.name, self._path = str(path), path

    def names(self) -> list[str]:
        found, seen = [], set()
        for folder, below, files in os.walk(self._path, followlinks=True):
            # A link may lead back to a folder above it. If two paths lead to the same folder, only the first one is
            # followed. Folders are sorted, so that the result does not depend on the order in which the system lists
            # them.
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
            raise ValueError(
                f"{self.name}: {name} cannot be opened: {error.strerror}. Fix or remove the file."
            ) from None


class _Zip:
    def __init__(self, path: Path):
        self.name, self._path, self._of_thread = str(path), path, threading.local()
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
        except zipfile.BadZipFile as error:
            raise ValueError(
                f"{path} is not a zip file, or it is damaged: {str(error).rstrip('.')}. Create it again."
            ) from None
        for name in self._names:
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or re.match("^[A-Za-z]:", name):
                raise ValueError(
                    f"{path} cannot be used, because the path of its member {name!r} leads out of the archive. Create "
                    "the zip file again."
                )
            if "\\" in name:
                raise ValueError(
                    f"{path}: the path of the member {name!r} contains backslashes instead of slashes. Create the zip "
                    "file again with a different program."
                )

    def names(self) -> list[str]:
        return [name for name in self._names if not _hidden(name)]

    def open(self, name: str) -> BinaryIO:
        # Several threads read at the same time. Each of them opens the archive once and caches it, because opening
        # reads the complete directory of the archive.
        try:
            if not hasattr(self._of_thread, "archive"):
                self._of_thread.archive = zipfile.ZipFile(self._path)
            archive = self._of_thread.archive
            size = archive.getinfo(name).file_size
            if size > MAX_BYTES:
                raise ValueError(
                    f"{self.name}: the member {name!r} has {size:,} bytes after decompression, and images may have at "
                    f"most {MAX_BYTES:,}. Remove it."
                )
            return io.BytesIO(archive.read(name))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError) as error:
            raise ValueError(
                f"{self.name}: the member {name!r} cannot be read: {str(error).rstrip('.')}. Create the zip file again."
            ) from None


def _hidden(name: str) -> bool:
    """Return whether a file is hidden, in a hidden folder, or was added to a zip by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _is_run(folder: Path) -> bool:
    """Return whether a folder is the directory of a run."""
    file = folder / "config.json"
    try:
        if not file.is_file() or file.stat().st_size > MAX_RECORD_BYTES:
            return False
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"experiment", "config"} <= record.keys()


class ImageFiles(ShownSource):
    """A ``Source`` of image files, which are decoded on reading to uint8 [B, resolution, resolution, channels].

    Args:
      path: a folder or a zip.
      resolution: height and width in pixels. Images are cropped to a centred square and resized with antialiasing
        (Lanczos). None keeps the size of the files, which must be square and the same for all.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha). None uses 1 if all files are grey, and 3 otherwise.

    Raises:
      ValueError: if there is no image, if sizes differ and ``resolution`` is None, or if a file cannot be decoded. The
        message names the file.
    """

    def __init__(self, path: str | Path, resolution: int | None = None, channels: int | None = None):
        self._files, self._names = find_images(Path(path))
        self.name = self._files.name
        parents = [str(PurePosixPath(name).parent) for name in self._names]
        # Archives often contain a single folder with all other folders in it. Its name is not part of the names of the
        # classes.
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
        """The shape of an image, (resolution, resolution, channels)."""
        return (self._resolution, self._resolution, self._channels)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        def to_array(image: Image.Image) -> np.ndarray:
            return crop_to_square(convert_channels(image, self._channels), self._resolution)

        batch = {"image": np.stack([decode(self._files, self._names[i], to_array) for i in indices])}
        if self._labels is not None:
            batch["label"] = self._labels[indices]
        return batch


def classes_of_folders(parents: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Return the class of each file, from the names of the folders.

    Args:
      parents: the folder of each file; "." for a file without a folder.

    Returns:
      The names of the classes in alphabetical order, and the label of each file, int32 [N]. If any file has no folder,
      the files have no classes: the names are empty, and the labels are None.
    """
    if "." in parents:
        return (), None
    classes = tuple(sorted(set(parents)))
    return classes, np.array([classes.index(parent) for parent in parents], np.int32)


def is_image_store(path: Path) -> bool:
    """Return whether a path is an existing folder or zip, which may contain images."""
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def find_images(path: Path) -> tuple[Files, list[str]]:
    """Return the files of a folder or a zip, and the sorted names of the images among them.

    Args:
      path: a folder, a zip or an image file. An image file is returned as the only image of its folder.

    Raises:
      ValueError: if there is no image, or if the zip is damaged or has a member with a path outside of the zip.
    """
    if path.is_file() and path.suffix.lower() in EXTENSIONS:
        return _Folder(path.parent), [path.name]
    files: Files = _Folder(path) if path.is_dir() else _Zip(path)
    all_names = files.names()
    names = [name for name in all_names if PurePosixPath(name).suffix.lower() in EXTENSIONS]
    if not names:
        formats = ", ".join(sorted(extension[1:] for extension in EXTENSIONS))
        raise ValueError(
            f"{files.name} contains no images (other files: {len(all_names)}). Images must be directly in it, or in "
            f"one sub-folder for each class, with one of these extensions: {formats}."
        )
    return files, names


def read_headers(files: Files, names: list[str]) -> tuple[list[tuple[int, int]], bool]:
    """Read the headers of images without decoding their pixels.

    Args:
      files: the folder or zip file.
      names: the names of the images.

    Returns:
      The (height, width) of each image in pixels, after rotation according to EXIF, and whether all images are grey.
    """
    headers = [decode(files, name, _read_header) for name in names]
    return [size for size, _ in headers], all(grey for _, grey in headers)


def _read_header(image: Image.Image) -> tuple[tuple[int, int], bool]:
    width, height = image.size
    # In a PNG, EXIF may be stored after the pixels. Pillow would decode the complete image to look for EXIF data.
    has_exif = image.format != "PNG" or "exif" in image.info
    if has_exif and image.getexif().get(ORIENTATION, 1) in SIDEWAYS:
        width, height = height, width
    return (height, width), image.mode in GREY_MODES


def common_size(where: str, names: list[str], sizes: list[tuple[int, int]], *, square: bool = False) -> tuple[int, int]:
    """Return the common (height, width) of all images.

    Args:
      where: the name of the folder or zip, for messages.
      names: the names of the images.
      sizes: the (height, width) of each image, as ``read_headers`` returns them.
      square: whether height and width must be equal.

    Raises:
      ValueError: if the sizes differ, or if ``square`` is True and the images are not square.
    """
    first_of_size: dict[tuple[int, int], str] = {}
    for size, name in zip(sizes, names):
        first_of_size.setdefault(size, name)
    if len(first_of_size) > 1 or (square and len(set(sizes[0])) > 1):
        examples = " and ".join(f"{name} is {w} x {h}" for (h, w), name in list(first_of_size.items())[:2])
        required = "must be square and have the same size" if square else "must have the same size"
        raise ValueError(
            f"{where}: all images {required}, but {examples}. Set `resolution`, for example to 64, to crop them to "
            "squares and resize them."
        )
    return sizes[0]


def decode(files: Files, name: str, convert: Callable[[Image.Image], T]) -> T:
    """Open an image file and return the result of ``convert`` for it.

    Args:
      files: the folder or zip file.
      name: the name of the image.
      convert: a function of the opened image.

    Raises:
      ValueError: if the file cannot be opened or decoded, or if ``convert`` raises an error. The message names the
        file.
    """
    with _opened(files, name) as image:
        try:
            return convert(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be decoded: {str(error).rstrip('.')}. If the file is damaged, replace or "
                "remove it."
            ) from None


@contextlib.contextmanager
def _opened(files: Files, name: str) -> Iterator[Image.Image]:
    """Open an image and read its header, but not yet its pixels."""
    with files.open(name) as file:
        try:
            image = Image.open(file)
            # Pillow only warns of images of more than MAX_IMAGE_PIXELS pixels, and raises an error for images of more
            # than twice this number. An error is raised here in both cases. It is raised explicitly, because a filter
            # that turns the warning into an error would apply to all threads.
            if math.prod(image.size) > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ValueError(
                f"{files.name}: {name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, the limit of Pillow. Reduce "
                "its size."
            ) from None
        except UnidentifiedImageError:
            raise ValueError(
                f"{files.name}: {name} is not an image, or its format is not supported. Replace or remove the file."
            ) from None
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be opened: {str(error).rstrip('.')}. Replace or remove the file."
            ) from None
        with image:
            yield image


def crop_to_square(image: Image.Image, resolution: int | None) -> np.ndarray:
    """Crop an image to a centred square and resize it.

    Args:
      image: an image of 8 bits per channel.
      resolution: height and width of the result in pixels; None returns the complete image at its own size.

    Returns:
      uint8 [resolution, resolution, C], or [H, W, C] if ``resolution`` is None.
    """
    if resolution is not None and image.size != (resolution, resolution):
        image = ImageOps.fit(image, (resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(*image.size[::-1], -1)


def convert_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert an image of any mode to 8 bits per channel, and rotate it according to its EXIF orientation.

    The first frame of an animation is used. A transparent image is blended with white unless ``channels`` is 4. 16-bit
    values are scaled to 8 bits.

    Args:
      image: an opened image.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha).

    Raises:
      ValueError: if ``channels`` is another number, or if the range of the pixel values is not known.
    """
    image.load()
    # A PGM file declares the value of white. Pillow scales the pixels so that this value becomes 65,535.
    white_is_known = image.format == "PPM"
    image = _to_eight_bits(ImageOps.exif_transpose(image), white_is_known)
    if channels not in MODES:
        raise ValueError(f"`channels` must be 1 (grey), 3 (colour) or 4 (colour with alpha), got {channels}.")
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(MODES[channels])


def _to_eight_bits(image: Image.Image, white_is_known: bool) -> Image.Image:
    """Convert a grey image of more than 8 bits to 8 bits; return other images unchanged.

    Pillow's own conversion would clip values at 255. The value of white is assumed to be 65,535 for integers, even if
    they have 32 bits, and 1 for floats. All files are scaled equally, because scaling each file by its own maximum
    would brighten dark images.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    low, high = values.min(), values.max()
    if image.mode == "I" and not white_is_known and 0 < high <= 255:
        raise ValueError(
            f"The pixels are 32-bit integers up to {high:g}, and the file does not declare whether 255 or 65,535 is "
            "white. Save the image with 8 or 16 bits."
        )
    if not (low >= 0 and high <= top):
        raise ValueError(
            f"Pixel values must be from 0 to {top:g}, got {low:g} to {high:g}. Save the image with 8 or 16 bits."
        )
    grey = Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] * 255.0 / top)
    return grey


def resize_images(images: np.ndarray, resolution: int) -> np.ndarray:
    """Crop and resize uint8 images [N, h, w, C] to [N, resolution, resolution, C], as ``crop_to_square`` does.

    Args:
      images: images, uint8 [N, h, w, C].
      resolution: the height and width of the result in pixels.
    """

    def resize(channel):
        return crop_to_square(Image.fromarray(channel), resolution)[..., 0]

    if images.shape[1:3] == (resolution, resolution):
        return images
    return np.stack([np.stack([resize(x[..., c]) for c in range(x.shape[-1])], -1) for x in images])
