"""Change files of every kind that jaxgan reads, and read them in a child process.

A mutation truncates the file, flips bits, duplicates, inserts or zeroes a block, splices two files, or replaces a
length or a number. In zip files, half of the mutations change a member and write the checksum of the changed content,
so that the reader of the member receives it. Each file must be read or be refused in one sentence: no traceback, no
hang, no crash, and no growth of the memory above 500 MB.
"""

import io
import random
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.chaos.case import Case
from experiments.chaos.readers import Kind, kinds
from experiments.chaos.sandbox import Sandbox

COUNT = 3000
_EXTREMES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_NUMBERS = (b"-1", b"0", b"1e999", b"NaN", b"99999999999999999999", b"2147483648", b"0.5", b'""', b"[]", b"null")


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return "" if sys.platform == "linux" else "It limits the memory of a process, which requires Linux."


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each mutation.

    Args:
      count: number of mutations, spread evenly over the kinds of files.
      seed: seed of the mutations.
      folder: directory for the files.
    """
    known, sandbox = kinds(), Sandbox()
    names = list(known)
    try:
        for index in range(count):
            name = names[index % len(names)]
            rng = random.Random(f"{seed} mutation {index}")
            mutation, content = mutate(known[name].content, rng, [kind.content for kind in known.values()])
            outcome = sandbox.read(name, write(known[name], content, folder / "file"))
            yield Case(f"{index}: {name}, {mutation}", outcome.name, outcome.failed, outcome.detail)
    finally:
        sandbox.close()


def write(kind: Kind, content: bytes, folder: Path) -> Path:
    """Write a file and the files beside it to a new folder, and return its path.

    Args:
      kind: the kind of the file.
      content: the content of the file.
      folder: the folder, which is replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, other in kind.beside.items():
        (folder / name).write_bytes(other)
    (folder / kind.name).write_bytes(content)
    return folder / kind.name


def mutate(content: bytes, rng: random.Random, others: list[bytes]) -> tuple[str, bytes]:
    """Return the name of a random mutation, and the mutated content.

    Args:
      content: the content of a file.
      rng: the source of randomness.
      others: contents of other files, for splices.
    """
    if zipfile.is_zipfile(io.BytesIO(content)) and rng.random() < 0.5:
        return _mutate_member(content, rng, others)
    name = rng.choice(list(MUTATIONS))
    return name, MUTATIONS[name](content, rng, others)


def _mutate_member(content: bytes, rng: random.Random, others: list[bytes]) -> tuple[str, bytes]:
    """Mutate a member of a zip, and write the zip again with correct checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    chosen = rng.choice(list(members))
    mutation, members[chosen] = mutate(members[chosen], rng, others)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for info, data in members.items():
            archive.writestr(info.filename, data, info.compress_type)
    return f"{mutation} in {chosen.filename}", file.getvalue()


def _block(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Return the start and the end of a random block."""
    start = rng.randrange(len(content) + 1)
    return start, min(start + rng.choice((1, 4, 16, 64, 512)), len(content))


def _truncate(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _duplicate(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    start, end = _block(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 1, 100)) + content[end:]


def _insert(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    start, end = _block(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[start:]


def _zero(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    start, end = _block(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _splice(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _change_length(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    start = rng.randrange(max(min(len(content), 4096 if rng.random() < 0.5 else len(content)), 1))
    value = rng.choice([x for x in _EXTREMES if x < 256**size])
    return content[:start] + value.to_bytes(size, rng.choice(("little", "big"))) + content[start + size :]


def _change_number(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Replace a number that is written in digits, as in JSON and in the headers of arrays."""
    numbers = list(re.finditer(rb"[0-9]+", content))
    if not numbers:
        return _change_length(content, rng, others)
    found = rng.choice(numbers)
    return content[: found.start()] + rng.choice(_NUMBERS) + content[found.end() :]


MUTATIONS: dict[str, Callable[[bytes, random.Random, list[bytes]], bytes]] = {
    "truncated": _truncate,
    "flipped bits": _flip,
    "duplicated block": _duplicate,
    "inserted block": _insert,
    "zeroed block": _zero,
    "spliced": _splice,
    "changed length": _change_length,
    "changed number": _change_number,
}
