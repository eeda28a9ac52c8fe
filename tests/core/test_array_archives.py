"""Tests of the reader of .npz and .npy files: round trips, damaged files, and files that were made to do harm."""

import io
import re
import resource
import zipfile

import numpy as np
import pytest

from jaxgan.core import zip_files
from jaxgan.core.array_archives import ArrayHeader, is_npy, map_npy, read_npz, read_npz_headers, write_npz

CANARY = []


class Malicious:
    def __reduce__(self):
        return CANARY.append, (1,)


ARRAYS = {
    "floats": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "empty": np.zeros((0, 3), np.uint8),
    "number": np.array(3.5),
    "text": np.array("text"),
    "flags": np.array([True, False]),
    "big endian": np.arange(3, dtype=">i4"),
    "a/b": np.zeros(2, np.float16),
}


def npy(shape="(2,)", descr="'<f4'", data=b"\0" * 8, order="False", version=1):
    """Return the content of an .npy file with any text in its header."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def saved_zip(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_an_npz_file_are_read(save, tmp_path):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert read_npz(tmp_path / "a.npz", ("number", "missing")) == {"number": 3.5}
    headers = read_npz_headers(tmp_path / "a.npz")
    assert {name: (h.shape, h.dtype) for name, h in headers.items()} == {
        n: (x.shape, x.dtype) for n, x in ARRAYS.items()
    }
    assert not is_npy(tmp_path / "a.npz")
    content = io.BytesIO((tmp_path / "a.npz").read_bytes())
    assert list(read_npz(content, name="weights")) == list(ARRAYS)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_the_array_of_an_npy_file_is_mapped(array, tmp_path):
    np.save(tmp_path / "a.npy", array)
    found = map_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, array, strict=True)
    assert is_npy(tmp_path / "a.npy") and (isinstance(found, np.memmap) or not array.size)


def test_a_header_says_where_and_in_which_order_the_items_are(tmp_path):
    np.savez(tmp_path / "a.npz", columns=ARRAYS["columns"])
    header = read_npz_headers(tmp_path / "a.npz")["columns"]
    assert header == ArrayHeader((2, 3), np.dtype(np.int64), True, header.offset)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        content = archive.read("columns.npy")[header.offset :]
    assert np.frombuffer(content, header.dtype).tolist() == [0, 3, 1, 4, 2, 5]


DAMAGED = {  # contents of an .npy file, and the messages for them
    "nothing": (b"", "the array is damaged, or it is not in NumPy's format"),
    "text": (b"images", "the array is damaged, or it is not in NumPy's format"),
    "no header": (npy()[:9], "the array is damaged, or it is not in NumPy's format"),
    "half a header": (npy()[:30], "the array is damaged, or it is not in NumPy's format"),
    "truncated": (
        npy(data=b"1234567"),
        r"shape \[2\] and dtype float32 need 8 bytes, but the file contains 7 bytes of it",
    ),
    "no data": (npy(data=b""), "need 8 bytes, but the file contains 0 bytes of it"),
    "two arrays": (npy() + npy(), "need 8 bytes, but the file contains .* bytes of it"),
    "huge": (npy("(1 << 40, 1 << 40)".replace("1 << 40", str(2**40))), "need 4,835,703,278,458,516,698,824,704 bytes"),
    "negative": (npy("(-2, -1)"), "its shape does not consist of whole numbers from 0"),
    "booleans": (npy("(True, 2)"), "its shape does not consist of whole numbers from 0"),
    "fractions": (npy("(2.0,)"), "the array is damaged, or it is not in NumPy's format"),
    "no shape": (npy("None"), "the array is damaged, or it is not in NumPy's format"),
    "objects": (
        npy("(1,)", "'|O'"),
        "the array contains Python objects, which are not loaded, because loading them can",
    ),
    "objects in records": (npy("(1,)", "[('a', '|O')]"), "the array contains Python objects"),
    "records": (npy("(2,)", "[('a', '<f4')]"), "only numbers, booleans and text are read"),
    "dates": (npy("(1,)", "'<M8[s]'"), "only numbers, booleans and text are read"),
    "no size": (npy(f"({2**60},)", "'<U0'", b""), "only numbers, booleans and text are read"),
    "call": (npy("__import__('os').system('true')"), "the array is damaged, or it is not in NumPy's format"),
    "nested": (npy("(" * 3000 + ")" * 3000), "the array is damaged, or it is not in NumPy's format"),
    "long header": (npy("(2," + " " * 70_000 + ")", version=2), "the array is damaged, or it is not in NumPy's format"),
    "unhashable": (npy("{[]: 1}"), "the array is damaged, or it is not in NumPy's format"),
    "unfinished": (npy("'''"), "the array is damaged, or it is not in NumPy's format"),
    "unknown version": (b"\x93NUMPY\x09\x00" + npy()[8:], "the array is damaged, or it is not in NumPy's format"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_arrays_are_refused_in_one_sentence(content, message, tmp_path):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.npy: .*{message}") as raised:
        map_npy(tmp_path / "a.npy")
    assert "\n" not in str(raised.value)
    saved_zip(tmp_path / "a.npz", [("images.npy", content)], zipfile.ZIP_DEFLATED)
    message = message.replace("the array", "the array 'images'")
    for read in (read_npz, read_npz_headers):
        with pytest.raises(ValueError, match=rf"a\.npz: .*{message}"):
            read(tmp_path / "a.npz")


def test_pickled_arrays_are_refused_without_running_their_code(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Malicious()], object))
    np.savez(tmp_path / "a.npz", images=np.array([Malicious()], object))
    for read, name in ((map_npy, "a.npy"), (read_npz, "a.npz")):
        with pytest.raises(ValueError, match=f"{name}: the array.* contains Python objects"):
            read(tmp_path / name)
    assert not CANARY


def test_an_archive_that_grows_without_limit_is_refused_before_it_is_decompressed(tmp_path):
    """300 MB of zeros are 0.3 MB on the disk. The headers can be read, because that decompresses nothing else."""
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w") as file,
    ):
        file.write(npy(f"({3 * 10**8},)", "'|u1'", b""))
        for _ in range(30):
            file.write(b"\0" * 10**7)
    assert (tmp_path / "a.npz").stat().st_size < 3e5
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = (
        r"a\.npz: the file would grow from 292 kB to 300 MB when it is decompressed.* save it without compression\."
    )
    with pytest.raises(ValueError, match=message):
        read_npz(tmp_path / "a.npz")
    assert read_npz_headers(tmp_path / "a.npz")["images"].shape == (3 * 10**8,)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_many_members_share_the_limit_of_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_files, "FREE_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", **{f"x{i}": np.zeros(100_000, np.uint8) for i in range(10)})
    assert read_npz(tmp_path / "a.npz", ()) == {}
    with pytest.raises(ValueError, match=r"would grow from \d.* kB to 1\.00 MB"):
        read_npz(tmp_path / "a.npz")


def test_an_archive_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", images=np.zeros(1000, np.uint8))
    monkeypatch.setattr(zip_files, "available_memory_bytes", lambda: 500)
    with pytest.raises(ValueError, match=r"a\.npz: the file needs 1\.13 kB of memory, but only 500 B are available\."):
        read_npz(tmp_path / "a.npz")
    monkeypatch.setattr(zip_files, "available_memory_bytes", lambda: None)  # other systems than Linux
    assert len(read_npz(tmp_path / "a.npz")["images"]) == 1000


def rewritten(path, old, new):
    """Replace bytes in the directory of a zip, which is behind its data."""
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    path.write_bytes(content[:start] + content[start:].replace(old, new))


def test_members_that_are_not_arrays_are_refused(tmp_path):
    cases = {
        "notes.txt": ([("notes.txt", b"")], "the member 'notes.txt' is not an array. Create the file with numpy.savez"),
        "control": ([("a\x1b[2J.txt", b"")], r"the member 'a\\x1b\[2J\.txt' is not an array"),
        "long": ([("a" * 2000 + ".npy", npy())], r"the name '.*\.\.\..*' of a member has more than 1,000 characters"),
    }
    for members, message in cases.values():
        with pytest.raises(ValueError, match=rf"a\.npz: .*{message}"):
            read_npz(saved_zip(tmp_path / "a.npz", members))
    with pytest.warns(UserWarning, match="Duplicate name"):
        saved_zip(tmp_path / "a.npz", [("images.npy", npy()), ("images.npy", npy())])
    with pytest.raises(ValueError, match=r"contains the member 'images\.npy' twice"):
        read_npz(tmp_path / "a.npz")


def test_archives_with_an_inconsistent_directory_are_refused(tmp_path):
    def saved(method=zipfile.ZIP_STORED):
        return saved_zip(tmp_path / "a.npz", [("images.npy", npy())], method)

    size = len(npy()).to_bytes(4, "little")
    rewritten(saved(), size + size, size + (2**31 - 1).to_bytes(4, "little"))
    with pytest.raises(ValueError, match=r"a\.npz: .*the sizes of its member 'images\.npy' are inconsistent"):
        read_npz(tmp_path / "a.npz")
    rewritten(saved(), size + size, (2**31 - 1).to_bytes(4, "little") * 2)
    with pytest.raises(ValueError, match=r"a\.npz: .*its members overlap or are larger than the file"):
        read_npz(tmp_path / "a.npz")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(ValueError, match=r"is compressed by another method than deflate"):
            read_npz(saved(method))
    content = saved().read_bytes()
    for i in range(0, len(content), 7):
        (tmp_path / "a.npz").write_bytes(content[:i])
        with pytest.raises(ValueError, match=r"a\.npz is not in the \.npz format, or it is damaged: .*\.$"):
            read_npz(tmp_path / "a.npz")


def outcome(path):
    """Return the arrays of a file and an empty message, or no arrays and the message of the error."""
    try:
        return read_npz(path), ""
    except ValueError as error:
        return {}, str(error)


def test_every_damaged_byte_is_noticed_or_harmless(tmp_path):
    """Each byte of an archive is replaced. The result is the same array or a ``ValueError`` of one line."""
    array = np.arange(16, dtype=np.float32)
    np.savez_compressed(tmp_path / "a.npz", images=array)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for i, byte in enumerate(content):
        for changed in (255, byte ^ 1):
            (tmp_path / "a.npz").write_bytes(bytes([*content[:i], changed, *content[i + 1 :]]))
            found, message = outcome(tmp_path / "a.npz")
            assert all(np.array_equal(x, array) for x in found.values())
            assert re.fullmatch(rf"{re.escape(str(tmp_path))}/a\.npz.*\.|", message)


def test_missing_files_raise_an_os_error(tmp_path):
    for read in (read_npz, read_npz_headers, map_npy, is_npy):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere.npz")
        with pytest.raises(IsADirectoryError):
            read(tmp_path)


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args", "kwds", "a/b", "x.npy", "größe"])
def test_any_text_can_be_the_name_of_a_written_array(name, tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        write_npz(file, {name: np.arange(3), "texts": np.array(["a", "b"])})
    found = read_npz(tmp_path / "x.npz")
    assert list(found) == [name, "texts"]
    np.testing.assert_array_equal(found[name], np.arange(3))
    assert found["texts"].tolist() == ["a", "b"]


def test_arrays_of_objects_are_not_written(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file, pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(file, {"x": np.array([None])})
