"""List the files of a folder, or of a zip without unpacking it.

Hidden files and folders are skipped, and files that operating systems and network drives put beside images. The
directories of training runs are skipped too, because they contain samples of a generator.
"""

import collections
import contextlib
import functools
import io
import os
import re
import shlex
import threading
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

from jaxgan.core.classes import natural_order
from jaxgan.core.files import open_regular, reason_of
from jaxgan.core.json_files import JsonError, read_json
from jaxgan.core.text import list_names
from jaxgan.core.zip_files import DAMAGE, FREE_BYTES, check_sizes
from jaxgan.data.image_formats import image_suffixes, is_recognized, plugin_for
from jaxgan.data.system_files import is_system_name

MAX_RECORD_BYTES = 2**20  # largest config.json that is read, in bytes; the config.json of a run is smaller
MAX_DEPTH = 100  # maximum number of folders inside each other
LABEL_FILE = "dataset.json"  # the file with the labels of StyleGAN's data sets, see ``jaxgan.data.dataset_json``
KINDS = 5  # maximum number of kinds of files, and of names of each kind, in the warning about what is left out


class Listing(NamedTuple):
    """The content of a folder or zip. Paths are relative to it.

    Attributes:
      names: the sorted paths of the files.
      folders: the paths of the folders, with "." for the folder itself.
      skipped: the paths that are left out: hidden files and folders, files of operating systems, and the directories of
        runs. The paths of folders end with a slash. Their content is not listed.
    """

    names: list[str]
    folders: list[str]
    skipped: list[str]


class Files(Protocol):
    """The files in a folder or in a zip.

    Attributes:
      name: the path of the folder or the zip, for messages.
    """

    name: str

    def listing(self) -> Listing:
        """Return the paths of all files and folders within the folder or zip."""
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

    def listing(self) -> Listing:
        return self._listing

    @functools.cached_property
    def _listing(self) -> Listing:
        listing, seen, pending = Listing([], [], []), set(), [PurePosixPath()]
        while pending:
            place = pending.pop()
            # A link may lead back to a folder above it. If two paths lead to the same folder, only the first one is
            # followed. Folders are sorted, so that the result does not depend on the order in which the system lists
            # them.
            if (real := os.path.realpath(self._path / place)) in seen:
                continue
            seen.add(real)
            if len(place.parts) > MAX_DEPTH:
                raise ValueError(
                    f"{self.name} has more than {MAX_DEPTH} folders inside each other, such as {str(place)[:80]}... "
                    "Move the images to fewer folders."
                )
            listing.folders.append(place.as_posix())
            below = []
            for entry in self._entries(place):
                path, is_folder = place / entry.name, _is_folder(entry)
                if is_system_name(entry.name) or (is_folder and _is_run(self._path / path)):
                    listing.skipped.append(f"{path.as_posix()}/" if is_folder else path.as_posix())
                elif is_folder:
                    below.append(path)
                else:
                    listing.names.append(path.as_posix())
            pending += sorted(below, reverse=True)
        listing.names.sort()
        return listing

    def _entries(self, place: PurePosixPath) -> list[os.DirEntry]:
        try:
            with os.scandir(self._path / place) as entries:
                return list(entries)
        except OSError as error:
            folder = self.name if place == PurePosixPath() else f"{self.name}: the folder {place}"
            raise ValueError(f"{folder} cannot be listed: {error.strerror}. Fix or remove it.") from None

    def open(self, name: str) -> BinaryIO:
        try:
            return open_regular(self._path / name)
        except ValueError:
            raise ValueError(f"{self.name}: {name} is not a regular file. Remove it.") from None
        except OSError as error:
            raise ValueError(
                f"{self.name}: {name} cannot be opened: {error.strerror}. Fix or remove the file."
            ) from None


