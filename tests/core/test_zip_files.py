"""Tests of opening zips. ``test_array_archives.py`` tests the checks with zips of arrays."""

import io
import zipfile

import pytest

from jaxgan.core.zip_files import FREE_BYTES, MAX_RATIO, check_sizes, open_zip


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def test_a_zip_is_opened_from_a_path_or_an_open_file(tmp_path):
    file = zipped(a=b"content")
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    for source in (file, tmp_path / "a.zip", str(tmp_path / "a.zip")):
        with open_zip(source, "a.zip") as archive:
            assert archive.read("a") == b"content"
    assert not file.closed


def test_errors_name_the_zip_and_the_format():
    with (
        pytest.raises(ValueError, match=r"^weights is not in the \.npz format, or it is damaged: File is not a zip"),
        open_zip(io.BytesIO(b"no zip"), "weights", ".npz"),
    ):
        pass
    with pytest.raises(ValueError, match=r"^weights: it lacks the array a\.$"), open_zip(zipped(), "weights"):
        raise ValueError("it lacks the array a.")
    content = zipped(a=bytes(range(256))).getvalue()
    damaged = io.BytesIO(content[:60] + b"\0" + content[61:])
    with pytest.raises(ValueError, match=r"^weights is not .* damaged: "), open_zip(damaged, "weights") as archive:
        archive.read("a")
    with pytest.raises(KeyboardInterrupt), open_zip(zipped(), "weights"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(("excess", "count"), [(0, 1), (0, 3), (1, 1), (1, 3)])
def test_members_may_grow_by_a_factor_together(excess, count, monkeypatch):
    monkeypatch.setattr("jaxgan.core.zip_files.available_memory_bytes", lambda: None)
    members = [zipfile.ZipInfo(str(i)) for i in range(count)]
    for member in members:
        member.compress_size, member.file_size = 10, MAX_RATIO * 10
    members[0].file_size += FREE_BYTES + excess
    if not excess:
        check_sizes(members)
        return
    with pytest.raises(ValueError, match="Files that grow by more than a factor of 200 are refused"):
        check_sizes(members)
