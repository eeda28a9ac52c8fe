"""PyTorch's files of weights, read without PyTorch and without running what they say.

``torch.save`` writes Python pickles, which can name any function and call it. Here their opcodes are interpreted by a
table: numbers, text, containers, and the four functions that make tensors. Anything else ends with an error that names
it. Formats: zip (since PyTorch 1.6) and the sequence of pickles before it; not the tar files of 2016.
"""

import io
import math
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of an older file
_MOST = 1 << 20  # objects of a file: a guard, not a limit of the format
_REPEATED = 1 << 24  # numbers of a tensor that repeats those of its storage
_DAMAGE = (
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    zipfile.BadZipFile,
)


class _Storage(NamedTuple):
    """A tensor's numbers: those of a record in the file, by its key."""

    key: str
    dtype: str
    count: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Global(NamedTuple):
    module: str
    name: str


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a file that ``torch.save`` wrote, by name.

    Of nested dictionaries names are joined with dots, ``state_dict.conv.weight``; what is no tensor is left out.
    bfloat16 becomes float32.

    Raises:
      ValueError: the file is of no known format, damaged, or asks for anything but tensors; the message says which.
      OSError: it cannot be read.
    """
    path = Path(path)
    try:
        if zipfile.is_zipfile(path):
            tree, data = _from_zip(path)
        else:
            with path.open("rb") as file:
                tree, data = _from_pickles(file)
        tensors = dict(_named(tree))
        return {name: _array(tensor, data) for name, tensor in tensors.items()}
    except (*_DAMAGE, UnicodeError) as error:
        raise ValueError(f"{path}: a damaged file of PyTorch's, or none ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_zip(path: Path) -> tuple[Any, Mapping[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        programs = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(programs) != 1:
            raise ValueError("a zip, but not PyTorch's: it has no data.pkl")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("a zip, but not PyTorch's: its members are compressed")
        root = programs[0].removesuffix("data.pkl")
        orders = [archive.read(name) for name in names if name == f"{root}byteorder"]
        if orders and orders[0] != b"little":
            raise ValueError("its numbers are big-endian; save it again on another machine")
        tree = _run(io.BytesIO(archive.read(programs[0])))
        data = {
            name.removeprefix(f"{root}data/"): archive.read(name) for name in names if name.startswith(f"{root}data/")
        }
    return tree, data


def _from_pickles(file: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
    first = file.read(1)
    file.seek(0)
    if first != b"\x80" or _run(file) != _MAGIC:
        raise ValueError("not a file that torch.save writes, or a tar of 2016: save it again with a newer PyTorch")
    _run(file)  # the version of the protocol
    if _run(file).get("little_endian") is not True:
        raise ValueError("its numbers are big-endian; save it again on another machine")
    storages: dict[str, _Storage] = {}
    tree = _run(file, storages)
    data = {}
    for key in _run(file):
        (count,) = struct.unpack("<q", file.read(8))
        size = count * _size(storages[key].dtype)
        data[key] = file.read(size)
        if count < 0 or len(data[key]) != size:
            raise ValueError(f"it ends within storage {key}")
    return tree, data


def _named(tree: Any, prefix: str = "") -> list[tuple[str, _Tensor]]:
    if isinstance(tree, _Tensor):
        return [(prefix or "tensor", tree)]
    if not isinstance(tree, dict):
        return []
    return [found for key, value in tree.items() for found in _named(value, f"{prefix}.{key}" if prefix else str(key))]


def _size(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _array(tensor: _Tensor, data: Mapping[str, bytes]) -> np.ndarray:
    (key, dtype, _), offset, shape, strides = tensor
    numbers = np.frombuffer(data[key], "<u2" if dtype == "bfloat16" else dtype)
    if dtype == "bfloat16":  # the upper half of a float32
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    if min((offset, *shape, *strides)) < 0 or len(shape) != len(strides):
        raise ValueError(f"a tensor of shape {shape} with offset {offset} and strides {strides}")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    if math.prod(shape) and last >= len(numbers):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {len(numbers):,} numbers")
    if math.prod(shape) > max(len(numbers), _REPEATED):
        raise ValueError(f"a tensor of shape {shape} repeats its storage of {len(numbers):,} numbers")
    if not math.prod(shape):
        return np.zeros(shape, numbers.dtype)
    bytes_of = tuple(step * numbers.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, bytes_of, writeable=False).copy()


def _call(function: Any, arguments: tuple) -> Any:
    """The functions that files of weights call."""
    if not isinstance(function, _Global):
        raise ValueError("it calls what is no function")
    name = ".".join(function)
    if name == "collections.OrderedDict":
        return dict(*arguments)
    if name == "torch._utils._rebuild_tensor_v2":
        storage, offset, shape, strides = arguments[:4]
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "torch.Size":
        return tuple(arguments[0])
    raise ValueError(
        f"it calls {name}, which is not for weights; only tensors are read: save model.state_dict() with torch.save"
    )


def _stored(found: Any) -> _Storage:
    """Of a persistent id: ("storage", type, key, device, count), older ones with a sixth part."""
    if found[0] != "storage":
        raise ValueError(f"it holds a {found[0]}, whose code is not run; save model.state_dict() with torch.save")
    _, storage_type, key, _, count, *view = found
    if not isinstance(storage_type, _Global) or storage_type.name not in DTYPES or any(view):
        raise ValueError(f"a storage of type {storage_type}, which is not read")
    return _Storage(str(key), DTYPES[storage_type.name], int(count))


_MARK = object()


def _run(file: BinaryIO, storages: dict[str, _Storage] | None = None) -> Any:
    """The value of one pickle, whose opcodes are those of https://docs.python.org/3/library/pickletools.html."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def take(form: str) -> Any:
        size = struct.calcsize(form)
        return struct.unpack(form, file.read(size))[0]

    def text(form: str) -> str:
        size = take(form)
        read = file.read(size)
        if len(read) != size:
            raise ValueError("it ends within a text")
        return read.decode()

    def marked() -> list[Any]:
        at = len(stack) - 1 - stack[::-1].index(_MARK)
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def line() -> str:
        return file.readline()[:-1].decode("ascii")

    def set_items(pairs: list[Any]) -> None:
        stack[-1].update(zip(pairs[::2], pairs[1::2]))

    def of_long(form: str) -> int:
        return int.from_bytes(file.read(take(form)), "little", signed=True)

    def reduce() -> None:
        arguments = stack.pop()
        stack[-1] = _call(stack[-1], arguments)

    def build() -> None:
        """An object's state, here attributes of a dictionary (``_metadata`` of modules), which no one needs."""
        stack.pop()

    def persistent() -> None:
        found = _stored(stack.pop())
        if storages is not None:
            storages[found.key] = found
        stack.append(found)

    def remember(at: int) -> None:
        memo[at] = stack[-1]

    def tuples(count: int) -> None:
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(items)

    push = stack.append
    opcodes: dict[bytes, Callable[[], Any]] = {
        b"\x80": lambda: take("<B"),  # PROTO
        b"\x95": lambda: take("<Q"),  # FRAME
        b"(": lambda: push(_MARK),
        b"}": lambda: push({}),
        b"]": lambda: push([]),
        b")": lambda: push(()),
        b"N": lambda: push(None),
        b"\x88": lambda: push(True),
        b"\x89": lambda: push(False),
        b"K": lambda: push(take("<B")),
        b"M": lambda: push(take("<H")),
        b"J": lambda: push(take("<i")),
        b"G": lambda: push(take(">d")),
        b"\x8a": lambda: push(of_long("<B")),
        b"X": lambda: push(text("<I")),
        b"\x8c": lambda: push(text("<B")),
        b"t": lambda: push(tuple(marked())),
        b"l": lambda: push(marked()),
        b"\x85": lambda: tuples(1),
        b"\x86": lambda: tuples(2),
        b"\x87": lambda: tuples(3),
        b"a": lambda: (item := stack.pop(), stack[-1].append(item)),
        b"e": lambda: (items := marked(), stack[-1].extend(items)),
        b"s": lambda: (value := stack.pop(), key := stack.pop(), set_items([key, value])),
        b"u": lambda: set_items(marked()),
        b"q": lambda: remember(take("<B")),
        b"r": lambda: remember(take("<I")),
        b"\x94": lambda: remember(len(memo)),
        b"h": lambda: push(memo[take("<B")]),
        b"j": lambda: push(memo[take("<I")]),
        b"c": lambda: push(_Global(line(), line())),
        b"\x93": lambda: (name := stack.pop(), push(_Global(stack.pop(), name))),
        b"R": reduce,
        b"b": build,
        b"Q": persistent,
    }
    while (code := file.read(1)) != b".":
        if code not in opcodes:
            raise ValueError(f"opcode {code!r} is not for weights" if code else "it ends too early")
        opcodes[code]()
        if len(stack) > _MOST or len(memo) > _MOST:
            raise ValueError("more objects than a file of weights has")
    return stack.pop()
