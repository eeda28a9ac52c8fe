"""List the files of a folder, or of a zip without unpacking it, and derive classes from the names of sub-folders.

Hidden files and folders are skipped. The directories of training runs are skipped too, because they contain samples of
a generator.
"""

import collections
import contextlib
import io
import lzma
import os
import re
import threading
import warnings
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

import numpy as np

from jaxgan.core.classes import natural_order
from jaxgan.core.json_files import JsonError, read_json
from jaxgan.data.image_formats import image_suffixes, is_recognized, plugin_for

# Largest uncompressed size of a zip member that is read, in bytes, as a protection against decompression bombs. Images
# that Pillow can open are smaller.
MAX_BYTES = 2**29
MAX_RECORD_BYTES = 2**20  # largest config.json that is read, in bytes; the config.json of a run is smaller
KINDS = 5  # maximum number of kinds of files that the warning about left out files lists


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
    try:
        read_json(folder / "config.json", {"experiment": str, "config": dict}, limit=MAX_RECORD_BYTES)
    except (FileNotFoundError, JsonError):
        return False
    return True


def is_image_store(path: Path) -> bool:
    """Return whether a path is an existing folder or zip, which may contain images."""
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def find_images(path: Path) -> tuple[Files, list[str]]:
    """Return the files of a folder or a zip, and the sorted names of the images among them.

    Args:
      path: a folder, a zip or an image file. An image file is returned as the only image of its folder.

    Warns:
      UserWarning: if files are left out, because they are not images.

    Raises:
      ValueError: if there is no image, or if the zip is damaged or has a member with a path outside of the zip.
    """
    if path.is_file() and not _is_zip(path):
        return _Folder(path.parent), [path.name]
    files: Files = _Folder(path) if path.is_dir() else _Zip(path)
    suffixes = image_suffixes()
    images, others = [], []
    for name in files.names():
        (images if _is_image(files, name, suffixes) else others).append(name)
    if not images:
        found = f" (other files: {_count_kinds(others)})" if others else ""
        raise ValueError(
            f"{files.name} contains no images{found}. Images must be directly in it, or in one sub-folder for each "
            "class, as .jpg, .png, .webp, .tif or in another format that Pillow can decode."
        )
    if others:
        noun = "1 file that is not an image" if len(others) == 1 else f"{len(others):,} files that are not images"
        warnings.warn(f"{files.name}: left out {noun}: {_count_kinds(others)}.", stacklevel=3)
    return files, images


def _is_zip(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix == ".zip" or (suffix not in image_suffixes() and zipfile.is_zipfile(path))


def _is_image(files: Files, name: str, suffixes: frozenset[str]) -> bool:
    """Return whether a file is taken for an image: by its suffix, or by its first bytes if it has no suffix."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix:
        return suffix in suffixes
    with contextlib.suppress(ValueError), files.open(name) as file:
        return is_recognized(file)
    return False


def _count_kinds(names: list[str]) -> str:
    """Return the numbers of files of each kind, beginning with the most frequent kind.

    >>> _count_kinds(["a.txt", "b.json", "c.txt"])
    '2 .txt, 1 .json'
    """
    kinds = collections.Counter(PurePosixPath(name).suffix.lower() for name in names).most_common()
    shown = [f"{count:,} {kind or 'without a suffix'}{_remedy(kind)}" for kind, count in kinds[:KINDS]]
    if len(kinds) > KINDS:
        shown.append(f"{sum(count for _, count in kinds[KINDS:]):,} others")
    return ", ".join(shown)


def _remedy(suffix: str) -> str:
    package = plugin_for(suffix)
    return f" (install {package} to read them)" if package else ""


def classes_of_folders(parents: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Return the class of each file, from the names of the folders.

    Args:
      parents: the folder of each file; "." for a file without a folder.

    Returns:
      The names of the classes in alphabetical order, in which digits are compared as numbers, and the label of each
      file, int32 [N]. If any file has no folder, the files have no classes: the names are empty, and the labels are
      None.
    """
    if "." in parents:
        return (), None
    classes = tuple(natural_order(set(parents)))
    index = {name: i for i, name in enumerate(classes)}
    return classes, np.array([index[parent] for parent in parents], np.int32)
