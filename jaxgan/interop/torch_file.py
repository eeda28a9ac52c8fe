"""Read PyTorch's files of weights without PyTorch, and without executing the code in them.

``torch.save`` writes Python pickles, which can name any function and call it. This module interprets the opcodes of a
pickle with a table. It supports numbers, strings, containers and the four functions that create tensors. Any other
object causes an error that names the object. Two formats are supported: zip files (since PyTorch 1.6) and the older
sequences of pickles. The tar files of 2016 are not supported.
"""

import io
import math
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxgan.core.files import open_regular
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
_MAGIC = 0x1950A86A20F9469CFC6C  # the value of the first pickle of an older file
# Limits against malicious files: the number of objects, the depth of their nesting, and the characters of a name. The
# format has no such limits.
_MAX_OBJECTS, _MAX_DEPTH, _MAX_NAME = 1 << 20, 50, 1000
_BIG_ENDIAN = "The numbers in the file are big-endian. Load it in PyTorch on a little-endian machine and save it again."


class _Refused(ValueError):
    """Raised with a sentence about the file, in contrast to the errors of Python about damaged content."""


class _Storage(NamedTuple):
    """The numbers of a tensor.

    Attributes:
      key: the name of the record in the file that contains the numbers.
      dtype: a value of ``_DTYPES``.
    """

    key: str
    dtype: str


class _Tensor(NamedTuple):
    """A tensor, which is a view of a storage. The offset and the strides count items of the storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Global(NamedTuple):
    """The name of a function or class, which is not imported."""

    module: str
    name: str


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return a dictionary from names to the tensors of a file that ``torch.save`` wrote.

    The keys of nested dictionaries are joined with dots, as in ``state_dict.conv.weight``. Values that are not tensors
    are ignored. Tensors of bfloat16 are converted to float32. Reading a file, even a malicious one, needs at most a few
    times as much memory as the file has bytes.

    Args:
      path: the file to read.

    Raises:
      ValueError: if the file has an unknown format, is damaged, or contains objects that are not tensors.
      OSError: if the file cannot be read.
    """
    path = Path(path)
    with open_regular(path) as file:
        content = file.read()
    try:
        tree, data = (_from_zip if zipfile.is_zipfile(io.BytesIO(content)) else _from_pickles)(io.BytesIO(content))
        tensors: dict[str, _Tensor] = {}
        _collect_tensors(tree, "", tensors, [_MAX_OBJECTS])
        # Several tensors can share one storage. The limit ensures that a small file cannot fill the memory.
        if sum(map(_nbytes, tensors.values())) > 4 * len(content) + 2**26:
            raise _Refused("The tensors of the file would be far larger than the file.")
        return {name: _array(tensor, data) for name, tensor in tensors.items()}
    except _Refused as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # damaged files can lead to any kind of error
        raise ValueError(f"{path} is not a PyTorch file, or it is damaged ({type(error).__name__}).") from None


