"""Files in the .safetensors format: reading and writing, and errors for damaged or malicious files."""

import json
import tracemalloc

import numpy as np
import pytest

from jaxgan.interop import read_safetensors, read_weights, write_safetensors


def saved(path, header, data=b"", length=None):
    """Write a file with this header and data, and return its path."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def one(**changes):
    """Return a header with one array, with changes."""
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


TWO = np.array([1.5, -2.0], "<f4").tobytes()


def test_reading_a_file_with_metadata_padding_and_unsorted_arrays(tmp_path):
    """The file follows https://huggingface.co/docs/safetensors."""
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [16, 20]},
        "none": {"dtype": "F64", "shape": [0, 3], "data_offsets": [8, 8]},
        "scalar": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]},
        **one(),
    }
    half = (np.array([1.0, -2.5], "<f4").view("<u4") >> 16).astype("<u2")
    data = TWO + np.array(-7, "<i8").tobytes() + half.tobytes()
    found = read_weights(saved(tmp_path / "a.safetensors", json.dumps(header).encode() + b"   ", data))
    assert list(found) == ["a", "none", "scalar", "b"]
    assert found["a"].tolist() == [1.5, -2.0]
    assert found["none"].shape == (0, 3)
    assert (found["scalar"].shape, found["scalar"].dtype, found["scalar"]) == ((), np.int64, -7)
    np.testing.assert_array_equal(found["b"], np.array([[1.0, -2.5]], np.float32), strict=True)
    found["a"] += 1  # a writable copy
    assert read_safetensors(saved(tmp_path / "b.safetensors", {})) == {}


def test_written_arrays_can_be_read(tmp_path):
    r = np.random.default_rng(0)
    kinds = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")
    arrays = {f"x.{kind}": r.normal(0, 9, (3, 2)).astype(kind, casting="unsafe") for kind in kinds if kind[0] != "u"}
    arrays |= {f"x.{kind}": r.integers(0, 99, (3, 2)).astype(kind) for kind in kinds if kind[0] == "u"}
    arrays |= {"transposed": r.normal(size=(4, 3)).T, "big": np.arange(3, dtype=">f4"), "scalar": np.array(2.5)}
    arrays |= {"empty": np.zeros((2, 0), np.float32), "naïve \n": np.ones(1)}
    path = tmp_path / "a.safetensors"
    write_safetensors(path, arrays, {"format": "pt"})
    found = read_safetensors(path)
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value.astype(value.dtype.newbyteorder("=")), strict=True)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    assert header.pop("__metadata__") == {"format": "pt"}
    widths = {"F64": 8, "I64": 8, "F32": 4, "U16": 2}
    assert all(entry["data_offsets"][0] % widths.get(entry["dtype"], 1) == 0 for entry in header.values())


def test_compatibility_with_the_reference_implementation(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(3)}
    write_safetensors(tmp_path / "a.safetensors", arrays)
    for name, value in safetensors.load_file(tmp_path / "a.safetensors").items():
        np.testing.assert_array_equal(value, arrays[name], strict=True)
    safetensors.save_file(arrays, tmp_path / "b.safetensors")
    for name, value in read_safetensors(tmp_path / "b.safetensors").items():
        np.testing.assert_array_equal(value, arrays[name], strict=True)


def test_unsupported_dtypes_and_names_cannot_be_written(tmp_path):
    for name, value in {"__metadata__": np.ones(1), "a": np.ones(1, complex), "b": np.array(["text"])}.items():
        with pytest.raises(
            ValueError, match=f"'{name}' of dtype .* must not be '__metadata__', and its dtype must be one of F64, F32"
        ):
            write_safetensors(tmp_path / "a.safetensors", {name: value})
    assert not (tmp_path / "a.safetensors").exists()


