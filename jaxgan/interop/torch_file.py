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

from jaxgan.interop.untrusted import MAX_AXES, from_bfloat16, quote

_DTYPES = {
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
# Guards, which are no limits of the format: the objects of a file, their nesting, and the characters of a name.
_MAX_OBJECTS, _MAX_DEPTH, _MAX_NAME = 1 << 20, 50, 1000


class _Storage(NamedTuple):
    """A tensor's numbers: those of a record in the file, by its key."""

    key: str
    dtype: str


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

    It takes memory of a few times the file's size, whatever is in it.

    Raises:
      ValueError: the file is of no known format, damaged, or asks for anything but tensors; the message says which.
      OSError: it cannot be read.
    """
    path = Path(path)
    content = path.read_bytes()
    try:
        tree, data = (_from_zip if zipfile.is_zipfile(io.BytesIO(content)) else _from_pickles)(io.BytesIO(content))
        tensors: dict[str, _Tensor] = {}
        _collect_tensors(tree, "", tensors, [_MAX_OBJECTS])
        # Several names may share one storage; but a file of a few bytes must not fill the memory.
        if sum(map(_nbytes, tensors.values())) > 4 * len(content) + 2**26:
            raise ValueError("its tensors would be far larger than the file")
        return {name: _array(tensor, data) for name, tensor in tensors.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # what bytes that nobody wrote on purpose lead to, there is no list of
        raise ValueError(f"{path}: a damaged file of PyTorch's, or none ({type(error).__name__})") from error


def _from_zip(file: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        programs = [i.filename for i in members if i.filename == "data.pkl" or i.filename.endswith("/data.pkl")]
        if len(programs) != 1:
            raise ValueError(f"a zip, but not PyTorch's: it has {len(programs) or 'no'} data.pkl")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members):
            raise ValueError("a zip, but not PyTorch's: its members are compressed")
        if sum(info.file_size for info in members) > file.seek(0, io.SEEK_END):
            raise ValueError("a zip whose members are larger than itself")
        root = programs[0].removesuffix("data.pkl")
        data = {i.filename.removeprefix(root): archive.read(i) for i in members if i.filename.startswith(root)}
    if data.get("byteorder", b"little") != b"little":
        raise ValueError("its numbers are big-endian; save it again on another machine")
    tree = _Unpickler(io.BytesIO(data["data.pkl"])).run()
    return tree, {name.removeprefix("data/"): content for name, content in data.items()}


def _from_pickles(file: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
    first = file.read(1)
    file.seek(0)
    if first != b"\x80" or _Unpickler(file).run() != _MAGIC:
        raise ValueError("not a file that torch.save writes, or a tar of 2016: save it again with a newer PyTorch")
    _Unpickler(file).run()  # the version of the protocol
    if _Unpickler(file).run().get("little_endian") is not True:
        raise ValueError("its numbers are big-endian; save it again on another machine")
    machine = _Unpickler(file)
    tree = machine.run()
    data = {}
    for key in _Unpickler(file).run():
        count, dtype = struct.unpack("<q", file.read(8))[0], machine.storages[_checked_name(key)].dtype
        size = count * _itemsize(dtype)
        data[key] = file.read(max(size, 0))
        if len(data[key]) != size:
            raise ValueError(f"it ends within storage {key}")
    return tree, data


def _collect_tensors(tree: Any, prefix: str, found: dict[str, _Tensor], left: list[int], depth: int = 0) -> None:
    """Collect the tensors of a tree by name. ``left`` counts visits down: a part may occur again and again."""
    left[0] -= 1
    if left[0] < 0 or depth > _MAX_DEPTH:
        raise ValueError("more, or deeper, than a file of weights has")
    if isinstance(tree, _Tensor):
        if prefix in found:
            raise ValueError(f"two tensors are named {quote(prefix)}")
        found[prefix or "tensor"] = tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            _collect_tensors(value, f"{prefix}.{key}" if prefix else str(key), found, left, depth + 1)


def _checked_name(value: Any) -> Any:
    """A name, before it is looked up or printed: of a tuple of tuples either may take for ever."""
    if not isinstance(value, (str, int)) or (isinstance(value, str) and len(value) > _MAX_NAME):
        raise ValueError(f"{quote(value)} for a name")
    return value


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > MAX_AXES:
        raise ValueError(f"a tensor of {len(values) if isinstance(values, (tuple, list)) else 'no'} axes")
    if any(not isinstance(value, int) or not 0 <= value < 2**63 for value in values):
        raise ValueError("a tensor whose shape, offset or strides are no whole numbers from 0")
    return tuple(values)


def _itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _nbytes(tensor: _Tensor) -> int:
    return math.prod(tensor.shape) * max(4, _itemsize(tensor.storage.dtype))


def _array(tensor: _Tensor, data: Mapping[str, bytes]) -> np.ndarray:
    (key, dtype), offset, shape, strides = tensor
    numbers = np.frombuffer(data[key], "<u2" if dtype == "bfloat16" else dtype)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    if not math.prod(shape):
        return np.zeros(shape, np.float32 if dtype == "bfloat16" else numbers.dtype)
    if last >= len(numbers) or len(shape) != len(strides):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {len(numbers):,} numbers")
    steps = tuple(step * numbers.itemsize for step in strides)
    array = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False).copy()
    return from_bfloat16(array) if dtype == "bfloat16" else array


def _call(function: Any, arguments: tuple) -> Any:
    """The functions that files of weights call."""
    if not isinstance(function, _Global):
        raise ValueError("it calls what is no function")
    name = ".".join(function)
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name == "torch._utils._rebuild_tensor_v2":
        storage, offset, shape, strides, *more = arguments
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        if any(more[2:]):  # after requires_grad and hooks: that it is conjugate, or negated
            raise ValueError("a tensor that is told to be read in another way; save it as .clone()")
        (first,) = _sizes([offset])
        return _Tensor(storage, first, _sizes(shape), _sizes(strides))
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "torch.Size":
        return _sizes(arguments[0])
    raise ValueError(
        f"it calls {quote(name)}, which is not for weights; only tensors are read: save model.state_dict()"
    )


def _parse_storage(found: Any) -> _Storage:
    """Of a persistent id: ("storage", type, key, device, count), older ones with a sixth part."""
    if found[0] != "storage":
        raise ValueError(f"it holds {quote(found[0])}, whose code is not run; save model.state_dict()")
    _, storage_type, key, _, _, *view = found
    if not isinstance(storage_type, _Global) or storage_type.name not in _DTYPES or any(view):
        raise ValueError("a storage of a type that is not read")
    return _Storage(_checked_name(key), _DTYPES[storage_type.name])


class _Unpickler:
    """Interprets one pickle; the opcodes are in https://docs.python.org/3/library/pickletools.html.

    Attributes:
      file: read from its current position.
      stack, marks, memo: the state of the pickle machine.
      storages: those that were met, by key.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self) -> Any:
        """The value of the pickle. Then the file is at the end of the pickle."""
        while (code := self.file.read(1)) != b".":
            if code not in _OPCODES:
                raise ValueError(f"opcode {code!r} is not for weights" if code else "it ends too early")
            _OPCODES[code](self)
            if max(len(self.stack), len(self.memo), len(self.marks)) > _MAX_OBJECTS:
                raise ValueError("more objects than a file of weights has")
        return self.stack.pop()

    def read_number(self, form: str) -> Any:
        """The file's next number."""
        return struct.unpack(form, self.file.read(struct.calcsize(form)))[0]

    def read_text(self, form: str) -> str:
        size = self.read_number(form)
        read = self.file.read(size)
        if len(read) != size:
            raise ValueError("it ends within a text")
        return read.decode()

    def read_line(self) -> str:
        return self.file.readline()[:-1].decode("ascii")

    def read_long(self) -> int:
        return int.from_bytes(self.file.read(self.read_number("<B")), "little", signed=True)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def pop(self, count: int) -> list[Any]:
        """The last ``count`` values of the stack."""
        if count > len(self.stack):
            raise ValueError("it takes from an empty stack")
        return [self.stack.pop() for _ in range(count)][::-1]

    def pop_mark(self) -> list[Any]:
        """The values above the last mark of the stack."""
        return self.pop(len(self.stack) - self.marks.pop())

    def extend(self, items: list[Any]) -> None:
        self.stack[-1].extend(items)

    def set_items(self, pairs: list[Any]) -> None:
        self.stack[-1].update(zip(map(_checked_name, pairs[::2]), pairs[1::2], strict=True))

    def memoize(self, at: int) -> None:
        self.memo[at] = self.stack[-1]

    def stack_global(self) -> None:
        module, name = map(_checked_name, self.pop(2))
        self.push(_Global(str(module), str(name)))

    def reduce(self) -> None:
        function, arguments = self.pop(2)
        self.push(_call(function, arguments))

    def build(self) -> None:
        """An object's state, here attributes of a dictionary (``_metadata`` of modules), which no one needs."""
        self.stack.pop()

    def persistent_load(self) -> None:
        found = _parse_storage(self.stack.pop())
        self.storages[found.key] = found
        self.push(found)


