"""Load windows of multivariate series, and split them in time.

A series is a table whose rows are in the order of time. Networks are trained on windows [T, C]: T consecutive rows of C
columns of numbers. Static attributes and a class can stand beside each window. The result is a ``NamedArrays`` with the
values in the units of the file; ``jaxgan.media.Series`` scales them with the bounds in its ``details``.
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.text import list_names, quote
from jaxgan.data.array_files import warn_of_unused_arrays
from jaxgan.data.columns import Column
from jaxgan.data.labels import class_indices
from jaxgan.data.loading import suggest_path
from jaxgan.data.source import NamedArrays
from jaxgan.data.spans import split_in_time
from jaxgan.data.table_files import SUFFIXES, TableFile, read_table

DEFAULT_WINDOW = 24  # number of rows of a window, as in TimeGAN
SINES = 10_000  # number of the series of the data set ``sines``
TIME_NAMES = ("time", "timestamp", "datetime", "date", "t", "step")  # a column of numbers with this name is the time
ARRAYS = ("series", "labels", "attributes", "columns", "attribute_names")  # the arrays of an .npz file of series

_WEATHER = Path(__file__).with_name("weather.csv")
_IRREGULAR = 0.5  # a step in time that differs from the median by more than this fraction of the median is irregular


def sines(count: int, steps: int = 24, columns: int = 5, seed: int = 0) -> np.ndarray:
    """Return sines with random frequencies and phases, the first data set of TimeGAN.

    Column c of a series is (sin(f t + p) + 1) / 2 at the times t = 0, 1, ..., where the frequency f and the phase p are
    drawn uniformly from [0, 0.1] for each series and column.

    Source: Yoon et al. 2019, "Time-series Generative Adversarial Networks", and data_loading.py of the official code.

    >>> sines(3, steps=4, columns=2).shape
    (3, 4, 2)

    Args:
      count: number of series.
      steps: number of time steps of a series.
      columns: number of columns.
      seed: seed of the frequencies and phases.

    Returns:
      The series, float32 [count, steps, columns], from 0 to 1.
    """
    frequencies, phases = np.random.default_rng(seed).uniform(0, 0.1, (2, count, 1, columns))
    return ((np.sin(frequencies * np.arange(steps)[:, None] + phases) + 1) / 2).astype(np.float32)


def load(
    data: str,
    *,
    window: int | None = None,
    stride: int = 1,
    test_fraction: float = 0.2,
    columns: Sequence[str] = (),
    time_column: str | None = None,
    series_column: str | None = None,
    label_column: str | None = None,
    attribute_columns: Sequence[str] = (),
    types: Mapping[str, str] | None = None,
    fill_missing: bool = False,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    argument: str = "data",
) -> NamedArrays:
    """Return windows of series.

    The training and the test windows share no row, also not by interpolation. If the file contains one series, the test
    windows are later than all training windows. If it contains several, complete series are test series, see
    ``split_in_time``.

    Args:
      data: one of these:

        - a table with one series, or with several series if ``series_column`` names a column; see ``read_table`` for
          the formats of files;
        - an ``.npz`` file with an array ``series`` [N, T, C] or [N, T], and optionally ``labels`` [N], ``attributes``
          [N, A], and the names ``columns`` [C] and ``attribute_names`` [A];
        - ``weather``: four years of daily weather that are bundled with the package; or
        - ``sines``: 10,000 series of ``sines``.
      window: number of rows of a window. None means 24 for one series, and the complete series if there are several of
        equal length.
      stride: number of rows between the starts of consecutive windows.
      test_fraction: fraction of the windows that are test windows, from 0 (none) to below 1.
      columns: the names of the columns of the windows; empty for all columns of numbers without another role.
      time_column: the name of the column of times, which must increase. None uses the only column of dates, or a column
        of numbers with a usual name such as time.
      series_column: the name of the column that tells several series apart. Their rows may be mixed.
      label_column: the name of the column of classes. A window contains rows of one class only.
      attribute_columns: the names of the columns of static attributes, which are constant in each series.
      types: kinds by the names of columns, see ``read_table``.
      fill_missing: whether missing values are interpolated linearly. By default, they are refused.
      delimiter, encoding, header: how a text file is read, see ``read_table``.
      argument: the name of the caller's argument, for messages.

    Returns:
      A source in memory with the arrays ``series``, float32 [N, T, C] in the units of the file; ``label``, int32 [N];
      and ``attributes``, float32 [N, A], in which the categories of an attribute are indices. The last two exist only
      if the data have them. ``details`` contains the fields of ``media.Series``, and ``test`` the test windows.

    Raises:
      ValueError: if the data cannot be read or are not series, if values are missing, or if an argument does not fit
        the data. The message names the file, the row and the column.

    Warns:
      UserWarning: of irregular times, interpolated values, and series that are shorter than the window.
    """
    _check_numbers(window, stride, test_fraction)
    roles = (time_column, series_column, label_column, *columns, *attribute_columns)
    path = Path(data)
    if data == "sines":
        _check_no_roles(data, roles, types)
        x = sines(SINES, DEFAULT_WINDOW if window is None else window)
        found = _Recordings(data, tuple(f"x{i + 1}" for i in range(x.shape[2])), [_Recording(series) for series in x])
    elif path.suffix.lower() == ".npz" and path.is_file() and _is_array_of_series(path):
        _check_no_roles(data, roles, types)
        found = _read_arrays(path)
    elif data == "weather" or path.suffix.lower() in SUFFIXES:
        table = read_table(
            _WEATHER if data == "weather" else path,
            types=types,
            delimiter=delimiter,
            encoding=encoding,
            header=header,
            argument=argument,
        )
        table = dataclasses.replace(table, name=data)
        found = _read_recordings(table, columns, time_column, series_column, label_column, attribute_columns)
    elif not path.exists() and ("/" in data or path.suffix):
        raise ValueError(f"`{argument}` {data!r} does not exist.{suggest_path(path)}")
    else:
        raise ValueError(
            f"`{argument}` must be weather, sines, or a file that ends with {', '.join(SUFFIXES[:-1])} or "
            f"{SUFFIXES[-1]}, got {data!r}."
        )
    return _cut_windows(_fill(found, fill_missing), window, stride, test_fraction)


@dataclasses.dataclass(frozen=True, eq=False)
class _Recording:
    """A series without gaps in its class: one series, or a part of it with one class.

    Attributes:
      values: the values, float64 [rows, C]; NaN for missing values.
      rows: the number of each row in the file, [rows], for messages; None if the file has no rows.
      name: the name of the series, for messages; "" if there is only one.
      label: the class index; None for no classes.
      attributes: the values of the attributes, [A].
      first_used, last_used: the first and the last row that each row was computed from, [rows], because interpolated
        values depend on their neighbours. None means the row itself.
    """

    values: np.ndarray
    rows: np.ndarray | None = None
    name: str = ""
    label: int | None = None
    attributes: np.ndarray | None = None
    first_used: np.ndarray | None = None
    last_used: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class _Recordings:
    """All series of a file.

    Attributes:
      path: the path of the file, for messages.
      columns: the names of the columns.
      recordings: the series.
      decimals: number of decimals of each column; None for all digits.
      classes: the names of the classes.
      attributes: the columns of the attributes; only their names, kinds, decimals and categories are used.
      several: whether the file contains several series.
    """

    path: str
    columns: tuple[str, ...]
    recordings: list[_Recording]
    decimals: tuple[int | None, ...] = ()
    classes: tuple[str, ...] = ()
    attributes: tuple[dict[str, Any], ...] = ()
    several: bool = True

    def where(self, recording: _Recording, row: int, column: int) -> str:
        """Return the place of a value for messages."""
        name = quote(self.columns[column])
        if recording.rows is None:
            return f"{self.path}, {recording.name or 'the series'}, time step {row}, column {name}"
        return f"{self.path}, row {recording.rows[row]:,}, column {name}"


# Tables.


def _read_recordings(
    table: TableFile,
    columns: Sequence[str],
    time_column: str | None,
    series_column: str | None,
    label_column: str | None,
    attribute_columns: Sequence[str],
) -> _Recordings:
    times = _time_column(table, time_column, {series_column, label_column, *columns, *attribute_columns})
    groups = table.column(series_column, "series_column") if series_column is not None else None
    labels = table.column(label_column, "label_column") if label_column is not None else None
    attributes = [table.column(name, "attribute_columns") for name in attribute_columns]
    others = {column.name for column in (times, groups, labels, *attributes) if column is not None}
    for name in columns:
        if name in others:
            raise ValueError(f"`columns` of {table.name} must not contain {quote(name)}, which has another role.")
    chosen = [table.column(name) for name in columns]
    chosen = chosen or [column for column in table.columns if column.name not in others]
    if not chosen:
        raise ValueError(f"{table.name} must have a column of numbers beside {list_names(sorted(others), 5)}.")
    for column in chosen:
        _check_is_number(table, column)
    for column in (groups, labels, *attributes):
        _check_is_complete(table, column)
    classes, indices = (), None
    if labels is not None:
        texts = np.array(labels.type.texts(labels.values))
        indices, classes = class_indices(texts, f"The column {quote(labels.name)} of {table.name}")
    x = np.stack([column.values for column in chosen], 1)
    parts = [np.arange(len(table))]
    if groups is not None:
        _, codes = np.unique(groups.values, return_inverse=True)
        parts = np.split(np.argsort(codes.reshape(-1), kind="stable"), np.cumsum(np.bincount(codes.reshape(-1)))[:-1])
    if times is not None:
        _check_times(table, times, parts, series_column)
    recordings = []
    for rows in parts:
        name = "" if groups is None else groups.type.texts(groups.values[rows[:1]])[0]
        for column in attributes:
            _check_is_constant(table, column, rows, name)
        static = np.array([column.values[rows[0]] for column in attributes])
        for run in [rows] if indices is None else np.split(rows, np.flatnonzero(np.diff(indices[rows])) + 1):
            label = None if indices is None else int(indices[run[0]])
            recordings.append(_Recording(x[run], table.rows[run], name, label, static))
    return _Recordings(
        table.name,
        tuple(column.name for column in chosen),
        recordings,
        tuple(column.type.decimals for column in chosen),
        classes,
        tuple(_attribute(column) for column in attributes),
        several=groups is not None,
    )


def _attribute(column: Column) -> dict[str, Any]:
    if column.type.categories:
        return {"name": column.name, "categories": list(column.type.categories)}
    return {"name": column.name, "decimals": column.type.decimals}


def _time_column(table: TableFile, name: str | None, others: set[str | None]) -> Column | None:
    """Return the column of times; None if there is none."""
    if name is not None:
        column = table.column(name, "time_column")
        if column.kind not in ("date", "integer", "number"):
            raise ValueError(
                f"`time_column` of {table.name} must be a column of dates or numbers, got {quote(name)}, a column of "
                f"kind {column.kind}."
            )
        return column
    free = [column for column in table.columns if column.name not in others]
    dates = [column for column in free if column.kind == "date"]
    if len(dates) > 1:
        names = list_names([column.name for column in dates], 5)
        raise ValueError(f"{table.name} has several columns of dates, {names}. Set `time_column` to one of them.")
    numbers = [c for c in free if c.name.lower() in TIME_NAMES and c.kind in ("integer", "number")]
    return next(iter([*dates, *numbers]), None)


def _check_times(table: TableFile, times: Column, parts: list[np.ndarray], series_column: str | None) -> None:
    """Check that the times of each series increase, and warn of irregular steps."""
    _check_is_complete(table, times)
    steps = [np.diff(times.values[rows]) for rows in parts]
    for rows, step in zip(parts, steps):
        wrong = np.flatnonzero(step <= 0)
        if not len(wrong):
            continue
        i = wrong[0]
        before, after = (quote(text) for text in times.type.texts(times.values[rows[i : i + 2]]))
        where, other = table.where(int(rows[i + 1]), times.name), table.rows[rows[i]]
        hint = " If the file contains several series, set `series_column`." if series_column is None else ""
        if step[i] < 0:
            raise ValueError(f"{where}: the time {after} is before {before} in row {other:,}. Sort the rows.{hint}")
        raise ValueError(f"{where}: the time {after} is also in row {other:,}. Remove one of the rows.{hint}")
    usual = np.median(np.concatenate(steps)) if any(map(len, steps)) else 1.0
    count, largest, place = 0, 0.0, (0, 0)
    for rows, step in zip(parts, steps):
        irregular = np.abs(step / usual - 1) > _IRREGULAR
        count += int(irregular.sum())
        if irregular.any() and step.max() > largest:
            i = int(np.argmax(step))
            largest, place = step[i], (table.rows[rows[i]], table.rows[rows[i + 1]])
    if count:
        warnings.warn(
            f"{table.name}: the column {quote(times.name)} has {count:,} irregular steps. The largest, from row "
            f"{place[0]:,} to row {place[1]:,}, is {largest / usual:.3g} times the median. Windows ignore the times. "
            "Resample the series if the times matter.",
            stacklevel=5,
        )


def _check_is_number(table: TableFile, column: Column) -> None:
    if column.kind in ("category", "date"):
        row = int(np.argmin(np.isnan(column.values)))
        text = column.type.texts(column.values[[row]])[0]
        what = "dates" if column.kind == "date" else "text"
        raise ValueError(
            f"{table.where(row, column.name)}: the column contains {what}, here {quote(text)}. A series needs numbers. "
            "Name the columns of numbers in `columns`, or name the role of this column with `time_column`, "
            "`series_column`, `label_column` or `attribute_columns`."
        )


def _check_is_complete(table: TableFile, column: Column | None) -> None:
    if column is not None and np.isnan(column.values).any():
        row = int(np.argmax(np.isnan(column.values)))
        raise ValueError(
            f"{table.where(row, column.name)}: the value is missing. Only the columns of the series may have missing "
            "values. Fill it in, or remove the row."
        )


def _check_is_constant(table: TableFile, column: Column, rows: np.ndarray, name: str) -> None:
    values = column.values[rows]
    if (values != values[0]).any():
        i = int(np.argmax(values != values[0]))
        first, other = (quote(text) for text in column.type.texts(values[[0, i]]))
        raise ValueError(
            f"{table.where(int(rows[i]), column.name)}: the attribute changes from {first} to {other} within "
            f"{'series ' + quote(name) if name else 'the series'}. Use it as one of `columns`, or correct it."
        )


# Arrays.


def _is_array_of_series(path: Path) -> bool:
    return "series" in read_npz(path, ("series",))


def _read_arrays(path: Path) -> _Recordings:
    found = read_npz(path, ARRAYS)
    warn_of_unused_arrays(path, list(found), ARRAYS)
    x = found["series"][..., None] if found["series"].ndim == 2 else found["series"]
    if x.ndim != 3 or not x.size or x.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: the array 'series' must be numbers [N, T, C] with at least one series, got {x.dtype} with shape "
            f"{list(x.shape)}."
        )
    for name in ("labels", "attributes"):
        if name in found and len(found[name]) != len(x):
            raise ValueError(
                f"{path}: the array {name!r} must have one row for each of the {len(x):,} series, got "
                f"{len(found[name]):,}."
            )
    columns = _names(path, found, "columns", "x", x.shape[2])
    static = found.get("attributes", np.zeros((len(x), 0)))
    static = static[:, None] if static.ndim == 1 else static
    if static.ndim != 2 or static.dtype.kind not in "biuf" or not np.isfinite(static).all():
        raise ValueError(
            f"{path}: the array 'attributes' must be finite numbers [N, A], got shape {list(static.shape)}."
        )
    names = _names(path, found, "attribute_names", "attribute ", static.shape[1])
    labels, classes = None, ()
    if "labels" in found:
        labels, classes = class_indices(found["labels"], f"{path}: labels")
    x = x.astype(np.float64)
    if np.isinf(x).any():
        i, t, c = np.argwhere(np.isinf(x))[0]
        raise ValueError(
            f"{path}, series {i}, time step {t}, column {quote(columns[c])}: the value must be finite, got "
            f"{x[i, t, c]}."
        )
    recordings = [
        _Recording(
            values, None, f"series {i}", None if labels is None else int(labels[i]), static[i].astype(np.float64)
        )
        for i, values in enumerate(x)
    ]
    kinds = tuple({"name": name, "decimals": 0 if static.dtype.kind in "biu" else None} for name in names)
    decimals = (0 if found["series"].dtype.kind in "biu" else None,) * len(columns)
    return _Recordings(str(path), columns, recordings, decimals, classes, kinds)


def _names(path: Path, found: Mapping[str, np.ndarray], array: str, start: str, count: int) -> tuple[str, ...]:
    names = tuple(map(str, found[array].tolist())) if array in found else tuple(f"{start}{i + 1}" for i in range(count))
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"{path}: the array {array!r} must be {count} different names, got {list_names(names, 5)}.")
    return names


# Windows.


def _fill(found: _Recordings, fill_missing: bool) -> _Recordings:
    """Interpolate missing values, or refuse them."""
    holes = [(recording, np.isnan(recording.values)) for recording in found.recordings]
    count = sum(int(missing.sum()) for _, missing in holes)
    if not count:
        return found
    recording, missing = next((recording, missing) for recording, missing in holes if missing.any())
    row, column = map(int, np.argwhere(missing)[0])
    longest = max(_longest_run(missing[:, c]) for _, missing in holes for c in range(missing.shape[1]))
    many = f"{count:,} values are missing" if count > 1 else "one value is missing"
    runs = f", up to {longest:,} in a row" if longest > 1 else ""
    first = f"{found.where(recording, row, column)}"
    if not fill_missing:
        raise ValueError(
            f"{first}: the value is missing. In the series, {many}{runs}. Fill them in, or set `fill_missing` to "
            "interpolate them."
        )
    for recording, missing in holes:
        if missing.all(0).any():
            column = int(np.argmax(missing.all(0)))
            raise ValueError(
                f"{found.where(recording, 0, column)}: the series has no value in this column, so that nothing can be "
                "interpolated. Remove the series or the column."
            )
    warnings.warn(f"{first}: {many}{runs}. They are interpolated.", stacklevel=3)
    return dataclasses.replace(found, recordings=[_interpolate(recording) for recording in found.recordings])


def _interpolate(recording: _Recording) -> _Recording:
    values, missing = recording.values.copy(), np.isnan(recording.values)
    rows = np.arange(len(values))
    first, last = rows.copy(), rows.copy()
    for c, holes in enumerate(missing.T):
        values[holes, c] = np.interp(rows[holes], rows[~holes], values[~holes, c])
        before = np.maximum.accumulate(np.where(holes, -1, rows))  # the last value that is not missing, or -1
        after = np.minimum.accumulate(np.where(holes, len(rows), rows)[::-1])[::-1]
        first = np.minimum(first, np.where(before < 0, after, before))
        last = np.maximum(last, np.where(after == len(rows), before, after))
    return dataclasses.replace(recording, values=values, first_used=first, last_used=last)


def _longest_run(missing: np.ndarray) -> int:
    """Return the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing, [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _cut_windows(found: _Recordings, window: int | None, stride: int, test_fraction: float) -> NamedArrays:
    lengths = [len(recording.values) for recording in found.recordings]
    if window is None:
        window = _choose_window(found, lengths)
    if max(lengths) < window:
        what = "the number of rows of the longest series" if len(lengths) > 1 else "the number of rows of the series"
        raise ValueError(f"`window` must be at most {max(lengths):,} for {found.path}, {what}, got {window:,}.")
    short = [recording for recording, length in zip(found.recordings, lengths) if length < window]
    if short:
        first = short[0] if short[0].name else None
        example = f", for example {quote(first.name)} with {len(first.values):,} rows" if first else ""
        what = "series" if found.several else "sections of one class"
        warnings.warn(
            f"{found.path}: {len(short):,} of {len(lengths):,} {what} have fewer rows than the window of {window:,} "
            f"and are not used{example}.",
            stacklevel=3,
        )
    windows, spans, owners = [], [], []
    for number, recording in enumerate(found.recordings):
        rows = len(recording.values)
        starts = np.arange(0, rows - window + 1, stride)
        if not len(starts):
            continue
        inside = starts[:, None] + np.arange(window)
        windows.append(recording.values[inside])
        first = np.arange(rows) if recording.first_used is None else recording.first_used
        last = np.arange(rows) if recording.last_used is None else recording.last_used
        spans.append(np.stack([np.full(len(starts), number), first[inside].min(1), last[inside].max(1) + 1], 1))
        owners.append(np.full(len(starts), number))
    x, where, owner = np.concatenate(windows), np.concatenate(spans), np.concatenate(owners)
    train, test = np.arange(len(x)), np.zeros(0, np.int64)
    count = round(test_fraction * len(x))
    if count:
        if count >= len(x):
            raise ValueError(f"`test_fraction` must leave training windows of {found.path}, which has {len(x):,}.")
        try:
            train, test = split_in_time(where, count, found.path)
        except ValueError:
            raise ValueError(
                f"All training windows of {found.path} would share rows with the {count:,} test windows. Use longer "
                "series, a smaller `window`, or `test_fraction` 0."
            ) from None
    arrays: dict[str, np.ndarray] = {"series": x.astype(np.float32)}
    if found.classes:
        arrays["label"] = np.array([recording.label for recording in found.recordings], np.int32)[owner]
    static = None
    if found.attributes:
        static = np.stack([np.asarray(recording.attributes) for recording in found.recordings])[owner]
        arrays["attributes"] = static.astype(np.float32)
    details = _details(found, x[train], None if static is None else static[train])

    def select(indices, test=None):
        chosen = {name: array[indices] for name, array in arrays.items()}
        return NamedArrays(chosen, found.path, found.classes, details, test, where[indices])

    return select(train, select(test) if len(test) else None)


def _choose_window(found: _Recordings, lengths: list[int]) -> int:
    if not found.several:
        return DEFAULT_WINDOW
    if len(set(lengths)) > 1:
        raise ValueError(
            f"The series of {found.path} have from {min(lengths):,} to {max(lengths):,} rows. Set `window` to the "
            "number of rows of a window."
        )
    return lengths[0]


def _details(found: _Recordings, x: np.ndarray, static: np.ndarray | None) -> dict[str, Any]:
    """Return the fields of ``media.Series``. The bounds are those of the training windows."""
    low, high = x.min((0, 1)), x.max((0, 1))
    for name, least, most in zip(found.columns, low, high):
        if least == most:
            _refuse_constant(found.path, name, least, [n for n in found.columns if n != name], "columns")
    attributes = [dict(attribute) for attribute in found.attributes]
    for i, attribute in enumerate(attributes):
        if "categories" in attribute:
            continue
        assert static is not None
        attribute["low"], attribute["high"] = float(static[:, i].min()), float(static[:, i].max())
        if attribute["low"] == attribute["high"]:
            rest = [a["name"] for a in attributes if a is not attribute]
            _refuse_constant(found.path, attribute["name"], attribute["low"], rest, "attribute_columns")
    decimals = list(found.decimals) or [None] * len(found.columns)
    return {
        "columns": list(found.columns),
        "low": low.tolist(),
        "high": high.tolist(),
        "decimals": decimals,
        "attributes": attributes,
        "classes": list(found.classes),
    }


def _refuse_constant(path: str, name: str, value: float, rest: Sequence[str], argument: str) -> None:
    hint = (
        f"Leave it out: set `{argument}` to the others, {list_names(rest, 5)}."
        if rest
        else "There is nothing to learn."
    )
    raise ValueError(f"{path}: the column {quote(name)} has the value {value:g} in all training windows. {hint}")


def _check_numbers(window: int | None, stride: int, test_fraction: float) -> None:
    if window is not None and window < 2:
        raise ValueError(f"`window` must be at least 2, got {window}.")
    if stride < 1:
        raise ValueError(f"`stride` must be at least 1, got {stride}.")
    if not 0 <= test_fraction < 1:
        raise ValueError(f"`test_fraction` must be from 0 to below 1, got {test_fraction}.")


def _check_no_roles(data: str, roles: Sequence[str | None], types: Mapping[str, str] | None) -> None:
    if types or any(roles):
        raise ValueError(f"{data} has no columns in a table, so `columns`, `types` and names of columns cannot be set.")
