"""Read tables from files: text with separators, ``.npz``, Parquet, Feather and Excel files.

``read_table`` finds the type of each column and converts its cells to numbers, see ``jaxgan.data.columns``. Data that
can be understood in several ways are refused: a cell that does not fit its column, a row of another length, and an
ambiguous date raise a ``ValueError`` that names the file, the row and the column.
"""

import csv
import dataclasses
import datetime
import difflib
import io
import itertools
import warnings
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.extras import require
from jaxgan.core.files import open_regular, reason_of
from jaxgan.core.tables import as_text
from jaxgan.core.text import list_names, printable, quote
from jaxgan.data.columns import (
    KINDS,
    Cells,
    Column,
    column_of_array,
    column_of_cells,
    column_table,
    encode_texts,
    is_number,
    place,
)

# Cells that are missing values: those of pandas.read_csv, and the question mark of the UCI repository.
_TOKENS = "? #N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null"
MISSING = ("", "#N/A N/A", *_TOKENS.split())
TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT_SUFFIXES, ".npz", ".parquet", ".feather", ".xlsx")
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_SAMPLE = 2**16  # number of characters in which the delimiter is searched
_BINARY = {  # the first bytes of files of other kinds
    b"PK\x03\x04": "a zip archive. If it is an Excel file, its name must end with .xlsx",
    b"PAR1": "a Parquet file, and its name must end with .parquet",
    b"\x1f\x8b": "compressed. Decompress it",
    b"\xfd7zXZ": "compressed. Decompress it",
    b"BZh": "compressed. Decompress it",
}


@dataclasses.dataclass(frozen=True, eq=False)
class TableFile:
    """The content of a file with a table.

    Attributes:
      name: the path of the file.
      columns: the columns in the order of the file.
      rows: the number of each row in the file, [N], for messages. In text and Excel files, rows are counted from the
        first line of the file, with the header and empty lines. In other files, the first row of values is row 1.
    """

    name: str
    columns: tuple[Column, ...]
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str, argument: str = "columns") -> Column:
        """Return a column by its name.

        Args:
          name: the name.
          argument: the name of the caller's argument, for messages.

        Raises:
          ValueError: if there is no such column. The message suggests the most similar name.
        """
        _check_known(self.name, self.names, [name], argument)
        return self.columns[self.names.index(name)]

    def where(self, index: int, column: str) -> str:
        """Return the place of a cell for messages, such as ``a.csv, row 7, column 'age'``.

        Args:
          index: index of the row, from 0 to the number of rows minus 1.
          column: the name of the column.
        """
        return place(self.name, int(self.rows[index]), column)

    def describe(self) -> str:
        """Return a text with one line for each column: its name, its kind, its values, and how many are missing."""
        title = f"{printable(self.name)}: {len(self):,} rows, {len(self.columns)} columns"
        all_values = [(column.type, column.values) for column in self.columns]
        found = ((type, np.nanmin(x), np.nanmax(x), int(np.isnan(x).sum())) for type, x in all_values)
        return as_text(column_table(title, found))