_OPCODES: dict[bytes, Callable[[_Unpickler], Any]] = {
    b"\x80": lambda m: m.read_number("<B"),  # PROTO
    b"\x95": lambda m: m.read_number("<Q"),  # FRAME
    b"(": _Unpickler.mark,
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.read_number("<B")),
    b"M": lambda m: m.push(m.read_number("<H")),
    b"J": lambda m: m.push(m.read_number("<i")),
    b"G": lambda m: m.push(m.read_number(">d")),
    b"\x8a": lambda m: m.push(m.read_long()),
    b"X": lambda m: m.push(m.read_text("<I")),
    b"\x8c": lambda m: m.push(m.read_text("<B")),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"l": lambda m: m.push(m.pop_mark()),
    b"\x85": lambda m: m.push(tuple(m.pop(1))),
    b"\x86": lambda m: m.push(tuple(m.pop(2))),
    b"\x87": lambda m: m.push(tuple(m.pop(3))),
    b"a": lambda m: m.extend(m.pop(1)),
    b"e": lambda m: m.extend(m.pop_mark()),
    b"s": lambda m: m.set_items(m.pop(2)),
    b"u": lambda m: m.set_items(m.pop_mark()),
    b"q": lambda m: m.memoize(m.read_number("<B")),
    b"r": lambda m: m.memoize(m.read_number("<I")),
    b"\x94": lambda m: m.memoize(len(m.memo)),
    b"h": lambda m: m.push(m.memo[m.read_number("<B")]),
    b"j": lambda m: m.push(m.memo[m.read_number("<I")]),
    b"c": lambda m: m.push(_Global(m.read_line(), m.read_line())),
    b"\x93": _Unpickler.stack_global,
    b"R": _Unpickler.reduce,
    b"b": _Unpickler.build,
    b"Q": _Unpickler.persistent_load,
}
