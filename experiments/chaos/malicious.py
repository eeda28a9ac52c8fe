"""Read files that were made to execute code, to fill the memory or to never end.

Every file must be read or be refused in one sentence, as in the trial of mutations. If one of them executed code, it
would create a file (the canary).
"""

import io
import json
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from experiments.chaos.case import Case
from experiments.chaos.mutations import write
from experiments.chaos.readers import Kind, kinds, make_zip
from experiments.chaos.sandbox import Sandbox

COUNT = 1000  # more than there are files, so that all of them are tried


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return "" if sys.platform == "linux" else "It limits the memory of a process, which requires Linux."


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each file.

    Args:
      count: largest number of files.
      seed: not used, because the files are fixed.
      folder: directory for the files.
    """
    known, canary = kinds(), folder / "canary"
    sandbox = Sandbox(canary)
    try:
        for name, kind, content in list(files(known, canary))[:count]:
            outcome = sandbox.read(kind, write(known[kind], content, folder / "file"))
            outside = [path.name for path in folder.iterdir() if path.name not in ("file", "canary")]
            failed = outcome.failed or bool(outside)
            yield Case(f"{kind}: {name}", outcome.name, failed, outcome.detail + " ".join(outside))
    finally:
        sandbox.close()


def files(known: dict[str, Kind], canary: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield the name of an attack, the kind of file, and the content.

    Args:
      known: the kinds of files, from ``readers.kinds()``.
      canary: the file that executed code would create.
    """
    yield from _pickles(known, canary)
    yield from _zips()
    yield from _bombs(known)
    yield from _headers()
    yield from _texts(canary)
    yield from _disguised(canary)


