"""Load the lines of a text file as arrays of character numbers.

All lines have the same length: shorter lines are padded, and longer lines are cut or left out. The numbers of a line
are the positions of its characters in a vocabulary:

  0       the end of the line, and the padding after it
  1       any character that is not in the vocabulary, shown as U+FFFD
  2, ...  the characters of the training lines, the most frequent first

``hiawatha`` is a text that is bundled with the package: "The Song of Hiawatha" by H. W. Longfellow (1855), which is in
the public domain; see ``hiawatha_license.txt`` in the folder of this file.
"""

import gzip
import shlex
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from jaxgan.core.files import read_limited
from jaxgan.data.loading import suggest_path
from jaxgan.data.source import NamedArrays

END, UNKNOWN = 0, 1  # numbers of the end of a line and of an unknown character
UNKNOWN_CHARACTER = "\ufffd"
MAX_BYTES = 2**30  # largest size of a text file
MIN_LINES = 10  # smallest number of lines
_BUNDLED = Path(__file__).with_name("hiawatha.txt.gz")
_TEST_SEED = 0  # seed of the choice of the test lines, so that the split is always the same
# The first bytes of files that are not text in UTF-8, and what they are.
_OTHER_FORMATS = {
    b"\xff\xfe": "is text in UTF-16",
    b"\xfe\xff": "is text in UTF-16",
    b"\x1f\x8b": "is compressed with gzip",
    b"\xfd7zXZ": "is compressed with xz",
    b"BZh": "is compressed with bzip2",
    b"PK\x03\x04": "is a zip file, or a document that is stored as one",
    b"%PDF": "is a PDF file",
}


def load(
    data: str = "hiawatha",
    *,
    length: int = 32,
    long_lines: Literal["cut", "drop"] = "cut",
    max_characters: int = 200,
    test_fraction: float = 0.1,
    argument: str = "data",
) -> NamedArrays:
    """Return the lines of a text file as a source, with test lines as its ``test``.

    Blank lines are left out, and white space at both ends of a line. Tabs and other white space become spaces, and
    characters that are not printable are removed. Characters are code points in Unicode's normal form C. The test lines
    are chosen at random among the different lines, with a fixed seed, and no test line is equal to a training line.

    The batches have the array ``text``, [B, length]: the numbers of the characters, uint8, or int32 if there are more
    than 256 of them. ``details`` has the settings of ``media.Text``: ``characters``, the vocabulary as a string,
    without the end of a line and the unknown character, and ``length``.

    Args:
      data: the path of a text file in UTF-8, or ``hiawatha`` for the bundled text.
      length: number of characters of a line.
      long_lines: what happens to longer lines: ``cut`` keeps their first ``length`` characters, and ``drop`` leaves
        them out.
      max_characters: largest number of characters in the vocabulary. The rarer ones become unknown characters.
      test_fraction: fraction of the different lines that are test lines, below 1. With 0, there are no test lines.
      argument: the name of the caller's argument, for messages.

    Raises:
      ValueError: if the file does not exist, is not text in UTF-8, or has fewer than 10 lines that can be used; or if a
        number is out of range.
      OSError: if the file cannot be read.

    Warns:
      UserWarning: if lines are cut or left out, or if characters become unknown.
    """
    for name, number, least in (("length", length, 1), ("max_characters", max_characters, 1)):
        if number < least:
            raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    if long_lines not in ("cut", "drop"):
        raise ValueError(f"`long_lines` must be cut or drop, got {long_lines!r}.")
    if not 0 <= test_fraction < 1:
        raise ValueError(f"`test_fraction` must be at least 0 and below 1, got {test_fraction}.")
    text, name = _read(data, argument)
    lines = _fit(clean_lines(text), length, long_lines, name, argument)
    train, test = _split(lines, test_fraction)
    characters = find_characters(train, max_characters)
    _warn_of_unknown(train, characters, max_characters, name)
    details = {"characters": characters, "length": length}

    def as_source(lines, suffix="", **kwargs):
        return NamedArrays({"text": encode(lines, characters, length)}, name + suffix, details=details, **kwargs)

    return as_source(train, test=as_source(test, " (test lines)") if test else None)


def clean_lines(text: str) -> list[str]:
    r"""Return the lines of a text that are not blank, as ``load`` reads them.

    >>> clean_lines("  one\ttwo  \r\n\n three\n")
    ['one two', 'three']

    Args:
      text: the text, with any line breaks.
    """
    lines = map(_make_printable, unicodedata.normalize("NFC", text).splitlines())
    return [line for line in map(str.strip, lines) if line]


def _make_printable(line):
    if line.isprintable():
        return line
    return "".join(" " if c.isspace() else c for c in line if c.isspace() or c.isprintable())


def find_characters(lines: Iterable[str], most: int) -> str:
    """Return the most frequent characters of lines, the most frequent first, and equally frequent ones by code point.

    >>> find_characters(["banana", "bread"], 3)
    'abn'

    Args:
      lines: the lines.
      most: largest number of characters.
    """
    counts = Counter()
    for line in lines:
        counts.update(line)
    del counts[UNKNOWN_CHARACTER]
    return "".join(sorted(counts, key=lambda character: (-counts[character], character))[:most])