DAMAGED = {
    "empty": (b"", b"", 0, "a header of 0 bytes does not fit into a file of 8 bytes"),
    "a header beyond the file": (b"{}", b"", 3, "a header of 3 bytes does not fit into a file of 10 bytes"),
    "a header of exabytes": (b"{}", b"", 2**63, "not a .safetensors file, because a header of 9,223,372,036,854,775,808 bytes"),
    "not JSON": (b"{'a'}", b"", None, "The header of the file is not valid JSON at line 1, column 2 .*not a .safetensors file"),
    "not UTF-8": (b'{"\xff"', b"", None, "The header of the file is not text in UTF-8"),
    "a list": ([], b"", None, "its content must be an object, got a list"),
    "deep": (b"[" * 100_000, b"", None, "The header of the file has more than 50 objects and lists inside each other"),
    "a name twice": (b'{"a":1,"a":1}', b"", None, "the name 'a' occurs twice in an object"),
    "no dictionary": ({"a": 3}, b"", None, "'a' must be described by dtype, shape and data_offsets"),
    "additional key": (one(more=1), TWO, None, "'a' must be described by"),
    "unknown dtype": (one(dtype="F8_E4M3"), TWO, None, "'a' has the dtype 'F8_E4M3', .* F64, F32, F16, BF16"),
    "dtype is a list": (one(dtype=[1]), TWO, None, "'a' has the dtype a list"),
    "negative": (one(shape=[-2]), TWO, None, "The shape of the array 'a' must be a list of at most 64 non-negative integers"),
    "true": (one(shape=[True]), TWO, None, "The shape of the array 'a' must be"),
    "fraction": (one(shape=[2.0]), TWO, None, "The shape of the array 'a' must be"),
    "axes": (one(shape=[1] * 65), TWO, None, "The shape of the array 'a' must be"),
    "one offset": (one(data_offsets=[8]), TWO, None, "The data_offsets of the array 'a' must be the positions"),
    "offsets of text": (one(data_offsets="08"), TWO, None, "The data_offsets of the array 'a' must be"),
    "a fraction of a byte": (one(data_offsets=[0, 8.0]), TWO, None, "The data_offsets of the array 'a' must be"),
    "backwards": (one(data_offsets=[8, 0]), TWO, None, "The data_offsets of the array 'a' must be"),
    "too many numbers": (one(shape=[3]), TWO, None, r"'a' of dtype F32 and shape \[3\] needs 12 bytes, .* 8 bytes"),
    "huge": (one(shape=[2**40, 2**40]), TWO, None, "'a' of dtype F32 and shape .* cover 8 bytes"),
    "shorter": (one(), TWO[:7], None, "its arrays need 8 bytes, but the file has 7 bytes"),
    "longer": (one(), TWO + b"x", None, "its arrays need 8 bytes, but the file has 9 bytes"),
    "a gap": (one(data_offsets=[4, 12]), TWO + TWO, None, "'a' begins at byte 4, but the previous .* ends at byte 0"),
    "overlap": ({**one(), "b": one(data_offsets=[4, 12])["a"]}, TWO + TWO, None, "'b' begins at byte 4, .* byte 8"),
    "the same place": ({**one(), "b\x1b[2J": one()["a"]}, TWO, None, r"'b\\x1b\[2J' begins at byte 0, .* byte 8"),
    "a number of a million digits": (b'{"a":' + b"9" * 1_000_000 + b"}", b"", None, "a.safetensors: "),
    "an empty array with huge axes": (one(shape=[0, 2**47, 2**47, 2**47], data_offsets=[0, 0]), b"", None, "a.safetensors: "),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_rejected_in_little_memory(name, tmp_path):
    header, data, length, message = DAMAGED[name]
    path = saved(tmp_path / "a.safetensors", header, data, length)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as error:
            read_safetensors(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < 500
    (tmp_path / "short.safetensors").write_bytes(b"123")
    with pytest.raises(ValueError, match=r"not a \.safetensors file"):
        read_safetensors(tmp_path / "short.safetensors")
