"""Write output files with clear error messages, replace files atomically, and read files of limited size."""

import contextlib
import errno
import io
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk, an exceeded quota, an exceeded limit of the file


@contextlib.contextmanager
def writing_out(path: Path, argument: str = "out") -> Iterator[None]:
    """Create the parent folders of an output file, and name the file in the error message if writing fails.

    Args:
      path: the file or folder that the body of the ``with`` statement writes.
      argument: the name of the user's argument that contains the path, for the error message.

    Raises:
      OSError: if the parent folders cannot be created, or the body of the ``with`` statement raises an OSError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = str(error.strerror or error).rstrip(".")
        raise OSError(f"`{argument}` {path} cannot be written: {reason}.") from error


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the path of a file to the message of an ``OSError`` that the body of the ``with`` statement raises.

    Args:
      path: the file that the body writes.
    """
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {reason_of(error)}.") from error


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message without its number and without a full stop at the end.

    >>> reason_of(OSError(28, "No space left on device"))
    'No space left on device'

    Args:
      error: the error.
    """
    message = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return message.split("\n")[0].rstrip(".")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces the file at ``path`` at the end of the ``with`` statement, unless its body raises.

    So the file at ``path`` is never half written. The new file has the name of the old one with the suffix ``.new``
    added, and is in the same folder. If ``path`` is a link, the file that it leads to is replaced. A device, such as
    ``/dev/null``, is not replaced but written to.

    Args:
      path: the file to replace; it need not exist.

    Raises:
      OSError: if one of the two files cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("wb") as file:
            yield file
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write text as UTF-8 and replace the file at ``path`` atomically, see ``replacing``.

    Other processes read either the complete old file or the complete new file, even if this process is killed while it
    writes.

    Args:
      path: the file to write or replace. Its folder must exist.
      text: the complete new content of the file.

    Raises:
      OSError: if one of the two files cannot be written.
    """
    with naming(path), replacing(path) as file:
        file.write(text.encode())


def is_same_file(file: IO, path: Path) -> bool:
    """Return whether an open file is still the file at a path, which another process may have moved or replaced.

    Args:
      file: the open file.
      path: the path that the file was opened with.
    """
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def check_is_text(path: Path) -> None:
    """Check that the path of a run is text that every library accepts, and not bytes of another encoding.

    Args:
      path: the directory of the run.

    Raises:
      ValueError: if the absolute path contains bytes that are not UTF-8, or if the environment does not decode UTF-8.
    """
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"The path of `run_dir` {path} is not text in UTF-8, which the checkpoints require. Choose another "
            "directory. If the terminal shows the name correctly, set the environment variable PYTHONUTF8=1."
        ) from None


def move_aside(path: Path, folder: Path, *, copy: bool = False) -> Path:
    """Move a file or a directory to another folder without replacing anything, and return its new path.

    Args:
      path: the file or the directory.
      folder: the folder, which is created if it is missing. If it contains the name already, a number is appended.
      copy: whether to copy a file instead of moving it.

    Raises:
      OSError: if the folder cannot be written.
    """
    folder.mkdir(exist_ok=True)
    names = itertools.chain([path.name], (f"{path.name}.{i}" for i in itertools.count(1)))
    free = next(folder / name for name in names if not (folder / name).exists())
    if copy:
        shutil.copy2(path, free)
    else:
        shutil.move(path, free)
    return free


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a regular file for reading.

    Devices and named pipes are refused, because they may be endless or block the process.

    Args:
      path: the file.

    Raises:
      ValueError: if the path is a device, a named pipe or a socket.
      OSError: if the file does not exist or cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{path} is not a regular file.")
    return open(path, "rb")  # a folder raises an OSError


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of a regular file, after a check of its size.

    Args:
      path: the file.
      limit: maximum size in bytes.

    Raises:
      FileNotFoundError: if the file does not exist.
      OSError: if the file cannot be read.
      ValueError: if the path is a device, a named pipe or a socket, or if the file is too large.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ValueError(f"{path} has {size:,} bytes, but at most {limit:,} are allowed.")
            return file.read(limit)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}.") from error
