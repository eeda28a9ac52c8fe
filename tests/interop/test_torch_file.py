"""Files of weights: those that PyTorch writes, where it is installed, and some by hand: harmless, damaged and hostile."""

import contextlib
import struct
import zipfile

import numpy as np
import pytest

from jaxgan.interop.torch_file import read_torch
from jaxgan.interop.untrusted import MAX_AXES


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(number):
    return b"J" + struct.pack("<i", number)


def tuple_of(*parts):
    return b"(" + b"".join(parts) + b"t"


def tensor(key="0", dtype="FloatStorage", count=6, offset=0, shape=(2, 3), strides=(3, 1)):
    storage = (
        tuple_of(text("storage"), b"ctorch\n" + dtype.encode() + b"\n", text(key), text("cpu"), whole(count)) + b"Q"
    )
    numbers = (tuple_of(*map(whole, numbers)) for numbers in (shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(storage, whole(offset), *numbers, b"\x89", b"}") + b"R"


def saved(path, value, data=b"", names=("model/data.pkl", "model/data/0")):
    """A file with a dictionary of one value, named ``a``."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(names[0], b"\x80\x02}(" + text("a") + value + b"u.")
        archive.writestr(names[1], data)
    return path


SIX = np.arange(6, dtype="<f4")


def test_a_file_by_hand(tmp_path):
    read = read_torch(saved(tmp_path / "a.pth", tensor(), SIX.tobytes()))
    assert list(read) == ["a"]
    np.testing.assert_array_equal(read["a"], SIX.reshape(2, 3))
    read["a"] += 1  # one's own, not a view of the file
    transposed = tensor(offset=1, shape=(3, 1), strides=(2, 5))
    np.testing.assert_array_equal(
        read_torch(saved(tmp_path / "b.pth", transposed, SIX.tobytes()))["a"], [[1], [3], [5]]
    )
    half = np.array([1.0, -2.5, 3.0], "<f4").view("<u4") >> 16
    bfloat = tensor(dtype="BFloat16Storage", count=3, shape=(3,), strides=(1,))
    read = read_torch(saved(tmp_path / "c.pth", bfloat, half.astype("<u2").tobytes()))["a"]
    np.testing.assert_array_equal(read, np.array([1.0, -2.5, 3.0], np.float32))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickles"])
def test_what_pytorch_writes(old, tmp_path):
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
        wanted = value.detach().float().numpy() if value.dtype == torch.bfloat16 else value.detach().numpy()
        np.testing.assert_array_equal(read[name], wanted, err_msg=name)
        assert read[name].dtype == wanted.dtype
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4))
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=not old)  # an OrderedDict with attributes
    assert set(read_torch(path)) == set(model.state_dict())
    torch.save(model, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(
        ValueError, match=r"(it calls .*|opcode .*not for weights|it holds .module., whose code is not run)"
    ):
        read_torch(path)


def nested(levels):
    """A dictionary of dictionaries, each of which holds the one before it twice."""
    program = b"}(" + text("0") + b"}q\x00" + text("a") + tensor() + b"s"
    for level in range(1, levels):
        below = b"h" + bytes([level - 1])
        program += text(str(level)) + b"}q" + bytes([level]) + b"(" + text("a") + below + text("b") + below + b"u"
    return program + b"u"


def many(value, times):
    return b"}(" + b"".join(text(str(i)) + value for i in range(times)) + b"u"


HUGE = b"\x8a\xff" + b"\x7f" * 255
HOSTILE = {
    "a call": (b"cos\nsystem\n" + tuple_of(text("true")) + b"R", r"it calls 'os\.system', which is not for weights"),
    "eval": (b"cbuiltins\neval\n" + tuple_of(text("1")) + b"R", r"it calls 'builtins\.eval'"),
    "a new object": (b"cos\nsystem\n" + b")\x81", r"opcode b'\\x81' is not for weights"),
    "an extension": (b"\x82\x01", r"opcode b'\\x82' is not for weights"),
    "another storage": (tensor(dtype="ObjectStorage"), "a storage of a type that is not read"),
    "beyond its storage": (tensor(offset=1), r"a tensor of shape \(2, 3\) reaches beyond its storage of 6 numbers"),
    "before its storage": (tensor(offset=-1), "no whole numbers from 0"),
    "backwards": (tensor(strides=(-3, 1)), "no whole numbers from 0"),
    "more axes than strides": (tensor(strides=(1,)), "reaches beyond"),
    "a bomb": (tensor(shape=(2**30, 2**30), strides=(0, 0)), "its tensors would be far larger than the file"),
    "many bombs": (many(tensor(shape=(2**12, 2**10), strides=(0, 0)), 20), "far larger than the file"),
    "axes without end": (tensor(shape=(1,) * (MAX_AXES + 1), strides=(0,) * (MAX_AXES + 1)), "a tensor of 65 axes"),
    "huge numbers": (tensor(shape=()).replace(tuple_of(), tuple_of(*[HUGE] * 60)), "no whole numbers|damaged"),
    "twice as many on each level": (nested(45), "more, or deeper, than a file of weights has"),
    "deep": (b"}" + (text("a") + b"}") * 60 + b"s" * 60, "more, or deeper"),
    "a tuple of tuples for a name": (b"})" + b"\x85" * 100_000 + b"Ns", "a tuple for a name"),
    "a name without end": (b"}" + text("a" * 2000) + b"Ns", "for a name"),
    "what a terminal obeys": (b"cos\n\x1b[31m\n)R", r"it calls 'os\.\\x1b\[31m'"),
    "read in another way": (tensor()[:-1].removesuffix(b"t") + b"}" + text("conj") + b"\x88stR", "read in another way"),
    "two of one name": (
        b"}(" + text("b.c") + tensor() + text("b") + b"}" + text("c") + tensor() + b"su",
        "two tensors",
    ),
    "a name without a value": (b"}(" + text("a") + b"u", "is shorter"),
    "no such record": (tensor(key="1"), "a damaged file of PyTorch's, or none .KeyError"),
    "no storage": (
        b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(whole(0), whole(0), b")", b")") + b"R",
        "a tensor",
    ),
    "calls a number": (whole(3) + b")R", "it calls what is no function"),
    "items of a list": (b"](" + text("a") + whole(1) + b"u", "a damaged file of PyTorch's, or none .AttributeError"),
    "itself": (b"}q\x00" + text("a") + b"h\x00s", "more, or deeper"),
    "what is no opcode here": (b"N000b", "opcode b'0' is not for weights"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_is_no_weights_is_refused(name, tmp_path):
    """At once, and in little memory: these took minutes, gigabytes, or the process."""
    value, told = HOSTILE[name]
    with pytest.raises(ValueError, match=told):
        read_torch(saved(tmp_path / "a.pth", value, SIX.tobytes()))


def test_other_files(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"a\.pth: not a file that torch\.save writes"):
        read_torch(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="not a file that"):
        read_torch(path)
    path.write_bytes(b"\x80\x02K\x07.")
    with pytest.raises(ValueError, match="not a file that"):
        read_torch(path)
    with pytest.raises(ValueError, match=r"a zip, but not PyTorch's: it has no data\.pkl"):
        read_torch(saved(path, b"N", names=("one", "two")))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:  # which may unpack to anything
        archive.writestr("model/data.pkl", b"\x80\x02}.")
    with pytest.raises(ValueError, match="its members are compressed"):
        read_torch(path)
    with pytest.raises(FileNotFoundError):
        read_torch(tmp_path / "none.pth")


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickles"])
def test_every_damage_ends_with_a_message(old, tmp_path):
    """Every cut, and every byte changed: it is read, or refused with the file's name; nothing else."""
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
    """The format before zip, as far as the numbers of its one storage."""

    def pickled(program):
        return b"\x80\x02" + program + b"."

    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    value = (value or tensor()).replace(whole(6) + b"tQ", whole(6) + b"NtQ")  # with a view's metadata: none
    parts = [b"\x8a\x0a" + magic, b"M\xe9\x03", b"}" + text("little_endian") + b"\x88s"]
    parts += [b"}" + text("a") + value + b"s", b"](" + text("0") + b"e"]
    return b"".join(map(pickled, parts)) + struct.pack("<q", count)


def test_an_older_file_by_hand(tmp_path):
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
