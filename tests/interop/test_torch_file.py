"""PyTorch's files of weights: files that PyTorch wrote, if it is installed, and valid, damaged and malicious ones."""

import contextlib
import struct
import zipfile

import numpy as np
import pytest

from jaxgan.interop.torch_file import read_torch
from jaxgan.interop.untrusted import MAX_AXES


def text(value):
    """Return the opcodes of a string."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(number):
    """Return the opcodes of an integer."""
    return b"J" + struct.pack("<i", number)


def tuple_of(*parts):
    """Return the opcodes of a tuple."""
    return b"(" + b"".join(parts) + b"t"


def tensor(key="0", dtype="FloatStorage", count=6, offset=0, shape=(2, 3), strides=(3, 1)):
    """Return the opcodes of a tensor."""
    storage = (
        tuple_of(text("storage"), b"ctorch\n" + dtype.encode() + b"\n", text(key), text("cpu"), whole(count)) + b"Q"
    )
    numbers = (tuple_of(*map(whole, numbers)) for numbers in (shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(storage, whole(offset), *numbers, b"\x89", b"}") + b"R"


def saved(path, value, data=b"", names=("model/data.pkl", "model/data/0")):
    """Write a file with a dictionary that contains one value, named ``a``, and return its path."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(names[0], b"\x80\x02}(" + text("a") + value + b"u.")
        archive.writestr(names[1], data)
    return path


SIX = np.arange(6, dtype="<f4")


def test_reading_tensors_views_and_bfloat16(tmp_path):
    read = read_torch(saved(tmp_path / "a.pth", tensor(), SIX.tobytes()))
    assert list(read) == ["a"]
    np.testing.assert_array_equal(read["a"], SIX.reshape(2, 3))
    read["a"] += 1  # a writable copy, not a view of the file
    transposed = tensor(offset=1, shape=(3, 1), strides=(2, 5))
    np.testing.assert_array_equal(
        read_torch(saved(tmp_path / "b.pth", transposed, SIX.tobytes()))["a"], [[1], [3], [5]]
    )
    half = np.array([1.0, -2.5, 3.0], "<f4").view("<u4") >> 16
    bfloat = tensor(dtype="BFloat16Storage", count=3, shape=(3,), strides=(1,))
    read = read_torch(saved(tmp_path / "c.pth", bfloat, half.astype("<u2").tobytes()))["a"]
    np.testing.assert_array_equal(read, np.array([1.0, -2.5, 3.0], np.float32))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickles"])
def test_reading_files_that_pytorch_wrote(old, tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(24.0).reshape(4, 6)
    saved = {
        "float": base,
        "view": base[1:, ::2].T,
        "parameter": torch.nn.Parameter(base * 2),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "nested": {"half": base.half(), "bool": base > 3, "text": "left out", "list": [base]},
        **torch.nn.BatchNorm2d(5).state_dict(),
    }
    for kind in (torch.float64, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        saved[str(kind)] = base.to(kind)
    path = tmp_path / "weights.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=not old)
    read = read_torch(path)
    flat = {**saved, **{f"nested.{name}": saved["nested"][name] for name in ("half", "bool")}}
    del flat["nested"]
    assert set(read) == set(flat)
    for name, value in flat.items():
        expected = value.detach().float().numpy() if value.dtype == torch.bfloat16 else value.detach().numpy()
        np.testing.assert_array_equal(read[name], expected, err_msg=name)
        assert read[name].dtype == expected.dtype
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4))
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=not old)  # an OrderedDict with attributes
    assert set(read_torch(path)) == set(model.state_dict())
    torch.save(model, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(
        ValueError, match=r"The file (calls .*not executed|contains the opcode|contains .module., which cannot be read)"
    ):
        read_torch(path)


def nested(levels):
    """Return the opcodes of nested dictionaries, each of which contains the previous one twice."""
    program = b"}(" + text("0") + b"}q\x00" + text("a") + tensor() + b"s"
    for level in range(1, levels):
        below = b"h" + bytes([level - 1])
        program += text(str(level)) + b"}q" + bytes([level]) + b"(" + text("a") + below + text("b") + below + b"u"
    return program + b"u"


def many(value, times):
    """Return the opcodes of a dictionary that contains a value many times."""
    return b"}(" + b"".join(text(str(i)) + value for i in range(times)) + b"u"


HUGE = b"\x8a\xff" + b"\x7f" * 255
HOSTILE = {
    "a call": (b"cos\nsystem\n" + tuple_of(text("true")) + b"R", r"The file calls 'os\.system', which is not executed"),
    "eval": (b"cbuiltins\neval\n" + tuple_of(text("1")) + b"R", r"The file calls 'builtins\.eval'"),
    "a new object": (b"cos\nsystem\n" + b")\x81", r"The file contains the opcode b'\\x81'"),
    "an extension": (b"\x82\x01", r"The file contains the opcode b'\\x82'"),
    "unknown storage": (tensor(dtype="ObjectStorage"), "a storage that cannot be read"),
    "beyond its storage": (tensor(offset=1), r"A tensor of shape \(2, 3\) does not fit into its storage of 6 numbers"),
    "before its storage": (tensor(offset=-1), "must be integers of at least 0"),
    "backwards": (tensor(strides=(-3, 1)), "must be integers of at least 0"),
    "more axes than strides": (tensor(strides=(1,)), "does not fit into its storage"),
    "a bomb": (tensor(shape=(2**30, 2**30), strides=(0, 0)), "The tensors of the file would be far larger"),
    "many bombs": (many(tensor(shape=(2**12, 2**10), strides=(0, 0)), 20), "far larger than the file"),
    "too many axes": (tensor(shape=(1,) * (MAX_AXES + 1), strides=(0,) * (MAX_AXES + 1)), "64 axes, got 65 axes"),
    "huge numbers": (tensor(shape=()).replace(tuple_of(), tuple_of(*[HUGE] * 60)), "must be integers|damaged"),
    "exponential nesting": (nested(45), "more objects, or a deeper nesting, than any file of weights"),
    "deep nesting": (b"}" + (text("a") + b"}") * 60 + b"s" * 60, "a deeper nesting"),
    "name is a nested tuple": (b"})" + b"\x85" * 100_000 + b"Ns", "a short string, got a tuple"),
    "long name": (b"}" + text("a" * 2000) + b"Ns", "must be an integer or a short string"),
    "control characters": (b"cos\n\x1b[31m\n)R", r"The file calls 'os\.\\x1b\[31m'"),
    "conjugated": (tensor()[:-1].removesuffix(b"t") + b"}" + text("conj") + b"\x88stR", "a conjugated or negated view"),
    "two tensors with the same name": (
        b"}(" + text("b.c") + tensor() + text("b") + b"}" + text("c") + tensor() + b"su",
        "two tensors with the name 'a.b.c'",
    ),
    "a name without a value": (b"}(" + text("a") + b"u", "is not a PyTorch file, or it is damaged .ValueError"),
    "name that is not text": (b"c\xff\n\xff\n.", "is not a PyTorch file, or it is damaged .UnicodeDecodeError"),
    "missing record": (tensor(key="1"), "is not a PyTorch file, or it is damaged .KeyError"),
    "no storage": (
        b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(whole(0), whole(0), b")", b")") + b"R",
        "a tensor without a storage",
    ),
    "calls a number": (whole(3) + b")R", "calls an object that is not a function"),
    "items of a list": (b"](" + text("a") + whole(1) + b"u", "is not a PyTorch file, or it is damaged .AttributeError"),
    "contains itself": (b"}q\x00" + text("a") + b"h\x00s", "a deeper nesting"),
    "unknown opcode": (b"N000b", "The file contains the opcode b'0'"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_malicious_files_are_rejected_quickly(name, tmp_path):
    """Without the limits, these files would take minutes or gigabytes of memory, or crash the process."""
    value, message = HOSTILE[name]
    with pytest.raises(ValueError, match=message):
        read_torch(saved(tmp_path / "a.pth", value, SIX.tobytes()))


def test_a_record_that_is_no_whole_number_of_items_is_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"a\.pth is not a PyTorch file, or it is damaged \(ValueError\)\.$"):
        read_torch(saved(tmp_path / "a.pth", tensor(), b"x" * 25))


def test_other_formats_are_rejected(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"a\.pth: The file was not written by torch\.save"):
        read_torch(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="was not written by"):
        read_torch(path)
    path.write_bytes(b"\x80\x02K\x07.")
    with pytest.raises(ValueError, match="was not written by"):
        read_torch(path)
    with pytest.raises(
        ValueError, match=r"The zip file is not from PyTorch, because it contains 0 files named data\.pkl"
    ):
        read_torch(saved(path, b"N", names=("one", "two")))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:  # compressed members can unpack to any size
        archive.writestr("model/data.pkl", b"\x80\x02}.")
    with pytest.raises(ValueError, match="its members are compressed"):
        read_torch(path)
    with pytest.raises(FileNotFoundError):
        read_torch(tmp_path / "none.pth")


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickles"])
def test_any_damaged_byte_gives_an_array_or_a_value_error(old, tmp_path):
    """The file is cut at every position, and every byte is changed. No other error may be raised."""
    path = tmp_path / "a.pth"
    content = older() + SIX.tobytes() if old else saved(path, tensor(), SIX.tobytes()).read_bytes()
    rng = np.random.default_rng(0)
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= rng.integers(1, 256)
        for damaged in (content[:at], bytes(changed)):
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):
                read_torch(path)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_torch(path)["a"], SIX.reshape(2, 3))


def older(value=None, count=6):
    """Return a file in the format before zip, up to the numbers of its only storage."""

    def pickled(program):
        return b"\x80\x02" + program + b"."

    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    value = (value or tensor()).replace(whole(6) + b"tQ", whole(6) + b"NtQ")  # None for the metadata of a view
    parts = [b"\x8a\x0a" + magic, b"M\xe9\x03", b"}" + text("little_endian") + b"\x88s"]
    parts += [b"}" + text("a") + value + b"s", b"](" + text("0") + b"e"]
    return b"".join(map(pickled, parts)) + struct.pack("<q", count)


def test_reading_the_older_format(tmp_path):
    path = tmp_path / "old.pth"
    path.write_bytes(older() + SIX.tobytes())
    np.testing.assert_array_equal(read_torch(path)["a"], SIX.reshape(2, 3))
    for count in (6, 2**40, -1):
        path.write_bytes(older(count=count) + SIX.tobytes()[:-1])
        with pytest.raises(ValueError, match="it ends within storage 0"):
            read_torch(path)
    path.write_bytes(older().replace(b"\x88s", b"\x89s"))
    with pytest.raises(ValueError, match="big-endian"):
        read_torch(path)
