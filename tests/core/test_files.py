"""Tests of writing output files, and of replacing files atomically."""

import os
from pathlib import Path

import pytest

from jaxgan import interop
from jaxgan.core import array_archives
from jaxgan.core.files import write_atomically, writing_out


def test_the_folders_of_an_output_file_are_created(tmp_path):
    path = tmp_path / "a" / "b" / "out.txt"
    with writing_out(path):
        path.write_text("there")
    assert path.read_text() == "there"


def test_the_error_about_an_output_file_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "out.txt"
    with (
        pytest.raises(OSError, match=r"`out` .*out\.txt cannot be written: File exists|Not a directory"),
        writing_out(path),
    ):
        pass
    with pytest.raises(OSError, match=r"`out` .* cannot be written: Is a directory\.$"), writing_out(tmp_path):
        tmp_path.write_text("")


def test_other_errors_are_not_changed(tmp_path):
    with pytest.raises(ValueError, match=r"^mine$"), writing_out(tmp_path / "out.txt"):
        raise ValueError("mine")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    write_atomically(path, "old ä")
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_bytes() == "old ä".encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders.")
def test_devices_and_named_pipes_are_not_opened(tmp_path):
    """Reading them would block the process or never end."""
    os.mkfifo(tmp_path / "pipe.npz")
    readers = (array_archives.read_npz, array_archives.map_npy, interop.read_torch, interop.read_safetensors)
    for path in (tmp_path / "pipe.npz", Path("/dev/zero")):
        for read in readers:
            with pytest.raises(ValueError, match=f"{path} is not a regular file"):
                read(path)
