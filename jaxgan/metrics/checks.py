"""Check features, series, tables and texts before a metric is computed, and warn of unreliable results."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np

Table = Mapping[str, np.ndarray]  # maps the name of each column to its values, [N]; see ``as_tables``


def as_features(*sets: np.ndarray, least: int = 2, names: tuple[str, ...] = ("x", "y")) -> tuple[np.ndarray, ...]:
    """Check sets of features, which must be [N, D] with the same D, and return them as float64.

    Args:
      *sets: the sets of features, [N, D] each.
      least: number of examples that each set must have.
      names: the names of the sets, for messages.

    Raises:
      ValueError: if a set has another shape or type, if it has fewer than ``least`` examples, or if a value is not
        finite.
    """
    arrays = _as_numbers(sets, names, "[N, D]")
    if any(x.ndim != 2 or not x.shape[1] for x in arrays) or len({x.shape[-1] for x in arrays}) > 1:
        shapes = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(f"Features must be [N, D] with the same D in each set, got shapes {shapes}.")
    _check_examples(arrays, names, least, "examples", "features")
    return tuple(np.asarray(x, np.float64) for x in arrays)


def as_series(real: np.ndarray, fake: np.ndarray, *, least: int, least_steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Check two sets of series, which must have the same T and F, and return them as float32.

    Args:
      real: real series, [N, T, F].
      fake: generated series, [M, T, F].
      least: number of series that each set must have.
      least_steps: number of time steps that series must have.

    Raises:
      ValueError: if a set has another shape or type, if it has fewer than ``least`` series, if T is below
        ``least_steps``, or if a value is not finite.
    """
    names = "real", "fake"
    real, fake = _as_numbers((real, fake), names, "[N, T, F]")
    if real.ndim != 3 or fake.ndim != 3 or not real.shape[2] or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            "`real` and `fake` must be [N, T, F] with the same number of time steps T and of features F, got the "
            f"shapes {real.shape} and {fake.shape}."
        )
    if real.shape[1] < least_steps:
        raise ValueError(f"Series must have at least {least_steps} time steps, got {real.shape[1]}.")
    _check_examples((real, fake), names, least, "series", "values")
    return real.astype(np.float32), fake.astype(np.float32)


def _as_numbers(sets: Iterable[np.ndarray], names: Iterable[str], shape: str) -> list[np.ndarray]:
    arrays = [np.asarray(x) for x in sets]
    for name, x in zip(names, arrays):
        if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
            raise ValueError(f"`{name}` must be an array of real numbers, {shape}, got {x.dtype}.")
    return arrays


def _check_examples(arrays: Iterable[np.ndarray], names: Iterable[str], least: int, examples: str, values: str) -> None:
    """Check that sets of examples, [N, ...], have at least ``least`` examples, and that their values are finite.

    Args:
      arrays: the sets.
      names: the names of the sets, for messages.
      least: number of examples that each set must have.
      examples: the plural word for an example.
      values: the word for the values of an example.
    """
    for name, x in zip(names, arrays):
        if len(x) < least:
            raise ValueError(f"`{name}` must have at least {least:,} {examples}, got {len(x):,}.")
    for name, x in zip(names, arrays):
        bad = ~np.isfinite(x).all(tuple(range(1, x.ndim)))
        if bad.any():
            raise ValueError(
                f"`{name}` must be finite, but {int(bad.sum()):,} of its {len(x):,} {examples} have NaN or infinite "
                f"{values}. The first is number {int(bad.argmax()):,} (from 0)."
            )


def as_tables(
    *tables: Table, least: int = 1, names: tuple[str, ...] = ("real", "fake")
) -> tuple[dict[str, np.ndarray], ...]:
    """Check tables, which must have the same columns, and return numbers as float64 and categories as objects.

    A column of integers or floats contains numbers, with NaN for a missing number. A column of strings or booleans
    contains categories, with None (or NaN) for a missing category.

    Args:
      *tables: the tables. Each maps the names of columns to arrays, [N], of the same length.
      least: number of rows that each table must have.
      names: the names of the tables, for messages.

    Returns:
      The tables with the order of columns of the first one. Categories are arrays of objects, [N], with None for each
      missing category.

    Raises:
      ValueError: if the columns differ in name or in kind, if a table has fewer than ``least`` rows, if a column has
        another shape, length or type, or if a number is infinite.
    """
    for name, table in zip(names, tables):
        if not len(table.keys()):
            raise ValueError(f"`{name}` has no columns.")
        _check_names(names[0], tables[0], name, table)
    checked = [
        {column: _as_column(table[column], column, name) for column in tables[0].keys()}  # noqa: SIM118 (DataFrames)
        for name, table in zip(names, tables)
    ]
    for name, table in zip(names, checked):
        lengths = {column: len(values) for column, values in table.items()}
        shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        if lengths[shortest] < lengths[longest]:
            raise ValueError(
                f"The columns of `{name}` must have the same length, but {shortest!r} has {lengths[shortest]:,} rows "
                f"and {longest!r} has {lengths[longest]:,}."
            )
        if lengths[shortest] < least:
            rows = "1 row" if least == 1 else f"{least:,} rows"
            raise ValueError(f"`{name}` must have at least {rows}, got {lengths[shortest]:,}.")
    for column in checked[0]:
        _check_kinds(column, dict(zip(names, (table[column] for table in checked))))
    return tuple(checked)


