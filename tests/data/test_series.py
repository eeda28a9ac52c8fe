"""Tests of windows of series: roles of columns, the split in time, and messages about files that are no clean series."""

import json

import numpy as np
import pytest

from jaxgan import data
from jaxgan.data.series import load, sines

ROWS = 40


def table(rows=ROWS, columns=("x", "y"), first=0, **more):
    """Return the lines of a CSV file with the columns t, x = row and y = 10 row, and further columns."""
    lines = [",".join(("t", *columns, *more))]
    for i in range(rows):
        lines.append(",".join(str(value) for value in (i + first, i, 10 * i, *(f(i) for f in more.values()))))
    return lines


def write(tmp_path, lines, name="a.csv"):
    path = tmp_path / name
    path.write_text("\n".join(lines))
    return str(path)


def test_windows_of_one_series_are_split_in_time(tmp_path):
    source = load(write(tmp_path, table()), window=5, test_fraction=0.25)
    x, test = source.arrays["series"], source.test.arrays["series"]
    assert (source.shape, x.dtype, list(source.arrays)) == ((5, 2), np.float32, ["series"])
    assert (len(test), test.min(), x[..., 0].max()) == (9, 27, 26)  # of 36 windows, 9 are test and 4 overlap with them
    np.testing.assert_array_equal(x[3], [[i, 10 * i] for i in range(3, 8)])
    assert source.details == {
        "columns": ["x", "y"],
        "low": [0.0, 0.0],
        "high": [26.0, 260.0],  # of the training part only
        "decimals": [0, 0],
        "attributes": [],
        "classes": [],
    }
    train, held = data.hold_out(source, 5)
    assert train.arrays["series"].max() < held.arrays["series"][..., 1].min()


def test_stride_columns_and_the_default_window(tmp_path):
    path = write(tmp_path, table())
    source = load(path, stride=4, columns=("y",), test_fraction=0)
    assert (source.shape, len(source), source.test) == ((24, 1), 5, None)
    assert source.arrays["series"][:, 0, 0].tolist() == [0, 40, 80, 120, 160]


def test_several_series_with_classes_and_attributes(tmp_path):
    lines = ["id,t,x,kind,size,colour"]
    for t in range(6):  # the rows of the series are mixed
        lines += [f"{i},{t},{t + 10 * i},{'ab'[i % 2]},{i / 2},{'red' if i < 5 else 'blue'}" for i in range(10)]
    roles = {"series_column": "id", "label_column": "kind", "attribute_columns": ("size", "colour")}
    source = load(write(tmp_path, lines), test_fraction=0.2, **roles)
    assert (source.shape, source.classes, len(source), len(source.test)) == ((6, 1), ("a", "b"), 8, 2)
    for part in (source, source.test):
        for x, label, static in zip(*part.arrays.values()):
            i = int(x[0, 0]) // 10
            assert x[:, 0].tolist() == [10 * i + t for t in range(6)]
            assert (label, static.tolist()) == (i % 2, [i / 2, float(i < 5)])
    size, colour = source.details["attributes"]
    train = source.arrays["attributes"][:, 0]
    assert size == {"name": "size", "decimals": 1, "low": train.min(), "high": train.max()}
    assert colour == {"name": "colour", "categories": ["blue", "red"]}
    cut = load(write(tmp_path, lines), window=4, **roles)
    assert len(cut) + len(cut.test) == 30
    assert not set(cut.spans[:, 0]) & set(cut.test.spans[:, 0])  # complete series are test series


def test_windows_do_not_cross_a_change_of_the_class(tmp_path):
    source = load(
        write(tmp_path, table(kind=lambda i: "run" if 10 <= i < 25 else "walk")), window=5, label_column="kind"
    )
    for part in (source, source.test):
        first, last = part.arrays["series"][:, 0, 0], part.arrays["series"][:, -1, 0]
        inside = (first >= 10) & (last < 25)
        assert (inside | (last < 10) | (first >= 25)).all()
        np.testing.assert_array_equal(part.arrays["label"], np.where(inside, 0, 1))


def test_missing_values_are_interpolated_without_a_leak(tmp_path):
    lines = table()
    for i in (0, 28, 29, 30, 39):
        lines[1 + i] = f"{i},,{10 * i}"
    path = write(tmp_path, lines)
    message = r"row 2, column 'x': 5 values are missing, up to 3 in a row\. They are interpolated\."
    with pytest.warns(UserWarning, match=message):
        source = load(path, window=5, test_fraction=0.25, fill_missing=True)
    x, test = source.arrays["series"], source.test.arrays["series"]
    assert (x[0, 0, 0], test[-1, -1, 0]) == (1, 38)  # at the ends, the next value is repeated
    np.testing.assert_array_equal(test[1:-1, :, 0] * 10, test[1:-1, :, 1])
    assert len(test) == 9
    assert test.min() == 27
    assert x[..., 0].max() == 26
    # With the test part from row 29, the rows 28 to 30 depend on row 31, so that no training window contains row 28.
    with pytest.warns(UserWarning, match="interpolated"):
        source = load(path, window=5, test_fraction=7 / 36, fill_missing=True)
    assert source.test.arrays["series"][..., 1].min() == 290
    assert source.arrays["series"][..., 1].max() == 260


