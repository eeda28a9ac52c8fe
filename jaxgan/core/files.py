"""Files that are written whole, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def to_out(path: Path) -> Iterator[None]:
    """Within, ``--out`` is written: its folders are made, and an ``OSError`` says that it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(f"--out {path} cannot be written: {error.strerror or error}") from error


def write_atomically(path: Path, text: str) -> None:
    """So that a reader, or a run that is killed, finds the old file or the new one."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