def read_table(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    types: Mapping[str, str] | None = None,
    missing: Sequence[str] = MISSING,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    argument: str = "data",
) -> TableFile:
    """Read a table from a file, and find the types of its columns.

    A column of whole numbers is ``integer``; of other numbers, with decimal points or decimal commas, ``number``; of
    the words true and false, ``boolean``; of dates in one ISO 8601 format, ``date``; and of other text, ``category``.
    Whole numbers with leading zeros are codes, and therefore categories.

    Args:
      path: a text file (``.csv``, ``.tsv``, ``.txt``) whose cells are separated by commas, semicolons, tabs or vertical
        bars; an ``.npz`` file with an array [N] for each column; or a ``.parquet``, ``.feather`` or ``.xlsx`` file,
        which is read by pandas. The first sheet of an Excel file is read.
      columns: the names of the columns to read; None reads all.
      types: kinds by the names of columns, in place of the found ones: ``integer``, ``number``, ``boolean``,
        ``category``, ``date`` for dates in an ISO format, or ``date:`` followed by a format of ``strptime``, such as
        ``date:%d/%m/%Y``.
      missing: the cells of text and Excel files that are missing values.
      delimiter: the character between the cells of a text file; None finds it in the first rows.
      encoding: the encoding of a text file. A byte order mark of UTF-8 is skipped.
      header: whether the first row of a text or Excel file contains the names of the columns. If False, they are
        ``column 1``, ``column 2`` and so on.
      argument: the name of the caller's argument for the path, for messages.

    Returns:
      The table, with at least two rows.

    Raises:
      ValueError: if the file cannot be read, or its content is not a table with columns of one type each. The message
        names the file, the row and the column.
      jaxgan.core.extras.MissingPackageError: if pandas or a package that it needs for the file is not installed.

    Warns:
      UserWarning: if an Excel file has several sheets.
    """
    path, suffix, types = Path(path), Path(path).suffix.lower(), dict(types or {})
    _check_kinds(types)
    if suffix not in SUFFIXES:
        raise ValueError(
            f"`{argument}` must be a file that ends with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {path}. "
            "Save the table as a .csv file."
        )
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ValueError(f"`{argument}` {path} does not exist.{_suggest(path.name, siblings, path.parent)}")
    try:
        if suffix in TEXT_SUFFIXES:
            content = _read_text_file(path, delimiter, encoding, header)
        elif suffix == ".xlsx":
            content = _read_excel(path, header)
        else:
            content = _read_npz(path) if suffix == ".npz" else _read_frame(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {reason_of(error)}.") from None
    _check_known(str(path), list(content), types, "types")
    if columns is not None:
        _check_known(str(path), list(content), columns, "columns")
    rows = next(iter(content.values())).rows
    if len(rows) < 2:
        raise ValueError(f"{path} must have at least 2 rows of values, got {len(rows)}.")
    chosen = [values for name, values in content.items() if columns is None or name in columns]
    return TableFile(str(path), tuple(_convert(values, types.get(values.name), missing) for values in chosen), rows)


def parse_types(settings: Sequence[str]) -> dict[str, str]:
    """Return the kinds of columns by their names, for ``read_table``, from texts such as ``age=category``.

    >>> parse_types(["age=category", "day=date:%d/%m/%Y"])
    {'age': 'category', 'day': 'date:%d/%m/%Y'}

    Args:
      settings: the texts. The name of a column may contain an equals sign, its kind may not.

    Raises:
      ValueError: if a text contains no equals sign, or names an unknown kind.
    """
    for setting in settings:
        if "=" not in setting:
            raise ValueError(f"`types` must be names of columns with their types, such as age=category, got {setting}.")
    types = {name: kind for name, _, kind in (setting.rpartition("=") for setting in settings)}
    _check_kinds(types)
    return types


@dataclasses.dataclass(frozen=True, eq=False)
class _Numbers:
    """A column that its file stores as booleans, numbers or dates, [N]."""

    path: str
    name: str
    rows: np.ndarray
    values: np.ndarray


_Content = dict[str, Cells | _Numbers]  # the columns of a file by name


def _convert(content: Cells | _Numbers, stated: str | None, missing: Sequence[str]) -> Column:
    """Return a column of the stated kind, or of the kind that its values have."""
    if isinstance(content, Cells):
        return column_of_cells(content.without(missing), stated)
    column = column_of_array(content.path, content.name, content.rows, content.values)
    if stated in (None, column.kind, "date" if column.kind == "date" else None):
        return column
    texts = encode_texts(column.type.texts(column.values))
    return column_of_cells(Cells(content.path, content.name, content.rows, *texts), stated)


# Text files.


def _read_text_file(path: Path, delimiter: str | None, encoding: str, header: bool) -> _Content:
    text = _read_text(path, encoding)
    if not text.strip(" \r\n" + "".join(DELIMITERS)):
        raise ValueError(f"{path} is empty.")
    if delimiter is None:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _find_delimiter(text)
    elif len(delimiter) != 1:
        raise ValueError(f"`delimiter` must be one character, got {delimiter!r}.")
    return _collect(path, _text_rows(path, text, delimiter), header, delimiter)


def _read_text(path: Path, encoding: str) -> str:
    with open_regular(path) as file:
        content = file.read()
    for start, kind in _BINARY.items():
        if content.startswith(start):
            raise ValueError(f"{path} is not a text file. It is {kind}.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        raise ValueError(f"{path} is text in UTF-16, not in UTF-8. Save it as UTF-8, or set `encoding` to utf-16.")
    if b"\0" in content and not encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        raise ValueError(f"{path} is not a text file, because it contains a zero byte.")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ValueError(
            f"`encoding` must be the name of an encoding in Python, such as utf-8 or cp1252, got {encoding!r}."
        ) from None
    except UnicodeDecodeError as error:
        row, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise ValueError(
            f"{path}, row {row}: the byte 0x{byte:02x} is not text in {encoding}. Save the file as UTF-8, or set "
            "`encoding` to its encoding, such as cp1252."
        ) from None


def _find_delimiter(text: str) -> str:
    """Return the delimiter for which the first rows have equal numbers of cells, or else the header has most cells."""
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1]
    scores = {}
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True)
        try:
            widths = [len(row) for row in itertools.islice(filter(any, rows), 20)]
        except csv.Error:
            continue
        scores[delimiter] = (len(set(widths)) == 1 and widths[0] > 1, *widths[:1])
    return max(scores, key=lambda delimiter: scores[delimiter], default=",")


