"""Files that a user asked for, and files that are replaced as a whole."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def writing_out(path: Path, argument: str = "out") -> Iterator[None]:
    """Make the folders of an output file, and say which file it is when writing fails.

    Args:
      path: the file or folder, which the body of the ``with`` statement writes.
      argument: the name of the argument that names it, for the message.

    Raises:
      OSError: the body, or making the folders, raised one; the message names ``path``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(f"`{argument}` {path} cannot be written: {error.strerror or error}") from error


def write_atomically(path: Path, text: str) -> None:
    """Write text, UTF-8, so that a reader or a killed process finds the old file or the new one, and no part of one.

    Raises:
      OSError: the file, or ``path`` with ``.new`` at its end, which is written first, cannot be written.
    """
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
