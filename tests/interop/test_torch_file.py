"""Files of weights: those that PyTorch writes, where it is installed, and some by hand: harmless, damaged and hostile."""

import contextlib
import io
import struct
import zipfile

import numpy as np
import pytest

from jaxgan.interop.torch_file import read_torch


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
        ValueError, match=r"(it calls .*|opcode .*not for weights|it holds a module, whose code is not run)"
    ):
        read_torch(path)


HOSTILE = {
    "a call": (b"cos\nsystem\n" + tuple_of(text("true")) + b"R", r"it calls os\.system, which is not for weights"),
    "eval": (b"cbuiltins\neval\n" + tuple_of(text("1")) + b"R", r"it calls builtins\.eval"),
    "a new object": (b"cos\nsystem\n" + b")\x81", r"opcode b'\\x81' is not for weights"),
    "an extension": (b"\x82\x01", r"opcode b'\\x82' is not for weights"),
    "another storage": (tensor(dtype="ObjectStorage"), "which is not read"),
    "beyond its storage": (tensor(offset=1), r"a tensor of shape \(2, 3\) reaches beyond its storage of 6 numbers"),
    "before its storage": (tensor(offset=-1), "with offset -1"),
    "backwards": (tensor(strides=(-3, 1)), r"strides \(-3, 1\)"),
    "more axes than strides": (tensor(strides=(1,)), r"strides \(1,\)"),
    "a bomb": (tensor(shape=(2**30, 2**30), strides=(0, 0)), "repeats its storage of 6 numbers"),
    "items of a list": (b"](" + text("a") + whole(1) + b"u", "a damaged file of PyTorch's, or none .AttributeError"),
    "itself": (b"}q\x00" + text("a") + b"h\x00s", "a damaged file of PyTorch's, or none .RecursionError"),
    "no such record": (tensor(key="1"), "a damaged file of PyTorch's, or none .KeyError: '1'"),
    "no storage": (
        b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(whole(0), whole(0), b")", b")") + b"R",
        "a tensor",
    ),
    "calls a number": (whole(3) + b")R", "it calls what is no function"),
    "what is no opcode here": (b"N000b", "opcode b'0' is not for weights"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_is_no_weights_is_refused(name, tmp_path):
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


def test_every_damage_ends_with_a_message(tmp_path):
    """Each cut, and each byte of the program changed: it is read, or refused; nothing else."""
    path = saved(tmp_path / "a.pth", tensor(), SIX.tobytes())
    whole_file = path.read_bytes()
    for cut in range(0, len(whole_file), 7):
        path.write_bytes(whole_file[:cut])
        with pytest.raises(ValueError, match=r"a\.pth: "):
            read_torch(path)
    program = b"\x80\x02}(" + text("a") + tensor() + b"u."
    rng = np.random.default_rng(0)
    for at in range(len(program)):
        changed = bytearray(program)
        changed[at] = rng.integers(256)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/data.pkl", bytes(changed))
            archive.writestr("model/data/0", SIX.tobytes())
        with contextlib.suppress(ValueError):
            read_torch(path)


def test_an_older_file_by_hand(tmp_path):
    def pickled(value):
        return b"\x80\x02" + value + b"."

    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    old = tensor().replace(whole(6) + b"tQ", whole(6) + b"NtQ")  # with a view's metadata, of which there are none
    file = io.BytesIO()
    for part in (b"\x8a\x0a" + magic, b"M\xe9\x03", b"}" + text("little_endian") + b"\x88s"):
        file.write(pickled(part))
    file.write(pickled(b"}" + text("a") + old + b"s"))
    file.write(pickled(b"](" + text("0") + b"e"))
    head = file.getvalue()
    path = tmp_path / "old.pth"
    path.write_bytes(head + struct.pack("<q", 6) + SIX.tobytes())
    np.testing.assert_array_equal(read_torch(path)["a"], SIX.reshape(2, 3))
    path.write_bytes(head + struct.pack("<q", 6) + SIX.tobytes()[:-1])
    with pytest.raises(ValueError, match="it ends within storage 0"):
        read_torch(path)
    path.write_bytes(head.replace(b"\x88s", b"\x89s"))
    with pytest.raises(ValueError, match="big-endian"):
        read_torch(path)