def test_times_of_any_kind_are_not_columns(tmp_path):
    days = ["day,x,y", *(f"2024-01-{i + 1:02},{i},{i % 7}" for i in range(28))]
    source = load(write(tmp_path, days), window=4)
    assert source.details["columns"] == ["x", "y"]
    assert load(write(tmp_path, table()), window=4, time_column="x").details["columns"] == ["t", "y"]
    uneven = table()
    del uneven[20:23]
    with pytest.warns(
        UserWarning, match=r"'t' has 1 irregular steps\. The largest, from row 20 to row 21, is 4 times the"
    ):
        load(write(tmp_path, uneven), window=4)


def test_arrays_of_series(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 6, 2))
    path = tmp_path / "a.npz"
    arrays = {"labels": np.arange(20) % 2, "attributes": np.arange(20), "columns": np.array(["u", "v"])}
    np.savez(path, series=x, **arrays)
    source = load(str(path), test_fraction=0.25)
    assert (source.shape, len(source), len(source.test), source.classes) == ((6, 2), 15, 5, ("0", "1"))
    i = source.arrays["attributes"][:, 0].astype(int)
    np.testing.assert_array_equal(source.arrays["series"], x[i].astype(np.float32))
    np.testing.assert_array_equal(source.arrays["label"], i % 2)
    assert source.details["columns"] == ["u", "v"]
    assert source.details["high"] == x[i].max((0, 1)).tolist()
    windows = load(str(path), window=4, stride=2)
    assert len(windows) + len(windows.test) == 40
    np.savez(path, series=x[..., 0])
    assert load(str(path)).shape == (6, 1)
    np.savez(path, x=np.arange(30.0), y=np.arange(30) % 4)  # columns of one series
    assert load(str(path), test_fraction=0).shape == (24, 2)


def test_sines_are_those_of_the_paper():
    x = sines(2000, seed=1)
    assert (x.shape, x.dtype) == ((2000, 24, 5), np.float32)
    assert 0.5 <= x.min() < 0.501
    phase = np.arcsin(2 * x[:, 0].astype(np.float64) - 1)
    frequency = np.arcsin(2 * x[:, 1].astype(np.float64) - 1) - phase
    for drawn in (phase, frequency):
        assert abs(drawn.mean() - 0.05) < 2e-3
        assert abs(drawn.std() - 0.1 / 12**0.5) < 1e-3
    np.testing.assert_allclose(x[:, 12], (np.sin(12 * frequency + phase) + 1) / 2, atol=1e-5)
    assert np.array_equal(x[:5], sines(2000, seed=1)[:5]) and not np.array_equal(x[:5], sines(2000, seed=2)[:5])
    source = load("sines")
    assert (source.shape, len(source), len(source.test)) == ((24, 5), 8000, 2000)


def test_the_bundled_weather():
    source = load("weather")
    assert (source.shape, source.name) == ((24, 4), "weather")
    assert source.details["columns"] == ["precipitation", "temp_max", "temp_min", "wind"]
    assert source.details["decimals"] == [1, 1, 1, 1]
    np.testing.assert_allclose(source.arrays["series"][0, :2], [[0, 12.8, 5, 4.7], [10.9, 10.6, 2.8, 4.5]])
    assert len(source) + len(source.test) == 1461 - 23 - 23  # without the windows across the cut
    assert json.loads(json.dumps(source.details)) == source.details


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_stocks_have_the_windows_of_the_paper(test_data, suffix, tmp_path):
    path = tmp_path / f"stocks{suffix}"
    path.write_bytes((test_data / "stocks" / "stock_data.csv").read_bytes())
    assert load(str(path), test_fraction=0).arrays["series"].shape == (3662, 24, 6)


def change(lines, row, text):
    """Return the lines of a file with another row; the header is row 1."""
    return [*lines[: row - 1], text, *lines[row:]]


SEVERAL = ["id,t,x", *(f"{'ab'[i // 30]},{i % 30},{i * i % 17}" for i in range(60))]
ATTRIBUTE = ["id,x,size", *(f"{i // 10},{i * i % 17},{i // 10 + (i == 25)}" for i in range(60))]
LENGTHS = ["id,x", *(f"{i // 30 + i // 50},{i * i % 17}" for i in range(60))]
DAYS = ["day,x", "2024-01-03,5", "2024-01-01,6", *(f"2024-01-{i:02},{i}" for i in range(4, 30))]