def _text_rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line in which each row begins, from 1, and the cells of the row, without empty rows."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(
                f"{path}, row {row}: the quotation marks do not match ({error}). Write a quotation mark inside of a "
                'quoted cell as "".'
            ) from None
        if any(cells):
            yield row, cells


def _collect(path: Path, rows: Iterator[tuple[int, list[str]]], header: bool, delimiter: str = "") -> _Content:
    """Collect rows of text as columns, after a check that all rows have as many cells as the first."""
    first, names = next(rows, (1, []))
    if not names:
        raise ValueError(f"{path} is empty.")
    if header:
        _check_is_header(path, first, names)
    else:
        rows = itertools.chain([(first, names)], rows)
        names = [f"column {i + 1}" for i in range(len(names))]
    codes: list[array] = [array("q") for _ in names]
    texts: list[dict[str, int]] = [{} for _ in names]
    numbers = array("q")
    for number, cells in rows:
        if len(cells) != len(names):
            _refuse_row(path, number, cells, first, names, delimiter)
        numbers.append(number)
        for codes_of, texts_of, cell in zip(codes, texts, cells):
            codes_of.append(texts_of.setdefault(cell, len(texts_of)))
    if len(names) > 1 and not names[-1] and not any(texts[-1]):  # each row ends with a delimiter
        names = names[:-1]
    _check_names(path, names)
    where, commas = np.array(numbers, np.int64), delimiter == ","
    return {
        name: Cells(str(path), name, where, np.array(c, np.int64), list(t), commas)
        for name, c, t in zip(names, codes, texts)
    }


def _check_is_header(path: Path, row: int, names: list[str]) -> None:
    if 2 * sum(map(is_number, names)) >= len(names):
        raise ValueError(
            f"{path} has no header. Row {row} must contain the names of the columns, got {list_names(names, 4)}. Add a "
            "row with names, or set `header` to False."
        )