def is_number(column: np.ndarray) -> bool:
    """Return whether a column, [N], that ``as_tables`` returned contains numbers and not categories."""
    return column.dtype != object


def is_known(categories: np.ndarray) -> np.ndarray:
    """Return which categories of a column are not missing, as an array of booleans, [N].

    Args:
      categories: a column of categories, [N], that ``as_tables`` returned.
    """
    return np.array([category is not None for category in categories], bool)


def _check_names(first_name: str, first: Table, name: str, table: Table) -> None:
    only_first = [column for column in first.keys() if column not in table]  # noqa: SIM118 (DataFrames)
    only_table = [column for column in table.keys() if column not in first]  # noqa: SIM118
    differences = [
        f"only `{owner}` has {', '.join(map(repr, columns))}"
        for owner, columns in ((first_name, only_first), (name, only_table))
        if columns
    ]
    if differences:
        raise ValueError(f"`{first_name}` and `{name}` must have the same columns, but {' and '.join(differences)}.")


def _as_column(values: np.ndarray, column: str, table: str) -> np.ndarray:
    """Return numbers, [N], as float64, and categories, [N], as objects with None for a missing category."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"Column {column!r} of `{table}` must be one-dimensional, got the shape {array.shape}.")
    if array.dtype.kind in "iuf":
        infinite = np.flatnonzero(np.isinf(array))
        if len(infinite):
            i = infinite[0]
            raise ValueError(
                f"Column {column!r} of `{table}` must be finite, but row {i:,} (from 0) contains {array[i]}. Missing "
                "numbers are NaN."
            )
        return array.astype(np.float64)
    if array.dtype.kind not in "OUb":
        raise ValueError(
            f"Column {column!r} of `{table}` must contain numbers or strings, got {array.dtype}. Convert dates to "
            "numbers."
        )
    cells = array.tolist()
    for i, cell in enumerate(cells):
        if isinstance(cell, float | np.floating) and np.isnan(cell):
            cells[i] = None
        elif not (cell is None or isinstance(cell, str | bool | np.bool_)):
            raise ValueError(
                f"Column {column!r} of `{table}` must contain strings or booleans, because its type is {array.dtype}, "
                f"but row {i:,} (from 0) contains {cell!r}. Pass numbers as an array of floats with NaN for missing "
                "numbers, and categories as strings with None for missing ones."
            )
    found = np.empty(len(cells), object)
    found[:] = cells
    return found


def _check_kinds(column: str, columns: dict[str, np.ndarray]) -> None:
    """Check that a column contains numbers in all tables, or categories in all tables."""
    numbers = [name for name, values in columns.items() if is_number(values)]
    categories = [name for name, values in columns.items() if not is_number(values)]
    if numbers and categories:
        values = columns[categories[0]]
        known = [i for i, value in enumerate(values) if value is not None]
        # The row that explains the error is the first one that is not the text of a number.
        i = next((i for i in known if not _is_text_of_number(values[i])), known[0] if known else 0)
        raise ValueError(
            f"Column {column!r} contains numbers in `{numbers[0]}` but categories in `{categories[0]}`: row {i:,} "
            f"(from 0) contains {values[i]!r}."
        )


def _is_text_of_number(value: str | bool) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def as_texts(texts: Iterable[str], name: str, *, least: int = 1) -> list[str]:
    """Check a collection of strings and return it as a list.

    Args:
      texts: the strings.
      name: the name of the collection, for messages.
      least: number of strings that the collection must have.

    Raises:
      ValueError: if it is a single string, if an element is not a string, or if there are fewer than ``least`` strings.
    """
    if isinstance(texts, str | bytes):
        raise ValueError(f"`{name}` must be a list of strings, got one string. Pass `[{name}]` or its lines.")
    found = list(texts)
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise ValueError(f"`{name}` must contain strings, but element {i:,} (from 0) is {text!r}.")
    if len(found) < least:
        strings = "1 string" if least == 1 else f"{least:,} strings"
        raise ValueError(f"`{name}` must have at least {strings}, got {len(found):,}.")
    return found


def require_finite(*results: float) -> None:
    """Raise a ``ValueError`` if a result is not finite, because the features are too large for float64.

    Args:
      *results: numbers that were computed from finite features.
    """
    if not np.isfinite(results).all():
        raise ValueError(
            "The features are so large that the result exceeds the range of float64. Divide the features of all sets "
            "by the same number."
        )


def warn(message: str, above: int = 0) -> None:
    """Emit a ``UserWarning`` that points to the line where the metric was called.

    Args:
      message: the text of the warning.
      above: number of function calls between the metric and the call of this function.
    """
    warnings.warn(message, UserWarning, stacklevel=3 + above)
