"""Tests of the reading of tables: the types of columns, and messages about files that are not clean tables."""

import datetime
import json
from dataclasses import asdict

import numpy as np
import pytest

from jaxgan.core import extras
from jaxgan.data.columns import (
    KINDS,
    Cells,
    Column,
    ColumnType,
    column_of_array,
    column_of_cells,
    encode_texts,
    is_number,
    place,
)
from jaxgan.data.table_files import MISSING, SUFFIXES, TableFile, parse_types, read_table

CLEAN = """\
age,height,member,joined,seen,city,code
31,1.5,true,2024-01-31,2024-01-31T10:30:00,Bonn,007
-4,,false,2023-12-01,2024-01-31T10:30:00.5,"Ulm, old",010
+12,175.25,true,2020-02-29,,Bonn,?
"""


def read(tmp_path, text, name="a.csv", **options):
    """Write a file and read it as a table."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, **options)


def values(table):
    return {column.name: column.values.tolist() for column in table.columns}


def kinds(table):
    return {column.name: column.kind for column in table.columns}


def test_types_of_columns_are_found(tmp_path):
    table = read(tmp_path, CLEAN)
    assert list(kinds(table).values()) == ["integer", "number", "boolean", "date", "date", "category", "category"]
    assert set(kinds(table).values()) == set(KINDS)
    assert (len(table), table.names, table.rows.tolist()) == (3, tuple(CLEAN.split("\n")[0].split(",")), [2, 3, 4])
    assert table.column("age").values.tolist() == [31, -4, 12]
    np.testing.assert_array_equal(table.column("height").values, [1.5, np.nan, 175.25])
    assert table.column("member").values.tolist() == [1, 0, 1]
    day = datetime.datetime(2024, 1, 31, tzinfo=datetime.UTC).timestamp()
    assert table.column("joined").values[0] == day
    assert table.column("seen").values[:2].tolist() == [day + 37800, day + 37800.5]
    assert table.column("city").type.categories == ("Bonn", "Ulm, old")
    assert table.column("code").type.categories == ("007", "010")
    np.testing.assert_array_equal(table.column("code").values, [0, 1, np.nan])
    assert table.where(1, "age") == place(str(tmp_path / "a.csv"), 3, "age") == f"{tmp_path}/a.csv, row 3, column 'age'"


def test_values_are_written_as_they_were_read(tmp_path):
    table = read(tmp_path, CLEAN)
    lines = [line.split(",") for line in CLEAN.replace('"Ulm, old"', "Ulm").replace("+", "").split("\n")[1:4]]
    texts = {column.name: column.type.texts(column.values) for column in table.columns}
    assert texts["age"] == [line[0] for line in lines]
    assert texts["height"] == ["1.50", "", "175.25"]  # all numbers of a column have the same number of decimals
    assert texts["member"] == [line[2] for line in lines]
    assert texts["joined"] == [line[3] for line in lines]
    assert texts["seen"] == ["2024-01-31T10:30:00.000000", "2024-01-31T10:30:00.500000", ""]
    assert texts["code"] == ["007", "010", ""]
    for column in table.columns:
        assert ColumnType(**json.loads(json.dumps(asdict(column.type)))) == column.type
    assert Column(ColumnType("x", "number", None), np.zeros(1)).type.texts(np.array([1e-9])) == ["1e-09"]


def test_types_are_shown(tmp_path):
    shown = read(tmp_path, CLEAN).describe()
    assert [line.split() for line in shown.split("\n")[1:4]] == [
        ["column", "type", "values", "missing"],
        ["age", "integer", "-4", "to", "31"],
        ["height", "number", "1.50", "to", "175.25", "1"],
    ]
    assert shown.startswith(f"{tmp_path}/a.csv: 3 rows, 7 columns\n")


LAYOUTS = {
    "a byte order mark": b"\xef\xbb\xbfx,y\n1,2\n3,4\n",
    "semicolons": "x;y\n1;2\n3;4\n",
    "semicolons and decimal commas": "x;y\n1,0;2,0\n3,0;4,0\n",
    "tabs": "x\ty\n1\t2\n3\t4\n",
    "vertical bars": "x|y\n1|2\n3|4\n",
    "Windows": "x,y\r\n1,2\r\n3,4\r\n",
    "quoted cells": '"x","y"\n"1","2"\n"3","4"\n',
    "quoted decimal commas": 'x,y\n"1,0","2,0"\n"3,0",4\n',
    "spaces": 'x, y\n1, "2"\n 3 ,4 \n',
    "empty lines at the end": "x,y\n1,2\n3,4\n\n,\n\n",
    "a delimiter at the end": "x,y,\n1,2,\n3,4,\n",
    "no line break at the end": "x,y\n1,2\n3,4",
    "exponents": "x,y\n1e0,2\n.3e1,4.\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts_of_text_files_are_found(text, tmp_path):
    assert values(read(tmp_path, text)) == {"x": [1, 3], "y": [2, 4]}


def test_rows_are_numbered_as_lines_of_the_file(tmp_path):
    text = 'x,y\n\n1,"two\nlines"\n\n2,b\n'
    assert read(tmp_path, text).rows.tolist() == [3, 6]


def test_a_tsv_file_has_tabs_and_a_single_column_needs_no_delimiter(tmp_path):
    assert values(read(tmp_path, "x\ty\n1,5\t2\n3,5\t4\n", "a.tsv")) == {"x": [1.5, 3.5], "y": [2, 4]}
    assert values(read(tmp_path, "x\n1\n2\n", "a.txt")) == {"x": [1, 2]}
    assert values(read(tmp_path, "x\n1,5\n2\n", "a.txt", delimiter=";")) == {"x": [1.5, 2]}


def test_options_state_what_is_not_found(tmp_path):
    text = "a;b;c;d\n1;01/02/2024;0;ä\n2;03/02/2024;1;-\n".encode("cp1252")
    types = {"a": "category", "b": "date:%d/%m/%Y", "c": "boolean"}
    table = read(tmp_path, text, encoding="cp1252", types=types, missing=("-",), columns=("a", "b", "c", "d"))
    assert kinds(table) == {"a": "category", "b": "date", "c": "boolean", "d": "category"}
    assert table.column("b").type.texts(table.column("b").values) == ["01/02/2024", "03/02/2024"]
    assert table.column("b").values[1] - table.column("b").values[0] == 2 * 86400
    np.testing.assert_array_equal(table.column("d").values, [0, np.nan])
    assert read(tmp_path, text, encoding="cp1252", columns=("a",)).names == ("a",)
    without = read(tmp_path, "1,x\n2,y\n", header=False)
    assert (without.names, without.rows.tolist()) == (("column 1", "column 2"), [1, 2])


def test_few_integers_with_text_are_categories_and_words_are_booleans(tmp_path):
    children = "children,smoker\n" + "0,Yes\n1,No\n2,Yes\n3+,No\n" * 5
    table = read(tmp_path, children, types={"smoker": "boolean"})
    assert table.column("children").type.categories == ("0", "1", "2", "3+")
    assert table.column("smoker").type.categories == ("No", "Yes")
    assert read(tmp_path, "x\nTRUE\nTRUE\n").column("x").type.categories == ("FALSE", "TRUE")


def test_a_rare_text_among_few_integers_is_a_category(tmp_path):
    table = read(tmp_path, "children\n" + "0\n1\n2\n" * 10 + "3+\n")
    assert table.column("children").type.categories == ("0", "1", "2", "3+")


def test_the_delimiter_has_equal_numbers_in_all_rows(tmp_path):
    assert values(read(tmp_path, "length, m;y\n1;2\n3;4\n")) == {"length, m": [1, 3], "y": [2, 4]}


def test_dates_with_a_time_zone_are_converted(tmp_path):
    table = read(tmp_path, "t\n2024-03-31T01:00:00+01:00\n2024-03-31T03:00:00+02:00\n")
    assert np.diff(table.column("t").values) == 3600
    assert table.column("t").type.texts(table.column("t").values)[0] == "2024-03-31T00:00:00Z"


def test_arrays_of_npz_files_are_columns(tmp_path):
    when = np.array(["2024-01-01", "NaT"], "datetime64[s]")
    arrays = {
        "n": np.array([1, 2]),
        "x": np.array([0.5, np.nan]),
        "b": np.array([True, False]),
        "s": np.array(["u", ""]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    table = read_table(tmp_path / "a.npz")
    assert kinds(table) == {"n": "integer", "x": "number", "b": "boolean", "s": "category"}
    np.testing.assert_array_equal(table.column("s").values, [0, np.nan])
    assert (table.column("x").type.decimals, table.rows.tolist()) == (1, [1, 2])
    assert kinds(read_table(tmp_path / "a.npz", types={"n": "category"}))["n"] == "category"
    column = column_of_array("a", "t", np.arange(2), when)
    assert column.type.texts(column.values) == ["2024-01-01", ""]


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".xlsx"])
def test_files_of_pandas_have_the_same_columns(suffix, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl" if suffix == ".xlsx" else "pyarrow")
    frame = pandas.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [0.5, None, 2.25],
            "s": ["u", None, "v"],
            "t": pandas.to_datetime(["2024-01-01", "2024-01-02", None]),
            "b": [True, False, True],
            "o": pandas.array([1, None, 3], "Int64"),
        }
    )
    path = tmp_path / f"a{suffix}"
    frame.to_excel(path, index=False) if suffix == ".xlsx" else getattr(frame, f"to_{suffix[1:]}")(path)
    table = read_table(path)
    assert list(kinds(table).values())[:5] == ["integer", "number", "category", "date", "boolean"]
    np.testing.assert_array_equal(table.column("x").values, [0.5, np.nan, 2.25])
    np.testing.assert_array_equal(table.column("o").values, [1, np.nan, 3])
    texts = [column.type.texts(column.values) for column in table.columns]
    assert texts[2:5] == [["u", "", "v"], ["2024-01-01", "2024-01-02", ""], ["True", "False", "True"]]
    damaged = tmp_path / f"b{suffix}"
    damaged.write_bytes(b"no table")
    with pytest.raises(ValueError, match=f"b{suffix} cannot be read: "):
        read_table(damaged)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    for suffix, packages in ((".parquet", "pandas and pyarrow"), (".xlsx", "pandas and openpyxl")):
        message = rf"Reading {suffix} files requires {packages}\. To fix this, run: pip install 'jaxgan\[tables\]'"
        with pytest.raises(extras.MissingPackageError, match=message):
            read(tmp_path, "x\n1\n2\n", f"a{suffix}")


MANY = "".join(f"{i / 4},{i}\n" for i in range(20))

# By name: the content of the file a.csv, options of read_table, and the message after the path of the file.
BAD = {
    "empty": ("", {}, r" is empty\."),
    "only empty lines": ("\n\n , \n", {}, r" is empty\."),
    "only a header": ("x,y\n", {}, r" must have at least 2 rows of values, got 0\."),
    "one row": ("x,y\n1,2\n", {}, r" must have at least 2 rows of values, got 1\."),
    "text in a number column": (
        f"x,y\n{MANY}broken,3\n",
        {},
        r", row 22, column 'x': 'broken' is not a number, but most cells of the column are\. Correct it, or leave it empty "
        r"if it is missing\. If the column contains names, set `types` to x=category\.",
    ),
    "several texts in a number column": (
        f"x,y\n{MANY}broken,3\nunknown,3\n",
        {},
        r", row 22, column 'x': 'broken' is not a number",
    ),
    "text in a stated number column": (
        "x,y\na,2\n1,2\n",
        {"types": {"x": "number"}},
        r", row 2, column 'x': the cell must be a number, got 'a'\.",
    ),
    "mixed types": (
        "x,y\n" + "1.5,2\n" * 9 + "true,2\n2.5,3\n",
        {},
        r", row 11, column 'x': 'true' is not a number, but most cells of the column are\.",
    ),
    "fraction in an integer column": (
        "x\n1\n2.5\n",
        {"types": {"x": "integer"}},
        r", row 3, column 'x': the cell must be an integer of at most 2\*\*53, got '2\.5'\. Set `types` to x=number\.",
    ),
    "huge integer": (
        "x\n1\n99999999999999999999\n",
        {},
        r", row 3, column 'x': the cell must be an integer of at most 2\*\*53, got '9{20}'\. Set `types` to x=category\.",
    ),
    "inf": (
        "x,y\n1.5,2\n-inf,3\n",
        {},
        r", row 3, column 'x': the value must be finite, got -inf\. Correct it, or leave it empty if it is missing\.",
    ),
    "overflow": ("x,y\n1.5,2\n1e999,3\n", {}, r", row 3, column 'x': the value must be finite, got 1e999\."),
    "no values": (
        "x,y\n,2\nNA,3\n",
        {},
        r": the column 'x' has no values\. Remove it from the file, or from `columns`\.",
    ),
    "dates in three formats": (
        "t,y\n2024-01-02,1\n03/01/2024,2\n2024-01-02,1\nJan 4 2024,3\n",
        {},
        r": the column 't' has dates in 3 formats: '2024-01-02' \(row 2\), '03/01/2024' \(row 3\), 'Jan 4 2024' "
        r"\(row 5\)\. Write all of them as 2024-12-31\.",
    ),
    "dates with and without a time": (
        "t\n2024-01-02\n2024-01-02 10:00\n",
        {},
        r": the column 't' has dates in 2 formats: '2024-01-02' \(row 2\), '2024-01-02 10:00' \(row 3\)\.",
    ),
    "ambiguous dates": (
        "t\n03/01/2024\n04/01/2024\n",
        {},
        r", row 2, column 't': '03/01/2024' is not a date in an ISO format\. Write 2024-12-31, or set `types` to "
        r"t=date:%d/%m/%Y or t=date:%m/%d/%Y\.",
    ),
    "dates of an unknown format": (
        "t\n32/13/2024\n33/13/2024\n",
        {},
        r", row 2, column 't': .* to t=date:FORMAT, in the notation of strptime\.",
    ),
    "text in a date column": (
        "t\n" + "2024-01-02\n2024-01-03\n" * 5 + "soon\n",
        {},
        r", row 12, column 't': 'soon' is not a date, but most cells of the column are\.",
    ),
    "a day that does not exist": (
        "t\n2024-02-28\n2024-02-30\n",
        {},
        r", row 3, column 't': the cell must be a date in an ISO format, such as 2024-12-31, got '2024-02-30'\.",
    ),
    "another date than stated": (
        "t\n2024-02-28\n28/02/2024\n",
        {"types": {"t": "date:%d/%m/%Y"}},
        r", row 2, column 't': the cell must be a date of the format %d/%m/%Y, got '2024-02-28'\.",
    ),
    "three booleans": (
        "x\nyes\nno\nmaybe\n",
        {"types": {"x": "boolean"}},
        r", row 4, column 'x': the cells of a boolean column must be two words, such as true and false, got 'maybe'\.",
    ),
    "duplicate headers": (
        "x,y,x\n1,2,3\n4,5,6\n",
        {},
        r": the columns 1 and 3 have the same name, 'x'\. Rename one of them in the header\.",
    ),
    "a column without a name": (
        ",y\n0,2\n1,5\n",
        {},
        r": column 1 has no name in the header\. Add a name, or remove the column\. pandas does not write its index with "
        r"to_csv\(\.\.\., index=False\)\.",
    ),
    "no header": (
        "Bonn,1,2\nUlm,3,4\n",
        {},
        r" has no header\. Row 1 must contain the names of the columns, got Bonn, 1, 2\. Add a row with names, or set "
        r"`header` to False\.",
    ),
    "ragged rows": (
        "x,y\n1,2\n3,4,5\n",
        {},
        r", row 3: the row has 3 cells, but row 1 has 2\. Correct the row, and put quotation marks around cells that "
        r"contain a comma\.",
    ),
    "a short row": ("x;y\n1;2\n3\n", {}, r", row 3: the row has 1 cell, but row 1 has 2\."),
    "a title above the header": (
        "My data\nx,y\n1,2\n",
        {},
        r", row 2: the row has 2 cells, but row 1 has 1\. Remove lines above the header\.",
    ),
    "decimal commas and points": (
        "x;y\n1,5;2\n2.5;3\n",
        {},
        r", row 2, column 'x': '1,5' has a decimal comma, but '2\.5' in row 3 has a decimal point\. Use one of the two\.",
    ),
    "ambiguous commas": (
        'x,y\n"1,500",2\n"2,500",3\n',
        {},
        r", row 2, column 'x': the comma of '1,500' can be a decimal comma or separate thousands\. Write 1234 or 1\.234\.",
    ),
    "thousands": (
        "x;y\n1.234,5;2\n2;3\n",
        {},
        r", row 2, column 'x': '1\.234,5' has separators of thousands\. Write numbers without them, as in 1234\.5\.",
    ),
    "open quotation mark": (
        'x,y\n1,2\n"3,4\n5,6\n',
        {},
        r", row 3: the quotation marks do not match \(.*\)\. Write a quotation mark inside of a quoted cell as \"\"\.",
    ),
    "wrong encoding": (
        "x,y\n1,2\n3,é\n".encode("latin-1"),
        {},
        r", row 3: the byte 0xe9 is not text in utf-8\. Save the file as UTF-8, or set `encoding` to its encoding, such as "
        r"cp1252\.",
    ),
    "UTF-16": ("x\n1\n2\n".encode("utf-16"), {}, r" is text in UTF-16, not in UTF-8\. Save it as UTF-8, or set"),
    "binary": (b"x\n1\0\n2\n", {}, r" is not a text file, because it contains a zero byte\."),
    "an Excel file": (b"PK\x03\x04rest", {}, r" is not a text file\. It is a zip archive\. If it is an Excel file, its"),
    "compressed": (b"\x1f\x8brest", {}, r" is not a text file\. It is compressed\. Decompress it\."),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), BAD.values(), ids=BAD.keys())
def test_bad_files_are_refused_with_the_row_and_the_column(text, options, message, tmp_path):
    with pytest.raises(ValueError, match=rf"^{tmp_path}/a\.csv{message}"):
        read(tmp_path, text, **options)


BAD_ARGUMENTS = {
    "unknown column": (
        {"columns": ["ago"]},
        r"`columns` must be columns of .*a\.csv, got 'ago'\. Its columns are: age, y\. Did you mean age\?",
    ),
    "type of an unknown column": ({"types": {"z": "number"}}, r"`types` must be columns of .*, got 'z'\."),
    "unknown type": (
        {"types": {"age": "float"}},
        r"`types` must be integer, number, boolean, date, category, or date: and a format such as date:%d/%m/%Y, got "
        r"age=float\.",
    ),
    "delimiter": ({"delimiter": ", "}, r"`delimiter` must be one character, got ', '\."),
    "encoding": ({"encoding": "klingon"}, r"`encoding` must be the name of an encoding in Python, .*, got 'klingon'\."),
}


@pytest.mark.parametrize(("options", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_bad_arguments_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, "age,y\n1,2\n3,4\n", **options)


def test_texts_without_a_type_are_refused():
    with pytest.raises(
        ValueError, match="`types` must be names of columns with their types, such as age=category, got a"
    ):
        parse_types(["a"])
    with pytest.raises(ValueError, match=r"`types` must be integer, .*, got a=float"):
        parse_types(["a=float"])


def test_missing_files_folders_and_other_kinds_are_refused(tmp_path):
    (tmp_path / "stocks.csv").write_text("x\n1\n2\n")
    with pytest.raises(ValueError, match=r"`data` .*/stock\.csv does not exist\. Did you mean .*/stocks\.csv\?"):
        read_table(tmp_path / "stock.csv")
    with pytest.raises(ValueError, match=r"`data` .*/none/a\.csv does not exist\.$"):
        read_table(tmp_path / "none" / "a.csv")
    with pytest.raises(ValueError, match=r"`file` must be a file that ends with \.csv, .* or \.xlsx, got .*/a\.json\."):
        read_table(tmp_path / "a.json", argument="file")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"folder\.csv cannot be read: Is a directory\."):
        read_table(tmp_path / "folder.csv")
    assert ".csv" in SUFFIXES


BAD_ARRAYS = {
    "lengths": ({"x": np.zeros(3), "y": np.zeros(4)}, r"must have the same length, but 'x' has 3 values and 'y' has 4\."),
    "shape": ({"x": np.zeros((3, 2))}, r"'x' must be a column of numbers or text \[N\], got float64 with shape \[3, 2\]\."),
    "inf": ({"x": np.array([1, np.inf])}, r"row 2, column 'x': the value must be finite, got inf\."),
    "only NaN": ({"x": np.full(3, np.nan)}, r"the column 'x' has no values\."),
    "objects": ({"x": np.array([{}, {}])}, r"Save one array \[N\] for each column with numpy\.savez\."),
    "nothing": ({}, r"is empty\."),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=rf"a\.npz.*{message}"):
        read_table(tmp_path / "a.npz")


def test_objects_that_are_no_cells_are_refused(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"x": [[1], [2]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        ValueError, match=r"row 1, column 'x': a cell must be a number, a text or a date, got ndarray\."
    ):
        read_table(tmp_path / "a.parquet")


def test_cells_are_converted_without_a_file():
    codes, texts = encode_texts(["1", b"?", "3"])
    cells = Cells("x.csv", "n", np.array([2, 3, 4]), codes, texts).without(MISSING)
    column = column_of_cells(cells)
    np.testing.assert_array_equal(column.values, [1, np.nan, 3])
    assert isinstance(TableFile("x.csv", (column,), cells.rows).describe(), str)
    assert is_number("1,5") and not is_number("x")