def _check_names(path: Path, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if not name:
            raise ValueError(
                f"{path}: column {i + 1} has no name in the header. Add a name, or remove the column. pandas does not "
                "write its index with to_csv(..., index=False)."
            )
        if name in names[:i]:
            raise ValueError(
                f"{path}: the columns {names.index(name) + 1} and {i + 1} have the same name, {quote(name)}. Rename "
                "one of them in the header."
            )


def _refuse_row(path: Path, number: int, cells: list[str], first: int, names: list[str], delimiter: str) -> None:
    hint = "Correct the row"
    if delimiter:
        hint += f", and put quotation marks around cells that contain a {DELIMITERS.get(delimiter, delimiter)}"
    if len(names) == 1:
        hint = "Remove lines above the header. If the commas are decimal commas, set `delimiter` to ;"
    count = f"{len(cells)} cell{'s' if len(cells) > 1 else ''}"
    raise ValueError(f"{path}, row {number:,}: the row has {count}, but row {first} has {len(names)}. {hint}.")


# Files of arrays, and files that pandas reads.


def _read_npz(path: Path) -> _Content:
    try:
        found = read_npz(path)
    except ValueError as error:
        raise ValueError(f"{error} Save one array [N] for each column with numpy.savez.") from None
    if not found:
        raise ValueError(f"{path} is empty.")
    for name, values in found.items():
        if values.ndim != 1 or values.dtype.kind == "c":
            raise ValueError(
                f"{path}: the array {quote(name)} must be a column of numbers or text [N], got {values.dtype} with "
                f"shape {list(values.shape)}."
            )
    first, length = next((name, len(values)) for name, values in found.items())
    for name, values in found.items():
        if len(values) != length:
            raise ValueError(
                f"{path}: all arrays must have the same length, but {quote(first)} has {length:,} values and "
                f"{quote(name)} has {len(values):,}."
            )
    rows = np.arange(1, length + 1)
    return {
        name: Cells(str(path), name, rows, *encode_texts(values.tolist()))
        if values.dtype.kind in "US"
        else _Numbers(str(path), name, rows, values)
        for name, values in found.items()
    }


def _read_frame(path: Path) -> _Content:
    require("pandas", "pyarrow", user=f"Reading {path.suffix} files")
    import pandas

    read = pandas.read_parquet if path.suffix.lower() == ".parquet" else pandas.read_feather
    try:
        frame = read(path)
    except OSError:
        raise
    except Exception as error:  # pandas and pyarrow raise errors of many kinds for damaged files
        raise ValueError(f"{path} cannot be read: {reason_of(error)}.") from None
    names = [str(name) for name in frame.columns]
    if not names:
        raise ValueError(f"{path} is empty.")
    _check_names(path, names)
    rows = np.arange(1, len(frame) + 1)
    content = {}
    for i, name in enumerate(names):
        values = _array_of_series(frame.iloc[:, i])
        if values is not None:
            content[name] = _Numbers(str(path), name, rows, values)
            continue
        cells = (_cell_text(place(str(path), row + 1, name), x) for row, x in enumerate(frame.iloc[:, i].tolist()))
        content[name] = Cells(str(path), name, rows, *encode_texts(cells))
    return content


def _array_of_series(series: Any) -> np.ndarray | None:
    """Return the array [N] of a pandas series of booleans, numbers or dates, and None for other series."""
    from pandas.api import types

    if not series.isna().any() and (types.is_bool_dtype(series.dtype) or types.is_integer_dtype(series.dtype)):
        return series.to_numpy(bool if types.is_bool_dtype(series.dtype) else np.int64)
    if types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype):
        return series.to_numpy(np.float64, na_value=np.nan)
    if types.is_datetime64_any_dtype(series.dtype):
        utc = series if getattr(series.dtype, "tz", None) is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
        return utc.to_numpy("datetime64[us]")
    return None


def _read_excel(path: Path, header: bool) -> _Content:
    require("pandas", "openpyxl", user="Reading .xlsx files")
    import pandas

    try:
        with pandas.ExcelFile(path, engine="openpyxl") as book:
            sheets = [str(name) for name in book.sheet_names]
            values = pandas.read_excel(book, header=None, dtype=object, na_filter=False).to_numpy(object)
    except OSError:
        raise
    except Exception as error:  # openpyxl raises errors of many kinds for damaged files
        raise ValueError(f"{path} cannot be read: {reason_of(error)}.") from None
    if len(sheets) > 1:
        warnings.warn(f"{path} has {len(sheets)} sheets. Only the first, {quote(sheets[0])}, is read.", stacklevel=3)

    def rows() -> Iterator[tuple[int, list[str]]]:
        for i, row in enumerate(values):
            cells = [_cell_text(place(str(path), i + 1, f"{j + 1}"), x).strip() for j, x in enumerate(row)]
            if any(cells):
                yield i + 1, cells

    return _collect(path, rows(), header)


def _cell_text(where: str, value: Any) -> str:
    """Return the text of a cell that is an object of Python; missing values are empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return ""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    if isinstance(value, list | tuple | set | dict | np.ndarray):
        raise ValueError(f"{where}: a cell must be a number, a text or a date, got {type(value).__name__}.")
    return str(value)


def _check_kinds(types: Mapping[str, str]) -> None:
    for name, kind in types.items():
        if kind not in KINDS and not (kind.startswith("date:") and "%" in kind):
            raise ValueError(
                f"`types` must be {', '.join(KINDS)}, or date: and a format such as date:%d/%m/%Y, got {name}={kind}."
            )


def _check_known(path: str, known: Sequence[str], names: Iterable[str], argument: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(
                f"`{argument}` must be columns of {path}, got {quote(name)}. Its columns are: {list_names(known, 20)}."
                f"{_suggest(name, known)}"
            )


def _suggest(name: str, known: Iterable[str], folder: Path | None = None) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0] if folder is None else folder / near[0]}?" if near else ""
