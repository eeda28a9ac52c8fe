"""Tables as sources of encoded rows."""

import numpy as np
import pytest

from jaxgan.data import table_encoding, table_files, tables
from jaxgan.data.table_encoding import ColumnEncoding

pytest.importorskip("sklearn")


def test_the_bundled_table_has_training_and_test_rows():
    source = tables.load()
    columns = [ColumnEncoding(**column) for column in source.details["columns"]]
    assert [column.type.kind for column in columns] == [
        *("category", "category", "number", "number", "integer", "integer", "category", "integer")
    ]
    assert len(source) == 275 and len(source.test) == 69 and source.details == source.test.details
    assert columns[6].type.categories == ("female", "male") and columns[6].missing
    for part in (source, source.test):
        batch = part.read(np.arange(len(part)))
        found = table_encoding.decode(columns, batch["row"])
        np.testing.assert_array_equal(np.isnan(found), np.isnan(batch["values"]))
        # Test rows can be out of the range of the training rows.
        assert np.nanmean(np.isclose(found, batch["values"])) > 0.97
    assert not set(map(bytes, source.arrays["values"])) & set(map(bytes, source.test.arrays["values"]))


def test_types_columns_and_test_fraction(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n,code,c\n" + "".join(f"{i},{i % 3},x{i % 2}\n" for i in range(20)))
    source = tables.load(str(path), types={"code": "category"}, columns=["code", "n"], test_fraction=0)
    columns = source.details["columns"]
    assert [(c["type"]["name"], c["type"]["kind"]) for c in columns] == [("n", "integer"), ("code", "category")]
    assert source.test is None and len(source) == 20 and columns[1]["counts"] == [7, 7, 6]


def test_a_value_that_is_missing_in_test_rows_only_is_encoded(tmp_path):
    test_rows = np.random.default_rng(0).permutation(20)[:4]
    path = tmp_path / "a.csv"
    path.write_text("n,c\n" + "".join(f"{i},{'' if i == test_rows[0] else 'xy'[i % 2]}\n" for i in range(20)))
    source = tables.load(str(path))
    assert np.isnan(source.test.arrays["values"]).sum() == 1 and not np.isnan(source.arrays["values"]).any()


def test_too_few_rows_and_a_wrong_fraction_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n\n" + "".join(f"{i}\n" for i in range(12)))
    with pytest.raises(ValueError, match=r"must have at least 10 training rows, got 12 rows, of which 6 are test rows"):
        tables.load(str(path), test_fraction=0.5)
    with pytest.raises(ValueError, match="`test_fraction` must be at least 0 and below 1, got 1"):
        tables.load(test_fraction=1)


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "people.csv").write_text("n\n1\n")
    with pytest.raises(ValueError, match=r"`data` must be penguins or the path of a table, but .*poeple.csv does not"):
        tables.load(str(tmp_path / "poeple.csv"))


def test_a_table_in_memory_is_encoded_like_a_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n,c\n" + "".join(f"{i},x{i % 2}\n" for i in range(20)))
    found, loaded = (
        tables.encode_table(table_files.read_table(path), test_fraction=0.25),
        tables.load(str(path), test_fraction=0.25),
    )
    assert len(found) == 15 and len(found.test) == 5 and found.details == loaded.details
    np.testing.assert_array_equal(found.arrays["row"], loaded.arrays["row"])
    with pytest.raises(
        ValueError, match=r"must have at least 10 training rows, got 20 rows, of which 18 are test rows\."
    ):
        tables.encode_table(table_files.read_table(path), test_fraction=0.9)
