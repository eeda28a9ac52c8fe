"""Find the types of the columns of a table, and convert their cells to numbers and back."""

import dataclasses
import datetime
import itertools
import re
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from jaxgan.core.classes import natural_order
from jaxgan.core.tables import Table
from jaxgan.core.text import list_names, printable, quote

KINDS = ("integer", "number", "boolean", "date", "category")
LARGEST_INTEGER = 2**53  # larger integers are not exact as float64

_WRONG_SHARE = 0.1  # text in at most this fraction of the cells of a column of numbers or dates is an error
_FEW = 10  # a column with text and at most this number of different integers is a category
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}((,\d{3})+\.\d+|(\.\d{3})+,\d+|(,\d{3}){2,}|(\.\d{3}){2,}|([ '\u00a0\u202f]\d{3})+([.,]\d+)?)"
)
_ONE_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # ambiguous in a file with commas between the cells
_LEADING_ZERO = re.compile(r"[+-]?0\d+")  # a code, such as a postal code
_INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d(?:\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")
_DATE = re.compile(
    r"(\d{4}([./-])\d{1,2}\2\d{1,2}|\d{1,2}([./-])\d{1,2}\3(\d{4}|\d\d)|\d{1,2}[ -][A-Za-z]{3,9}\.?,?[ -]\d{2,4}"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})([T ]\d{1,2}:\d\d.*)?"
)
_BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("0", "1"))  # the words for false and true
_ISO_EXAMPLE = "2024-12-31"


@dataclasses.dataclass(frozen=True)
class ColumnType:
    """The type of a column, and how its values are written as text. All fields can be stored as JSON.

    Attributes:
      name: the name of the column.
      kind: ``integer``, ``number``, ``boolean``, ``date`` or ``category``.
      decimals: number of digits after the decimal point of a number; None if all digits of a number are written. 0 for
        other kinds.
      format: format of a date for ``strftime``, such as ``%Y-%m-%d``; "" for other kinds.
      categories: the names of the categories in the order of their indices; the words for false and true of a boolean;
        empty for other kinds.
    """

    name: str
    kind: str
    decimals: int | None = 0
    format: str = ""
    categories: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "categories", tuple(self.categories))  # JSON has lists

    def texts(self, values: np.ndarray) -> list[str]:
        """Return the cells of values as they are written in a file. Missing values are empty.

        >>> ColumnType("price", "number", decimals=2).texts(np.array([1.5, np.nan]))
        ['1.50', '']

        Args:
          values: values [N] as in ``Column.values``. Integers and indices of categories are rounded.
        """
        return ["" if x != x else self._text(x) for x in np.asarray(values, np.float64).tolist()]

    def describe(self, low: float, high: float) -> str:
        """Return the first categories and their number, or the range of the values, as text.

        Args:
          low: the smallest value.
          high: the largest value.
        """
        names = self.categories
        if names:
            return list_names(names, 4) + (f" ({len(names):,})" if len(names) > 4 else "")
        first, last = self.texts(np.array([low, high]))
        return first if first == last else f"{first} to {last}"

    def _text(self, value: float) -> str:
        if self.kind == "number":
            return repr(value) if self.decimals is None else f"{value:.{self.decimals}f}"
        if self.kind == "date":
            return (_EPOCH + datetime.timedelta(seconds=value)).strftime(self.format)
        return self.categories[round(value)] if self.categories else str(round(value))


