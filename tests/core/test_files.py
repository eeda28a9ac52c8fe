"""Tests of writing, replacing and moving files, and of reading files of limited size."""

import os
from pathlib import Path

import pytest

from jaxgan import interop
from jaxgan.core import array_archives
from jaxgan.core.files import (
    check_is_text,
    is_same_file,
    move_aside,
    naming,
    open_regular,
    read_limited,
    replacing,
    write_atomically,
    writing_out,
)


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


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("text, not bytes")  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders, and restricts links.")
def test_links_and_devices_are_written_to_and_not_replaced(tmp_path):
    """A file that replaces /dev/null would break all programs of the machine."""
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    link.symlink_to(target)
    write_atomically(link, "text")
    assert link.is_symlink() and target.read_text() == "text"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, "text")
    assert os.read(reader, 10) == b"text" and pipe.is_fifo()
    os.close(reader)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders.")
def test_devices_and_named_pipes_are_not_opened(tmp_path):
    """Reading them would block the process or never end."""
    os.mkfifo(tmp_path / "pipe.npz")
    readers = (array_archives.read_npz, array_archives.map_npy, interop.read_torch, interop.read_safetensors)
    for path in (tmp_path / "pipe.npz", Path("/dev/zero")):
        for read in (*readers, open_regular):
            with pytest.raises(ValueError, match=f"{path} is not a regular file"):
                read(path)


def test_an_error_gets_the_name_of_the_file_that_is_written(tmp_path):
    path = tmp_path / "none" / "a.jsonl"
    with pytest.raises(OSError, match=rf"^{path} cannot be written: No such file or directory\.$"), naming(path):
        path.write_text("")
    with pytest.raises(OSError, match=r"a\.jsonl cannot be written: disk quota\.$"), naming(path):
        raise OSError("disk quota.\nmore lines")


def test_a_file_that_was_moved_or_replaced_is_not_the_same_file(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("w") as file:
        assert is_same_file(file, path)
        path.rename(tmp_path / "b.txt")
        assert not is_same_file(file, path) and is_same_file(file, tmp_path / "b.txt")
        path.write_text("")
        assert not is_same_file(file, path)


def test_paths_that_are_not_utf8_are_refused(tmp_path):
    check_is_text(tmp_path / "\u732b")
    for name in (b"caf\xe9", b"caf\xe9/run"):
        with pytest.raises(ValueError, match=r"`run_dir` .* is not text in UTF-8.* Choose another directory"):
            check_is_text(tmp_path / os.fsdecode(name))


def test_nothing_is_replaced_when_files_are_moved_aside(tmp_path):
    moved = []
    for content in "abc":
        path = tmp_path / "5"
        path.write_text(content)
        moved.append(move_aside(path, tmp_path / "damaged", copy=content == "c"))
        assert path.exists() == (content == "c")
    assert [path.relative_to(tmp_path).as_posix() for path in moved] == ["damaged/5", "damaged/5.1", "damaged/5.2"]
    assert [path.read_text() for path in moved] == ["a", "b", "c"]


def test_only_regular_files_up_to_a_limit_are_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"12345")
    assert read_limited(path, 5) == b"12345"
    with pytest.raises(ValueError, match=r"a\.json has 5 bytes, but at most 4 are allowed\.$"):
        read_limited(path, 4)
    with pytest.raises(OSError, match=r"cannot be read: .*\.$"):
        read_limited(tmp_path, 5)
    with pytest.raises(FileNotFoundError):
        read_limited(tmp_path / "none", 5)
    with pytest.raises(OSError, match=r"a\.json/b cannot be read: Not a directory\.$"):
        read_limited(path / "b", 5)