def encode(lines: Sequence[str], characters: str, length: int) -> np.ndarray:
    """Return the numbers of the characters of lines, [N, length], uint8, or int32 if there are more than 256 of them.

    >>> encode(["ab", "a?"], "ab", 3)
    array([[2, 3, 0],
           [2, 1, 0]], dtype=uint8)

    Args:
      lines: the lines. Characters after the first ``length`` of a line are ignored.
      characters: the vocabulary: character i has the number i + 2.
      length: number of characters of a line.
    """
    numbers = {character: i + 2 for i, character in enumerate(characters)}
    rows = np.zeros((len(lines), length), np.uint8 if len(characters) + 2 <= 256 else np.int32)
    for row, line in zip(rows, lines):
        known = [numbers.get(character, UNKNOWN) for character in line[:length]]
        row[: len(known)] = known
    return rows


def decode(rows: np.ndarray, characters: str) -> list[str]:
    """Return the lines whose characters have these numbers: the inverse of ``encode``.

    >>> decode(np.array([[2, 3, 0], [2, 1, 0]]), "ab")
    ['ab', 'a\ufffd']

    Args:
      rows: numbers of characters, [N, length]. A line ends before its first 0.
      characters: the vocabulary: character i has the number i + 2.

    Raises:
      ValueError: if a number is negative or above the largest number of a character.
    """
    table = np.array(["", UNKNOWN_CHARACTER, *characters])
    if rows.size and not 0 <= rows.min() <= rows.max() < len(table):
        raise ValueError(
            f"The numbers of characters must be between 0 and {len(table) - 1}, got {rows.min()} to {rows.max()}."
        )
    before_end = np.cumsum(np.asarray(rows) == END, axis=1) == 0
    return ["".join(line) for line in np.where(before_end, table[rows], "").tolist()]


def _read(data, argument):
    """Return the text that ``data`` names, and its name."""
    if data == "hiawatha":
        return gzip.decompress(_BUNDLED.read_bytes()).decode(), data
    path = Path(data)
    if not path.exists():
        hint = suggest_path(path) or " The bundled text is hiawatha."
        raise ValueError(f"`{argument}` {data!r} does not exist.{hint}")
    if path.is_dir():
        raise ValueError(f"`{argument}` must be a text file, got a folder, {data!r}.")
    return _decode_bytes(read_limited(path, MAX_BYTES), f"`{argument}` {data!r}", path), data


def _decode_bytes(content, where, path):
    """Return the content of a text file as a string."""
    if not content.strip():
        raise ValueError(f"{where} is an empty file. It must have at least {MIN_LINES} lines of text.")
    quoted = shlex.quote(str(path))
    for start, kind in _OTHER_FORMATS.items():
        if content.startswith(start):
            if "UTF-16" in kind:
                fix = f"Convert it, for example with `iconv -f UTF-16 -t UTF-8 {quoted} > utf8.txt`."
            else:
                fix = "Save its text as a .txt file in UTF-8."
            raise ValueError(f"{where} {kind}, but it must be text in UTF-8. {fix}")
    if (at := content.find(0)) >= 0:
        raise ValueError(
            f"{where} is not a text file: byte {at + 1:,} is zero. It must be text in UTF-8, with one example per line."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ValueError(
            f"{where} is not text in UTF-8: byte {column:,} of line {line:,} is 0x{content[error.start]:02X}. If it is "
            f"text in another encoding, such as Windows-1252, convert it, for example with "
            f"`iconv -f WINDOWS-1252 -t UTF-8 {quoted} > utf8.txt`."
        ) from None


def _fit(lines, length, long_lines, name, argument):
    """Return the lines with at most ``length`` characters each, and warn of lines that are cut or left out."""
    long = [i for i, line in enumerate(lines) if len(line) > length]
    if long and long_lines == "drop":
        kept = [line for line in lines if len(line) <= length]
    else:
        kept = [line[:length].rstrip() for line in lines]
    if long and not kept:
        shortest = min(map(len, lines))
        raise ValueError(
            f"All {len(lines):,} lines of `{argument}` {name!r} have more than `length` {length} characters; the "
            f"shortest has {shortest}. Set `length` to at least {shortest}, or `long_lines` to cut."
        )
    if len(kept) < MIN_LINES:
        lost = f" Another {len(long):,} are longer than `length` {length} characters." if len(kept) < len(lines) else ""
        raise ValueError(
            f"`{argument}` {name!r} must have at least {MIN_LINES} lines that are not blank, got {len(kept)}.{lost}"
        )
    if long:
        done = "are left out" if long_lines == "drop" else "are cut"
        warnings.warn(
            f"{name}: {len(long):,} of {len(lines):,} lines have more than {length} characters and {done}. The first "
            f"of them begins with {lines[long[0]][:40]!r}.",
            stacklevel=3,
        )
    return kept


def _split(lines, test_fraction):
    """Return the training lines and the test lines, both in their original order. Equal lines are in the same part."""
    different = list(dict.fromkeys(lines))
    count = min(round(test_fraction * len(different)), len(different) - 1)
    chosen = np.random.default_rng(_TEST_SEED).permutation(len(different))[:count]
    test = {different[i] for i in chosen}
    return [line for line in lines if line not in test], [line for line in lines if line in test]


def _warn_of_unknown(lines, characters, most, name):
    unknown = Counter("".join(lines))
    for character in characters:
        del unknown[character]
    if unknown:
        shown = " ".join(character for character, _ in unknown.most_common(10))
        warnings.warn(
            f"{name}: {len(unknown):,} of {len(unknown) + len(characters):,} different characters are not among the "
            f"{most:,} most frequent ones, and are replaced by the unknown character, for example {shown}.",
            stacklevel=3,
        )