def column_table(title: str, columns: Iterable[tuple[ColumnType, float, float, int]]) -> Table:
    """Return a table of the names, the types and the values of columns, and of how many values are missing.

    >>> column_table("1 column", [(ColumnType("price", "number", decimals=2), 0.5, 3, 1)]).rows
    (('price', 'number', '0.50 to 3.00', '1'),)

    Args:
      title: the line above the table.
      columns: the type, the smallest value, the largest value and the number of missing values of each column.
    """
    rows = tuple(
        (printable(type.name, 40), type.kind, type.describe(low, high), f"{missing:,}" if missing else "")
        for type, low, high, missing in columns
    )
    return Table(title, ("column", "type", "values", "missing"), rows, ("missing",))


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """A column of a table.

    Attributes:
      type: the type of the column.
      values: float64 [N], NaN where a value is missing. Dates are seconds since 1970-01-01 UTC (a date without a time
        zone is understood as UTC), booleans are 0 and 1, and categories are indices.
    """

    type: ColumnType
    values: np.ndarray

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.type.name

    @property
    def kind(self) -> str:
        """The kind of the column, see ``KINDS``."""
        return self.type.kind


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a column as text. Equal cells share one text, so that each text is converted once.

    Attributes:
      path: the path of the file, for messages.
      name: the name of the column.
      rows: the number of each row in the file, [N], for messages.
      codes: int64 [N]; row i contains ``texts[codes[i]]``.
      texts: the different texts in the order in which they occur. An empty text is a missing value.
      comma_separated: whether the file has commas between its cells, so that a decimal comma is unusual.
    """

    path: str
    name: str
    rows: np.ndarray
    codes: np.ndarray
    texts: list[str]
    comma_separated: bool = False

    def row(self, text: str) -> int:
        """Return the number of the first row in the file that contains a text."""
        return int(self.rows[np.argmax(self.codes == self.texts.index(text))])

    def where(self, text: str) -> str:
        """Return the place of the first cell with a text for messages, such as ``a.csv, row 7, column 'age'``."""
        return place(self.path, self.row(text), self.name)

    def without(self, missing: Collection[str]) -> "Cells":
        """Return the cells with empty texts in place of some texts that mean missing values."""
        return dataclasses.replace(self, texts=["" if text in missing else text for text in self.texts])

    @property
    def present(self) -> list[str]:
        """The texts of values that are not missing."""
        return [text for text in self.texts if text]


def place(path: str, row: int, column: str) -> str:
    """Return the place of a cell for messages.

    >>> place("a.csv", 7, "age")
    "a.csv, row 7, column 'age'"

    Args:
      path: the path of the file.
      row: the number of the row in the file.
      column: the name of the column.
    """
    return f"{path}, row {row:,}, column {quote(column)}"


def is_number(text: str) -> bool:
    """Return whether a text is a number, with a decimal point or a decimal comma.

    >>> is_number("-1,5"), is_number("1e-3"), is_number("inf"), is_number("1,234.5")
    (True, True, False, False)
    """
    return bool(_NUMBER.fullmatch(text) or _COMMA_NUMBER.fullmatch(text))


def encode_texts(texts: Iterable[Any]) -> tuple[np.ndarray, list[str]]:
    """Return the different texts in the order in which they occur, and the index of each text among them.

    >>> encode_texts(["b", "a", "b"])
    (array([0, 1, 0]), ['b', 'a'])

    Args:
      texts: the texts; bytes are decoded as UTF-8.

    Returns:
      The indices, int64 [N], and the different texts.
    """
    codes, found = array("q"), {}
    for text in texts:
        text = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
        codes.append(found.setdefault(text, len(found)))
    return np.array(codes, np.int64), list(found)


def column_of_cells(cells: Cells, stated: str | None = None) -> Column:
    """Convert the cells of a column.

    Args:
      cells: the cells.
      stated: the kind of the column, see ``read_table``; None finds the kind.

    Raises:
      ValueError: if a cell does not have the kind of the column, if the cells are almost of one kind, so that the
        others are probably errors, or if their meaning is ambiguous. The message names the file, the row and the
        column.
    """
    if not cells.present:
        _refuse_empty(cells.path, cells.name)
    kind, _, form = (stated or _find_kind(cells)).partition(":")
    if kind in ("integer", "number"):
        return _numbers(cells, kind)
    if kind == "date":
        return _dates(cells, form)
    categories = _words(cells) if kind == "boolean" else natural_order(set(cells.present))
    index = {category: float(i) for i, category in enumerate(categories)}
    values = np.array([index[text] if text else np.nan for text in cells.texts])
    return Column(ColumnType(cells.name, kind, categories=tuple(categories)), values[cells.codes])


def column_of_array(path: str, name: str, rows: np.ndarray, x: np.ndarray) -> Column:
    """Convert an array of booleans, numbers or dates.

    Args:
      path: the path of the file, for messages.
      name: the name of the column.
      rows: the number of each row in the file, [N], for messages.
      x: the array, [N], of one of NumPy's dtypes. NaN and NaT are missing values.

    Raises:
      ValueError: if a value is infinite or all values are missing.
    """
    if x.dtype.kind == "M":
        values = np.where(np.isnat(x), np.nan, x.astype("datetime64[us]").astype(np.int64) / 1e6)
        if np.isnan(values).all():
            _refuse_empty(path, name)
        seconds = values[~np.isnan(values)]
        form = "%Y-%m-%d" if not (seconds % 86400).any() else "%Y-%m-%d %H:%M:%S"
        return Column(ColumnType(name, "date", format=form + (".%f" if (seconds % 1).any() else "")), values)
    values = x.astype(np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        index = int(np.argmax(infinite))
        _refuse_infinity(place(path, int(rows[index]), name), str(x[index]))
    if np.isnan(values).all():
        _refuse_empty(path, name)
    if x.dtype.kind == "b":
        return Column(ColumnType(name, "boolean", categories=("False", "True")), values)
    if x.dtype.kind in "iu":
        return Column(ColumnType(name, "integer"), values)
    present = x[~np.isnan(x)]
    decimals = next((d for d in range(7) if np.array_equal(np.round(present, d), present)), None)
    return Column(ColumnType(name, "number", decimals), values)


def _find_kind(cells: Cells) -> str:
    """Return the kind of a column of text. A column that is almost of a kind is refused."""
    present = cells.present
    counts = dict(zip(cells.texts, np.bincount(cells.codes, minlength=len(cells.texts)).tolist()))
    allowed = max(_WRONG_SHARE * sum(counts[text] for text in present), 1)

    def split(is_kind):
        """Return the texts of a kind, the others, and whether the others are so few that they must be errors."""
        others = [text for text in present if not is_kind(text)]
        inside = [text for text in present if is_kind(text)]
        return inside, others, len(inside) > len(others) and 0 < sum(counts[text] for text in others) <= allowed

    numbers, others, errors = split(is_number)
    thousands = [text for text in others if _THOUSANDS.fullmatch(text)]
    if thousands and len(thousands) == len(others):
        raise ValueError(
            f"{cells.where(thousands[0])}: {quote(thousands[0])} has separators of thousands. Write numbers without "
            "them, as in 1234.5."
        )
    if numbers and not others:
        return _kind_of_numbers(cells, numbers)
    infinite = [text for text in others if _INFINITY.fullmatch(text)]
    if numbers and len(infinite) == len(others):
        _refuse_infinity(cells.where(infinite[0]), infinite[0])
    are_codes = len(numbers) <= _FEW and all(_INTEGER.fullmatch(text) for text in numbers)
    if errors and not are_codes:
        raise ValueError(
            f"{cells.where(others[0])}: {quote(others[0])} is not a number, but most cells of the column are. Correct "
            "it, or leave it empty if it is missing. If the column contains names, set `types` to "
            f"{cells.name}=category."
        )
    if {text.lower() for text in present} <= {"true", "false"} and len(present) <= 2:
        return "boolean"
    dates, others, errors = split(_DATE.fullmatch)
    if errors:
        raise ValueError(
            f"{cells.where(others[0])}: {quote(others[0])} is not a date, but most cells of the column are. Correct "
            "it, or leave it empty if it is missing."
        )
    return _kind_of_dates(cells, dates) if dates and not others else "category"


def _kind_of_numbers(cells: Cells, numbers: list[str]) -> str:
    """Return ``integer``, ``number``, or ``category`` for codes; refuse numbers with several meanings."""
    with_comma = [text for text in numbers if "," in text]
    with_point = [text for text in numbers if "." in text]
    if with_comma and with_point:
        raise ValueError(
            f"{cells.where(with_comma[0])}: {quote(with_comma[0])} has a decimal comma, but {quote(with_point[0])} in "
            f"row {cells.row(with_point[0])} has a decimal point. Use one of the two."
        )
    if with_comma and cells.comma_separated and all(_ONE_COMMA.fullmatch(text) for text in with_comma):
        raise ValueError(
            f"{cells.where(with_comma[0])}: the comma of {quote(with_comma[0])} can be a decimal comma or separate "
            "thousands. Write 1234 or 1.234."
        )
    if not all(_INTEGER.fullmatch(text) for text in numbers):
        return "number"
    return "category" if any(_LEADING_ZERO.fullmatch(text) for text in numbers) else "integer"


def _kind_of_dates(cells: Cells, dates: list[str]) -> str:
    """Return ``date`` for dates in one ISO format; refuse others, and suggest how to state their format."""
    shapes: dict[str, str] = {}
    for text in dates:
        shapes.setdefault(_shape_of_date(text), text)
    if len(shapes) > 1:
        shown = [f"{quote(text)} (row {cells.row(text)})" for text in list(shapes.values())[:3]]
        raise ValueError(
            f"{cells.path}: the column {quote(cells.name)} has dates in {len(shapes)} formats: {', '.join(shown)}. "
            f"Write all of them as {_ISO_EXAMPLE}."
        )
    if all(_ISO.fullmatch(text) for text in dates):
        return "date"
    formats = itertools.islice((form for form in _formats() if all(_parses(text, form) for text in dates)), 2)
    choice = " or ".join(f"{cells.name}=date:{form}" for form in formats)
    raise ValueError(
        f"{cells.where(dates[0])}: {quote(dates[0])} is not a date in an ISO format. Write {_ISO_EXAMPLE}, or set "
        f"`types` to {choice or cells.name + '=date:FORMAT, in the notation of strptime'}."
    )


def _shape_of_date(text: str) -> str:
    """Return a text that is equal for dates of one format."""
    found = _ISO.fullmatch(text)
    if found:
        return f"ISO {found[1]} {bool(found[2])} {bool(found[3])}"
    letters = re.sub(r"[A-Za-z]+\.?", "A", text)
    return re.sub(r"\d+", lambda digits: "0000" if len(digits[0]) > 2 else "0", letters)


def _formats() -> Iterator[str]:
    """Yield formats of dates that are suggested."""
    orders = ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%Y{0}%m{0}%d", "%d{0}%m{0}%y", "%m{0}%d{0}%y")
    days = [order.format(sign) for order in orders for sign in "/.-"]
    days += ["%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"]
    for day in days:
        yield from (day, f"{day} %H:%M", f"{day} %H:%M:%S")


def _parses(text: str, form: str) -> bool:
    try:
        datetime.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _numbers(cells: Cells, kind: str) -> Column:
    """Convert the cells of a column of numbers."""
    values, decimals = {"": np.nan}, 0
    for text in cells.present:
        number = text.replace(",", ".") if _COMMA_NUMBER.fullmatch(text) else text
        if _INFINITY.fullmatch(text):
            _refuse_infinity(cells.where(text), text)
        if not _NUMBER.fullmatch(number):
            raise ValueError(f"{cells.where(text)}: the cell must be a number, got {quote(text)}.")
        value = float(number)
        if not np.isfinite(value):
            _refuse_infinity(cells.where(text), text)
        if kind == "integer" and (value % 1 or abs(value) > LARGEST_INTEGER):
            raise ValueError(
                f"{cells.where(text)}: the cell must be an integer of at most 2**53, got {quote(text)}. Set `types` to "
                f"{cells.name}={'number' if value % 1 else 'category'}."
            )
        values[text] = value
        has_exponent = "e" in number.lower()
        decimals = None if decimals is None or has_exponent else max(decimals, len(number.partition(".")[2]))
    found = np.array([values[text] for text in cells.texts])
    return Column(ColumnType(cells.name, kind, decimals if kind == "number" else 0), found[cells.codes])


def _dates(cells: Cells, form: str) -> Column:
    """Convert the cells of a column of dates; an empty format is ISO 8601."""
    values = {"": np.nan}
    for text in cells.present:
        try:
            date = datetime.datetime.strptime(text, form) if form else datetime.datetime.fromisoformat(text)
        except ValueError:
            expected = f"of the format {form}" if form else f"in an ISO format, such as {_ISO_EXAMPLE}"
            raise ValueError(f"{cells.where(text)}: the cell must be a date {expected}, got {quote(text)}.") from None
        values[text] = (date.replace(tzinfo=date.tzinfo or datetime.UTC) - _EPOCH).total_seconds()
    found = np.array([values[text] for text in cells.texts])
    return Column(ColumnType(cells.name, "date", format=form or _iso_format(cells.present)), found[cells.codes])


def _iso_format(dates: list[str]) -> str:
    """Return the format of dates in ISO format. The time zone is UTC if the dates have a time zone."""
    longest = max(dates, key=len)  # the fraction of a second is optional
    found = _ISO.fullmatch(longest)
    if not found or len(longest) == len(_ISO_EXAMPLE):
        return "%Y-%m-%d"
    seconds = "" if not found[2] else ":%S.%f" if "." in found[2] else ":%S"
    return f"%Y-%m-%d{found[1]}%H:%M{seconds}{'Z' if found[3] else ''}"


def _words(cells: Cells) -> list[str]:
    """Return the words for false and true of a boolean column, as they are written in it."""
    present = {text.lower(): text for text in cells.present}
    for pair in _BOOLEANS:
        if len(cells.present) == len(present) and present.keys() <= set(pair):
            one = cells.present[0]
            style = str.title if one.istitle() else str.upper if one.isupper() else str.lower
            return [present.get(word, style(word)) for word in pair]
    known = set(itertools.chain(*_BOOLEANS))
    wrong = next((text for text in cells.present if text.lower() not in known), cells.present[-1])
    raise ValueError(
        f"{cells.where(wrong)}: the cells of a boolean column must be two words, such as true and false, got "
        f"{quote(wrong)}."
    )


def _refuse_infinity(where: str, text: str) -> None:
    raise ValueError(f"{where}: the value must be finite, got {text}. Correct it, or leave it empty if it is missing.")


def _refuse_empty(path: str, name: str) -> None:
    raise ValueError(f"{path}: the column {quote(name)} has no values. Remove it from the file, or from `columns`.")