def _pickles(known: dict[str, Kind], canary: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield pickles that call a function, which are written by hand, because nothing here may read or make pickles."""
    opening = f"open({str(canary)!r}, 'w')"
    calls = {
        "os.system": ("posix", "system", [f"touch {canary}"]),
        "open": ("builtins", "open", [str(canary), "w"]),
        "exec": ("builtins", "exec", [opening]),
        "eval": ("builtins", "eval", [opening]),
    }
    for call, function in calls.items():
        for protocol in (0, 2, 4):
            content = _pickle(_call(*function, protocol), protocol)
            yield f"pickle, call of {call}, protocol {protocol}", "older pth", content
        state_dict = _pickle(b"}" + _text("weight") + _call(*function, 2) + b"s", 2)
        zipped = _zip({"m/data.pkl": state_dict, "m/byteorder": b"little"})
        yield f"pickle in a zip, call of {call}", "pth", zipped
        objects = _npy_header("(1,)", "|O") + _pickle(_call(*function, 4), 4)
        yield f"array of objects, call of {call}", "npy", objects
        for kind, name in (("npz", "images"), ("weights npz", "weight"), ("voxel npz", "voxels"), ("projection", "ws")):
            yield f"array of objects, call of {call}", kind, _zip({f"{name}.npy": objects})
        weights = _zip({"w.npy": objects})
        translator = _with_members(known["translator"], {"weights.npz": weights})
        yield f"array of objects, call of {call}", "translator", translator


def _pickle(operations: bytes, protocol: int) -> bytes:
    return (b"" if protocol == 0 else b"\x80" + bytes([protocol])) + operations + b"."


def _call(module: str, name: str, arguments: list[str], protocol: int) -> bytes:
    """Return the operations of a pickle that call a function with texts."""
    function = f"c{module}\n{name}\n".encode()
    if protocol == 4:
        function = _text(module) + _text(name) + b"\x93"
    texts = [f"V{argument}\n".encode() if protocol == 0 else _text(argument) for argument in arguments]
    return function + b"(" + b"".join(texts) + b"tR"


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<L", len(text.encode())) + text.encode()


def _zips() -> Iterator[tuple[str, str, bytes]]:
    png = _png(8, 8, zlib.compress(bytes(8 * 25)))
    for name in ("../../escaped.png", "/escaped.png", "C:\\escaped.png", "..\\escaped.png", "a/../../escaped.png"):
        yield f"path out of the zip, {name}", "image zip", _zip({name: png, "a.png": png})
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.png", png)
    yield "link in the zip", "image zip", file.getvalue()
    yield "name with NUL", "image zip", _zip({"aXb.png": png}).replace(b"aXb", b"a\0b")
    yield "name with control characters", "image zip", _zip({"a\x1b[2Jerror: forged.png": b"no image"})
    nested = png
    for depth in range(20):
        nested = _zip({f"{depth}.zip": nested, "a.png": png})
    yield "zips inside each other", "image zip", nested
    yield "the zip itself as its member", "image zip", _zip({"a.zip": _zip({"a.png": png}) * 2, "a.png": png})
    content = _zip({"images.npy": _npy_header("(4,)", "|u1") + b"1234", "labels.npy": b"x" * 100})
    second = content.rindex(b"PK\x01\x02")
    overlapping = content[: second + 42] + struct.pack("<L", 0) + content[second + 46 :]
    yield "members that overlap", "npz", overlapping
    plain = _zip({"images.npy": b"x" * 100})
    yield "encrypted member", "npz", _in_directory(plain, 8, 1)
    yield "unknown compression", "npz", _in_directory(plain, 10, 99)


def _bombs(known: dict[str, Kind]) -> Iterator[tuple[str, str, bytes]]:
    zeros = bytes(4 * 10**8)
    yield (
        "400 MB of zeros",
        "npz",
        make_zip({"images.npy": _npy_header(f"({len(zeros)},)", "|u1") + zeros}),
    )
    yield (
        "400 MB of zeros",
        "weights npz",
        make_zip({"a.npy": _npy_header(f"({len(zeros)},)", "|u1") + zeros}),
    )
    yield "400 MB of zeros as a function", "generator", _with_members(known["generator"], {"draw": zeros})
    yield (
        "400 MB of zeros as metadata",
        "generator without digests",
        _with_members(known["generator"], {"metadata.json": zeros}),
    )
    yield "400 MB of zeros as weights", "translator", _with_members(known["translator"], {"weights.npz": zeros})
    yield "400 MB of zeros as an image", "image zip", make_zip({"a.png": zeros})
    yield "compressed record", "pth", make_zip({"m/data.pkl": zeros[: 10**8], "m/data/0": zeros})
    for kind, method in (("lzma", zipfile.ZIP_LZMA), ("bzip2", zipfile.ZIP_BZIP2)):
        yield f"400 MB of zeros in {kind}", "npz", make_zip({"images.npy": zeros}, method)
    del zeros
    yield "PNG of 40,000 x 40,000 pixels", "png image", _png(40_000, 40_000, zlib.compress(bytes(10**6)))
    yield "PNG of 2^31 x 2^31 pixels", "png image", _png(2**31 - 1, 2**31 - 1, b"")
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**8)))
    yield "PNG with a text of 200 MB", "png image", _png(8, 8, zlib.compress(bytes(200)), text)
    shared = b"\x80\x02]q\x00" + b"".join(
        b"]q" + bytes([i + 1]) + b"(" + (b"h" + bytes([i])) * 50 + b"e" for i in range(40)
    )
    yield "lists that contain each other many times", "older pth", shared + b"."


def _headers() -> Iterator[tuple[str, str, bytes]]:
    yield "header of 2^63 bytes", "safetensors", (2**63).to_bytes(8, "little") + b"{}"
    yield "header of 90 MB", "safetensors", (9 * 10**7).to_bytes(8, "little") + b'{"a": ' + b"[" * 10**6
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    yield (
        "tensors that overlap",
        "safetensors",
        _safetensors({"a": entry, "b": {**entry, "data_offsets": [4, 12]}}, bytes(12)),
    )
    yield "negative sizes", "safetensors", _safetensors({"a": {**entry, "shape": [-1, -2]}}, bytes(8))
    yield "huge sizes", "safetensors", _safetensors({"a": {**entry, "shape": [2**40, 2**40]}}, bytes(8))
    yield "no data, many axes", "safetensors", _safetensors({"a": {**entry, "shape": [1] * 10**5 + [2]}}, bytes(8))
    for shape in (f"({2**60},)", "(-1, -8)", f"({2**40}, {2**40}, 0)", "(" * 5000, "__import__('os').system('id')"):
        yield f"shape {shape[:40]}", "npy", _npy_header(shape, "|u1") + bytes(8)
    yield "items without size", "npy", _npy_header(f"({2**60},)", "<U0")
    yield (
        "cube of side 10^9",
        "binvox",
        b"#binvox 1\ndim 1000000000 1000000000 1000000000\ndata\n" + bytes([1, 255]) * 9,
    )
    yield "endless header", "binvox", b"#binvox 1\n" + b"dim 4 4 4\n" * 10**6


def _texts(canary: Path) -> Iterator[tuple[str, str, bytes]]:
    deep = b"[" * 10**6
    for kind in ("dataset.json", "config.json", "metrics.jsonl", "settings"):
        yield "lists inside each other", kind, deep + b"]" * 10**6 + b"\n"
        yield "objects inside each other", kind, b'{"a":' * 10**5 + b"1" + b"}" * 10**5 + b"\n"
        yield "number of a million digits", kind, b'{"step": ' + b"9" * 10**6 + b"}\n"
        yield "bytes that are not UTF-8", kind, b'{"step": "\xff\xfe"}\n'
        yield "NUL", kind, bytes(1000)
    yield (
        "path out of the folder",
        "dataset.json",
        json.dumps({"labels": [["../../../../etc/passwd", 0], ["a.png", 0]]}).encode(),
    )
    yield "name with NUL", "dataset.json", json.dumps({"labels": [["a\0.png", 0]]}).encode()
    yield "program", "config.json", json.dumps({"experiment": f"os.system('touch {canary}')", "config": {}}).encode()
    yield "YAML that creates objects", "settings", f"steps: !!python/object/apply:os.system ['touch {canary}']".encode()
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    yield "YAML that doubles itself", "settings", laughs.encode()
    yield "YAML that contains itself", "settings", b"steps: &a [*a]\n"


def _disguised(canary: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield files of other formats under the names of images and weights."""
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    svg = f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "x">{entities}]><svg>&a11;</svg>'.encode()
    postscript = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {canary}) (w) file\nshowpage\n".encode()
    )
    pdf = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch/F(touch)>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    for name, content in (
        ("SVG", svg),
        ("PostScript", postscript),
        ("PDF", pdf),
        ("script", f"#!/bin/sh\ntouch {canary}\n".encode()),
    ):
        for kind in ("png image", "jpg image", "image zip", "pth", "npz", "generator"):
            yield f"{name} in disguise", kind, _zip({"a.png": content}) if kind == "image zip" else content


def _zip(members: dict[str, bytes]) -> bytes:
    return make_zip(members, zipfile.ZIP_STORED)


def _with_members(kind: Kind, members: dict[str, bytes]) -> bytes:
    """Return an exported model with other members."""
    with zipfile.ZipFile(io.BytesIO(kind.content)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    return make_zip({**content, **members})


def _in_directory(content: bytes, offset: int, value: int) -> bytes:
    """Set the number at an offset of the first entry in the directory of a zip: its flags or its compression."""
    start = content.index(b"PK\x01\x02") + offset
    return content[:start] + struct.pack("<H", value) + content[start + 2 :]


def _npy_header(shape: str, dtype: str) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def _safetensors(tensors: dict, data: bytes) -> bytes:
    header = json.dumps(tensors).encode()
    return len(header).to_bytes(8, "little") + header + data


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def _png(width: int, height: int, pixels: bytes, more: bytes = b"") -> bytes:
    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + more + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
