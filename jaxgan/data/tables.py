"""Load the rows of tables as encoded vectors, and split them into training and test rows.

``penguins`` is a table that is bundled with the package: the size, the species and the sex of 344 penguins, in the
public domain; see ``penguins_license.txt`` in the folder of this file.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxgan.data import table_encoding
from jaxgan.data.loading import suggest_path
from jaxgan.data.source import NamedArrays
from jaxgan.data.table_files import TableFile, read_table

MIN_ROWS = 10  # minimum number of training rows
_BUNDLED = Path(__file__).with_name("penguins.csv")
_TEST_SEED = 0  # seed of the choice of the test rows, so that the split is always the same


def load(
    data: str = "penguins",
    *,
    types: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    test_fraction: float = 0.2,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    argument: str = "data",
) -> NamedArrays:
    """Return the rows of a table.

    The test rows are chosen at random with a fixed seed. The encoding of the columns is fitted to the training rows
    only, except for the categories and for whether values can be missing.

    Args:
      data: the path of a file that ``read_table`` reads, or ``penguins`` for the bundled table.
      types: kinds by the names of columns, in place of the found ones, see ``read_table``.
      columns: the names of the columns to use; None uses all.
      test_fraction: fraction of the rows that are test rows, from 0 (none) to below 1.
      delimiter, encoding, header: how a text file is read, see ``read_table``.
      argument: the name of the caller's argument, for messages.

    Returns:
      A source in memory with the arrays ``row``, the encoded rows, float32 [N, D], and ``values``, float64 [N, number
      of columns], see ``data.columns.Column``. ``details`` has the fields of ``media.Table``, and ``test`` the test
      rows.

    Raises:
      ValueError: if the file cannot be read, has too few rows, or a column cannot be encoded; or if a number is out of
        range.
      jaxgan.core.extras.MissingPackageError: if scikit-learn is not installed.
    """
    if not 0 <= test_fraction < 1:
        raise ValueError(f"`test_fraction` must be at least 0 and below 1, got {test_fraction}.")
    path = Path(data)
    if data != "penguins" and not path.exists():
        raise ValueError(
            f"`{argument}` must be penguins or the path of a table, but {data} does not exist.{suggest_path(path)}"
        )
    table = read_table(
        _BUNDLED if data == "penguins" else data,
        columns=columns,
        types=types,
        delimiter=delimiter,
        encoding=encoding,
        header=header,
        argument=argument,
    )
    return encode_table(dataclasses.replace(table, name=data), test_fraction)


def encode_table(table: TableFile, test_fraction: float = 0.2) -> NamedArrays:
    """Return the rows of a table that was read from a file, see ``load``.

    Args:
      table: the table.
      test_fraction: fraction of the rows that are test rows.

    Raises:
      ValueError: if there are too few rows, or a column cannot be encoded.
    """
    count = round(test_fraction * len(table))
    if len(table) - count < MIN_ROWS:
        raise ValueError(
            f"{table.name} must have at least {MIN_ROWS} training rows, got {len(table)} rows, of which {count} are "
            "test rows."
        )
    order = np.random.default_rng(_TEST_SEED).permutation(len(table))
    test, train = np.sort(order[:count]), np.sort(order[count:])
    values = np.stack([column.values for column in table.columns], axis=1)
    encodings = []
    for column, of_column in zip(table.columns, values.T):
        found = table_encoding.fit(dataclasses.replace(column, values=of_column[train]))
        if np.isnan(of_column).any() and not found.missing:
            found = dataclasses.replace(found, missing=1)  # values are missing in test rows only
        encodings.append(found)
    details = {"columns": [dataclasses.asdict(encoding) for encoding in encodings]}

    def source(rows: np.ndarray, held_out: NamedArrays | None) -> NamedArrays:
        arrays = {"row": table_encoding.encode(encodings, values[rows]), "values": values[rows]}
        return NamedArrays(arrays, table.name, details=details, test=held_out)

    return source(train, source(test, None) if count else None)