# By name: the lines of the file a.csv, arguments, and the message after the path of the file.
BAD = {
    "text in a number column": (
        change(table(), 7, "5,broken,50"),
        {},
        r", row 7, column 'x': 'broken' is not a number, but most cells of the column are\. Correct it, or leave it",
    ),
    "a column of text": (
        table(city=lambda i: "Bonn"),
        {},
        r", row 2, column 'city': the column contains text, here 'Bonn'\. A series needs numbers\. Name the columns of "
        r"numbers in `columns`, or name the role of this column with `time_column`, `series_column`, `label_column` or "
        r"`attribute_columns`\.",
    ),
    "dates as a column": (DAYS, {"columns": ("day",)}, r", row 2, column 'day': the column contains dates, here"),
    "constant column": (
        table(z=lambda i: 3),
        {"window": 4},
        r": the column 'z' has the value 3 in all training windows\. Leave it out: set `columns` to the others, x, y\.",
    ),
    "constant in the training part": (
        table(z=lambda i: int(i > 35)),
        {"window": 4},
        r": the column 'z' has the value 0 in all training windows\.",
    ),
    "only constant": (["x", *["3"] * 30], {"window": 4}, r": the column 'x' has .* There is nothing to learn\."),
    "one row": (table(1), {}, r" must have at least 2 rows of values, got 1\."),
    "too few rows for a window": (
        table(9),
        {"window": 24},
        r"`window` must be at most 9 for .*, the number of rows of the series, got 24\.",
    ),
    "a window longer than all series": (
        LENGTHS,
        {"window": 31, "series_column": "id"},
        r"`window` must be at most 30 for .*, the number of rows of the longest series, got 31\.",
    ),
    "series of different lengths": (
        LENGTHS,
        {"series_column": "id"},
        r"The series of .*a\.csv have from 10 to 30 rows\. Set `window` to the number of rows of a window\.",
    ),
    "all windows overlap with the test windows": (
        table(26),
        {"test_fraction": 0.4},
        r"All training windows of .*a\.csv would share rows with the 1 test windows\. Use longer series, a smaller "
        r"`window`, or `test_fraction` 0\.",
    ),
    "too few windows for a test part": (
        table(26),
        {"test_fraction": 0.9},
        r"`test_fraction` must leave training windows of .*a\.csv, which has 3\.",
    ),
    "time going backwards": (
        change(table(), 9, "3,7,70"),
        {},
        r", row 9, column 't': the time '3' is before '6' in row 8\. Sort the rows\. If the file contains several series, "
        r"set `series_column`\.",
    ),
    "dates going backwards": (DAYS, {}, r", row 3, column 'day': the time '2024-01-01' is before '2024-01-03' in row 2\."),
    "duplicate times": (
        change(table(), 9, "6,7,70"),
        {},
        r", row 9, column 't': the time '6' is also in row 8\. Remove one of the rows\.",
    ),
    "duplicate times in one of several series": (
        change(SEVERAL, 40, "b,7,3"),
        {"series_column": "id"},
        r", row 40, column 't': the time '7' is also in row 39\. Remove one of the rows\.$",
    ),
    "missing time": (change(table(), 9, ",7,70"), {}, r", row 9, column 't': the value is missing\. Only the columns of"),
    "missing label": (
        change(table(kind=lambda i: "ab"[i // 20]), 9, "7,7,70,"),
        {"label_column": "kind"},
        r", row 9, column 'kind': the value is missing\. Only the columns of the series may have missing values\. Fill it "
        r"in, or remove the row\.",
    ),
    "one missing value": (
        change(table(), 9, "7,,70"),
        {},
        r", row 9, column 'x': the value is missing\. In the series, one value is missing\. Fill them in, or set "
        r"`fill_missing` to interpolate them\.",
    ),
    "a run of NaN": (
        change(change(change(table(), 9, "7,7,nan"), 10, "8,8,nan"), 11, "9,9,nan"),
        {},
        r", row 9, column 'y': the value is missing\. In the series, 3 values are missing, up to 3 in a row\.",
    ),
    "a series without values": (
        ["id,x", *(f"{i // 30},{'' if i < 30 else i}" for i in range(60))],
        {"series_column": "id", "fill_missing": True},
        r", row 2, column 'x': the series has no value in this column, so that nothing can be interpolated\. Remove the "
        r"series or the column\.",
    ),
    "inf": (change(table(), 9, "7,inf,70"), {}, r", row 9, column 'x': the value must be finite, got inf\."),
    "an attribute that changes": (
        ATTRIBUTE,
        {"series_column": "id", "attribute_columns": ("size",)},
        r", row 27, column 'size': the attribute changes from '2' to '3' within series '2'\. Use it as one of `columns`, "
        r"or correct it\.",
    ),
    "unknown column": (
        table(),
        {"columns": ("x", "z")},
        r"`columns` must be columns of .*a\.csv, got 'z'\. Its columns are: t, x, y\.",
    ),
    "unknown label column": (
        table(kind=lambda i: "a"),
        {"label_column": "kinds"},
        r"`label_column` must be columns of .*a\.csv, got 'kinds'\. .* Did you mean kind\?",
    ),
    "unknown time column": (table(), {"time_column": "T"}, r"`time_column` must be columns of .*a\.csv, got 'T'\."),
    "text as times": (
        table(kind=lambda i: "ab"[i // 20]),
        {"time_column": "kind"},
        r"`time_column` of .*a\.csv must be a column of dates or numbers, got 'kind', a column of kind category\.",
    ),
    "several columns of dates": (
        ["a,b,x", *(f"2024-01-{i:02},2024-01-{i:02},{i}" for i in range(1, 30))],
        {},
        r" has several columns of dates, a, b\. Set `time_column` to one of them\.",
    ),
    "a column with two roles": (
        table(),
        {"columns": ("t", "x"), "time_column": "t"},
        r"`columns` of .*a\.csv must not contain 't', which has another role\.",
    ),
    "no columns": (["t", *map(str, range(30))], {}, r" must have a column of numbers beside t\."),
    "window": (table(), {"window": 1}, r"`window` must be at least 2, got 1\."),
    "stride": (table(), {"stride": 0}, r"`stride` must be at least 1, got 0\."),
    "test fraction": (table(), {"test_fraction": 1.0}, r"`test_fraction` must be from 0 to below 1, got 1\.0\."),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "options", "message"), BAD.values(), ids=BAD.keys())
def test_bad_series_are_refused_with_the_row_and_the_column(lines, options, message, tmp_path):
    path = write(tmp_path, lines)
    with pytest.raises(ValueError, match=rf"^({path})?{message}"):
        load(path, **options)


def test_series_that_are_shorter_than_the_window_are_not_used(tmp_path):
    message = (
        r"a\.csv: 2 of 3 series have fewer rows than the window of 25 and are not used, for example '1' with 20 rows\."
    )
    with pytest.warns(UserWarning, match=message):
        source = load(write(tmp_path, LENGTHS), window=25, series_column="id", test_fraction=0)
    assert len(source) == 6


BAD_ARRAYS = {
    "shape": ({"series": np.zeros((2, 3, 4, 5))}, r": the array 'series' must be numbers \[N, T, C\] .*, got float64 with"),
    "text": ({"series": np.full((2, 3), "a")}, r": the array 'series' must be numbers \[N, T, C\]"),
    "labels": (
        {"series": np.zeros((3, 4, 1)), "labels": np.zeros(2, int)},
        r": the array 'labels' must have one row for each of the 3 series, got 2\.",
    ),
    "attributes": ({"series": np.zeros((3, 4)), "attributes": np.full(3, np.nan)}, r": .* 'attributes' must be finite"),
    "names": (
        {"series": np.zeros((3, 4, 2)), "columns": np.array(["a", "a"])},
        r": the array 'columns' must be 2 different names, got a, a\.",
    ),
    "inf": ({"series": np.array([[1, 2], [3, np.inf]])}, r", series 1, time step 1, column 'x1': the value must be finite"),
    "NaN": (
        {"series": np.array([[1, 2], [np.nan, 3]])},
        r", series 1, time step 0, column 'x1': the value is missing\. In the series, one value is missing\.",
    ),
    "constant": ({"series": np.ones((3, 4))}, r": the column 'x1' has the value 1 in all training windows\."),
    "lengths": ({"x": np.zeros(30), "y": np.zeros(31)}, r": all arrays must have the same length, but 'x' has 30"),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays_of_series_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=rf"a\.npz{message}"):
        load(str(tmp_path / "a.npz"))


def test_unknown_data_are_refused(tmp_path):
    write(tmp_path, table(), "stocks.csv")
    with pytest.raises(ValueError, match=r"`data` .*stock\.csv.? does not exist\. Did you mean .*stocks\.csv\?"):
        load(str(tmp_path / "stock.csv"))
    with pytest.raises(
        ValueError, match=r"`data` must be weather, sines, or a file that ends with \.csv, .*, got 'wether'\."
    ):
        load("wether")
    with pytest.raises(ValueError, match=r"`data` '/nowhere/at/all' does not exist\."):
        load("/nowhere/at/all")
    with pytest.raises(ValueError, match="sines has no columns in a table, so `columns`, `types` and names of columns"):
        load("sines", columns=("x1",))