class _Zip:
    def __init__(self, path: Path):
        self.name, self._path, self._of_thread = str(path), path, threading.local()
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = sorted({i.filename for i in archive.infolist()})
        except DAMAGE as error:
            raise ValueError(
                f"{path} is not a zip file, or it is damaged: {reason_of(error)}. Create it again."
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

    def listing(self) -> Listing:
        return self._listing

    @functools.cached_property
    def _listing(self) -> Listing:
        listing, skipped, folders = Listing([], [], []), set(), set()
        for name in self._names:
            place = PurePosixPath(name)
            for depth, part in enumerate(place.parts, 1):
                if is_system_name(part):
                    is_file = depth == len(place.parts) and not name.endswith("/")
                    skipped.add("/".join(place.parts[:depth]) + ("" if is_file else "/"))
                    break
            else:
                folders.update(parent.as_posix() for parent in place.parents)
                if name.endswith("/"):
                    folders.add(place.as_posix())
                else:
                    listing.names.append(name)
        listing.folders.extend(sorted(folders))
        listing.skipped.extend(sorted(skipped))
        return listing

    def open(self, name: str) -> BinaryIO:
        # Several threads read at the same time. Each of them opens the archive once and caches it, because opening
        # reads the complete directory of the archive.
        try:
            if not hasattr(self._of_thread, "archive"):
                self._of_thread.archive = zipfile.ZipFile(self._path)
            archive = self._of_thread.archive
            member = archive.getinfo(name)
            if member.file_size > FREE_BYTES:  # an image of usual size is read without asking for the available memory
                check_sizes([member])
            return io.BytesIO(archive.read(name))
        except DAMAGE as error:
            raise ValueError(
                f"{self.name}: the member {name!r} cannot be read: {reason_of(error)}. Create the zip file again."
            ) from None
        except ValueError as error:
            raise ValueError(f"{self.name}: the member {name!r} cannot be read: {error}") from None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _is_run(folder: Path) -> bool:
    """Return whether a folder is the directory of a run."""
    try:
        read_json(folder / "config.json", {"experiment": str, "config": dict}, limit=MAX_RECORD_BYTES)
    except (FileNotFoundError, JsonError):
        return False
    return True


def check_is_no_run(path: Path) -> None:
    """Raise a ``ValueError`` if a path is the directory of a run or its folder of sample grids.

    Args:
      path: the path of a data set.
    """
    run = path.parent if path.name == "samples" else path
    if path.is_dir() and _is_run(run):
        raise ValueError(
            f"{path} belongs to the run {run}, and its images are sample grids with many samples each, not samples. To "
            f"use the samples, run `jaxgan sample {shlex.quote(str(run))} --count 10000 --out samples.npz` and pass "
            "samples.npz."
        )


def is_image_store(path: Path) -> bool:
    """Return whether a path is an existing folder or zip, which may contain images."""
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def list_files(path: Path) -> Files:
    """Return the files of a folder or a zip.

    Args:
      path: the folder or zip.

    Raises:
      ValueError: if the zip is damaged or has a member with a path outside of the zip.
    """
    return _Folder(path) if path.is_dir() else _Zip(path)


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
    files = list_files(path)
    suffixes = image_suffixes()
    images, others = [], []
    for name in files.listing().names:
        if _is_image(files, name, suffixes):
            images.append(name)
        elif PurePosixPath(name).name != LABEL_FILE:
            others.append(name)
    if not images:
        found = f" (other files: {_count_kinds(others)})" if others else ""
        skipped = _list_skipped_folders(files.listing())
        found += f", besides {skipped}" if skipped else ""
        raise ValueError(
            f"{files.name} contains no images{found}. Images must be directly in it, or in one sub-folder for each "
            "class, as .jpg, .png, .webp, .tif or in another format that Pillow can decode."
        )
    left_out = _describe_left_out(files.listing(), images, others)
    if left_out:
        warnings.warn(f"{files.name}: left out {left_out}.", stacklevel=3)
    return files, images


def _describe_left_out(listing: Listing, images: list[str], others: list[str]) -> str:
    """Return the files and folders that are left out; "" if there are none.

    Files without images that every operating system creates, such as ``.DS_Store``, are not mentioned. A folder without
    images is mentioned if it could be a class, because folders beside it contain images.

    Args:
      listing: the content of the folder or zip.
      images: the images in it.
      others: the files that are not images.
    """
    parts = []
    if others:
        noun = "1 file that is not an image" if len(others) == 1 else f"{len(others):,} files that are not images"
        parts.append(f"{noun}: {_count_kinds(others)}")
    skipped_folders = _list_skipped_folders(listing)
    if skipped_folders:
        parts.append(skipped_folders)
    suffixes = image_suffixes()
    hidden = [name for name in listing.skipped if PurePosixPath(name).suffix.lower() in suffixes]
    if hidden:
        parts.append(f"hidden images: {len(hidden):,} ({list_names(hidden, KINDS)})")
    with_images = {parent for name in images for parent in PurePosixPath(name).parents}
    with_classes = {folder.parent for folder in with_images if folder.parts}
    folders = map(PurePosixPath, listing.folders)
    empty = [str(place) for place in folders if place not in with_images and place.parent in with_classes]
    if empty:
        parts.append(f"folders without images: {list_names(natural_order(empty), KINDS)}")
    return "; ".join(parts)


def _list_skipped_folders(listing: Listing) -> str:
    """Return the names of the folders that are left out, with the reasons; "" if there are none."""
    names = natural_order({PurePosixPath(name).name for name in listing.skipped if name.endswith("/")})
    return f"folders that are hidden, runs, or of the system: {list_names(names, KINDS)}" if names else ""


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