def _from_zip(file: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
    """Read the current format.

    Returns:
      The value of the pickle, and a dictionary from the names of the records in the file to their bytes.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        programs = [i.filename for i in members if i.filename == "data.pkl" or i.filename.endswith("/data.pkl")]
        if len(programs) != 1:
            raise _Refused(
                f"The zip file is not from PyTorch, because it contains {len(programs)} files named data.pkl."
            )
        if any(info.compress_type != zipfile.ZIP_STORED for info in members):
            raise _Refused("The zip file is not from PyTorch, because its members are compressed.")
        if sum(info.file_size for info in members) > file.seek(0, io.SEEK_END):
            raise _Refused("The zip file is damaged, because its members are larger than the file.")
        root = programs[0].removesuffix("data.pkl")
        data = {i.filename.removeprefix(root): archive.read(i) for i in members if i.filename.startswith(root)}
    if data.get("byteorder", b"little") != b"little":
        raise _Refused(_BIG_ENDIAN)
    tree = _Unpickler(io.BytesIO(data["data.pkl"])).run()
    return tree, {name.removeprefix("data/"): content for name, content in data.items()}


def _from_pickles(file: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
    """Read the older format.

    Returns:
      The value of the main pickle, and a dictionary from the names of the records in the file to their bytes.
    """
    first = file.read(1)
    file.seek(0)
    if first != b"\x80" or _Unpickler(file).run() != _MAGIC:
        raise _Refused(
            "The file was not written by torch.save, or it was written by a PyTorch version of 2016. Save it again "
            "with a newer version."
        )
    _Unpickler(file).run()  # the version of the protocol
    if _Unpickler(file).run().get("little_endian") is not True:
        raise _Refused(_BIG_ENDIAN)
    machine = _Unpickler(file)
    tree = machine.run()
    data = {}
    for key in _Unpickler(file).run():
        count, dtype = struct.unpack("<q", file.read(8))[0], machine.storages[_checked_name(key)].dtype
        size = count * _itemsize(dtype)
        data[key] = file.read(max(size, 0))
        if len(data[key]) != size:
            raise _Refused(f"The file is damaged, because it ends within storage {key}.")
    return tree, data


def _collect_tensors(tree: Any, prefix: str, found: dict[str, _Tensor], left: list[int], depth: int = 0) -> None:
    """Add the tensors of a tree to a dictionary.

    Args:
      tree: the value of a pickle, or a part of it.
      prefix: the name of the tree; the names of its tensors begin with it.
      found: the dictionary from names to tensors, to which the tensors are added.
      left: a list with one number, the number of objects that may still be visited. The number is limited, because a
        tree can contain the same part many times.
      depth: the depth of ``tree`` within the complete tree.
    """
    left[0] -= 1
    if left[0] < 0 or depth > _MAX_DEPTH:
        raise _Refused("The file has more objects, or a deeper nesting, than any file of weights.")
    if isinstance(tree, _Tensor):
        if prefix in found:
            raise _Refused(f"The file has two tensors with the name {quote(prefix)}.")
        found[prefix or "tensor"] = tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            _collect_tensors(value, f"{prefix}.{key}" if prefix else str(key), found, left, depth + 1)


def _checked_name(value: Any) -> Any:
    """Check that a name is a short string or an integer, and return it.

    Other objects are refused, because hashing or printing a nested tuple could take forever.
    """
    if not isinstance(value, (str, int)) or (isinstance(value, str) and len(value) > _MAX_NAME):
        raise _Refused(f"A name in the file must be an integer or a short string, got {quote(value)}.")
    return value


def _sizes(values: Any) -> tuple[int, ...]:
    """Check the shape, the strides or the offset of a tensor in the file, and return the integers as a tuple.

    Raises:
      ValueError: if there are too many integers, or if a value is not an integer of at least 0.
    """
    if not isinstance(values, (tuple, list)) or len(values) > MAX_AXES:
        axes = f"{len(values)} axes" if isinstance(values, (tuple, list)) else quote(values)
        raise _Refused(f"The shape of a tensor must have at most {MAX_AXES} axes, got {axes}.")
    if any(not isinstance(value, int) or not 0 <= value < 2**63 for value in values):
        raise _Refused("The shape, offset and strides of a tensor must be integers of at least 0.")
    return tuple(values)


def _itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _nbytes(tensor: _Tensor) -> int:
    """Return the number of bytes that the array of a tensor needs, counting at least 4 bytes for each number."""
    return math.prod(tensor.shape) * max(4, _itemsize(tensor.storage.dtype))


def _array(tensor: _Tensor, data: Mapping[str, bytes]) -> np.ndarray:
    """Return the array of a tensor."""
    (key, dtype), offset, shape, strides = tensor
    numbers = np.frombuffer(data[key], "<u2" if dtype == "bfloat16" else dtype)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    if not math.prod(shape):
        return np.zeros(shape, np.float32 if dtype == "bfloat16" else numbers.dtype)
    if last >= len(numbers) or len(shape) != len(strides):
        raise _Refused(f"A tensor of shape {shape} does not fit into its storage of {len(numbers):,} numbers.")
    steps = tuple(step * numbers.itemsize for step in strides)
    array = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False).copy()
    return from_bfloat16(array) if dtype == "bfloat16" else array


def _call(function: Any, arguments: tuple) -> Any:
    """Return the result of a function call in a pickle. Only the functions that files of weights need are supported."""
    if not isinstance(function, _Global):
        raise _Refused("The pickle in the file is invalid, because it calls an object that is not a function.")
    name = ".".join(function)
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name == "torch._utils._rebuild_tensor_v2":
        storage, offset, shape, strides, *more = arguments
        if not isinstance(storage, _Storage):
            raise _Refused("The file has a tensor without a storage.")
        # The arguments are requires_grad, hooks and metadata, for example a flag that the tensor is conjugated.
        if any(more[2:]):
            raise _Refused(
                "The file has a conjugated or negated view of a tensor. Save the tensor after .resolve_conj() and "
                ".resolve_neg()."
            )
        (first,) = _sizes([offset])
        return _Tensor(storage, first, _sizes(shape), _sizes(strides))
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "torch.Size":
        return _sizes(arguments[0])
    raise _Refused(
        f"The file calls {quote(name)}, which is not executed. Only tensors can be read. Save model.state_dict() "
        "instead."
    )


def _parse_storage(found: Any) -> _Storage:
    """Return the storage that a persistent id describes.

    A persistent id is the tuple ("storage", type, key, device, count). Older files have a sixth part.
    """
    if found[0] != "storage":
        raise _Refused(
            f"The file contains {quote(found[0])}, which cannot be read without executing its code. Save "
            "model.state_dict() instead."
        )
    _, storage_type, key, _, _, *view = found
    if not isinstance(storage_type, _Global) or storage_type.name not in _DTYPES or any(view):
        raise _Refused(
            "The file has a storage that cannot be read. It must not be a view, and its type must be one of "
            f"{', '.join(_DTYPES)}."
        )
    return _Storage(_checked_name(key), _DTYPES[storage_type.name])


class _Unpickler:
    """An interpreter of one pickle. https://docs.python.org/3/library/pickletools.html describes the opcodes.

    Attributes:
      file: the file, which is read from its current position.
      stack: the stack of the pickle machine.
      marks: the positions of the marks on the stack.
      memo: a dictionary from numbers to the values that the pickle has memorised.
      storages: a dictionary from keys to the storages that the pickle refers to.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self) -> Any:
        """Return the value of the pickle. Afterwards, the file is at the end of the pickle."""
        while (code := self.file.read(1)) != b".":
            if code not in _OPCODES:
                if code:
                    raise _Refused(f"The file contains the opcode {code!r}, which files of weights do not need.")
                raise _Refused("The file is damaged, because it ends too early.")
            _OPCODES[code](self)
            if max(len(self.stack), len(self.memo), len(self.marks)) > _MAX_OBJECTS:
                raise _Refused("The file has more objects than any file of weights.")
        return self.stack.pop()

    def read_number(self, form: str) -> Any:
        """Read the next number of the file, in a format of ``struct``."""
        return struct.unpack(form, self.file.read(struct.calcsize(form)))[0]

    def read_text(self, form: str) -> str:
        size = self.read_number(form)
        read = self.file.read(size)
        if len(read) != size:
            raise _Refused("The file is damaged, because it ends within a string.")
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
        """Remove the last ``count`` values from the stack and return them."""
        if count > len(self.stack):
            raise _Refused("The file is damaged: its pickle takes more values from the stack than it contains.")
        return [self.stack.pop() for _ in range(count)][::-1]

    def pop_mark(self) -> list[Any]:
        """Remove the values above the last mark from the stack and return them."""
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
        """Discard the state of an object. In files of weights, the state consists of attributes of a dictionary.

        An example is the attribute ``_metadata`` of a module's state dict.
        """
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
