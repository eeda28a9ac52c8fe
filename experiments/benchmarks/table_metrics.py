"""Measure whether the metrics of tables rank known tables: other real rows, copies, independent columns and noise.

    python -m experiments.benchmarks.table_metrics adult.csv --target income

The program divides the rows of a CSV file at random into training rows, held-out rows and other rows. It compares the
training rows with other rows, with changed training rows and with noise, and prints a Markdown table. Empty cells and
question marks are missing values. Columns in which all other cells are numbers contain numbers.
"""

import csv
import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro

from jaxgan import metrics
from jaxgan.metrics.checks import Table, is_known, is_number

_COLUMNS = (
    "generated rows", "column shapes", "pair trends", "share", "copies", "median distance", "detection", "F1", "ROC-AUC"
)  # fmt: skip
_CHANGED = 0.2  # fraction of the cells that are permuted


def main(path: tyro.conf.Positional[Path], target: str, seed: int = 0) -> None:
    """Print the metrics of known tables.

    Args:
      path: the CSV file with a header, or such a file compressed with xz.
      target: name of the column of categories that classifiers predict.
      seed: seed of the division of the rows and of the changed tables.
    """
    rng = np.random.default_rng(seed)
    rows = read_table(path)
    count = len(rows[target]) // 3
    parts = np.split(rng.permutation(len(rows[target]))[: 3 * count], 3)
    train, held_out, other = (_select(rows, part) for part in parts)
    print(
        "| generated rows | column shapes | pair trends | share | copies | median distance | detection | F1 | ROC-AUC |"
    )
    print("|---" * 9 + "|")
    median = np.nan
    for name, fake in _known_tables(train, other, rng):
        records = metrics.distance_to_closest_record(train, held_out, fake)
        median = records.held_out[0.5]  # it is the same for all tables
        useful = metrics.train_on_synthetic_test_on_real(fake, held_out, target)
        print(
            f"| {name} | {metrics.column_shapes(train, fake).score:.3f} | "
            f"{metrics.column_pair_trends(train, fake).score:.3f} | {records.share:.3f} | {records.copies:.3f} | "
            f"{records.fake[0.5]:.4f} | {metrics.logistic_detection(train, fake).mean:.3f} | {useful.f1:.3f} | "
            f"{useful.roc_auc:.3f} |",
            flush=True,
        )
    useful = metrics.train_on_synthetic_test_on_real(train, held_out, target)
    print(f"\nMedian distance of held-out rows: {median:.4f}.")
    print(f"Classifiers that are trained on the training rows: F1 {useful.f1:.3f}, ROC-AUC {useful.roc_auc:.3f}.")


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV file as a table, see ``jaxgan.metrics.tables``.

    Args:
      path: the file, compressed with xz if its name ends in .xz.
    """
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt", newline="", encoding="utf-8") as file:
        header, *lines = [row for row in csv.reader(file, skipinitialspace=True) if row]
    return {name: _column(cells) for name, cells in zip(header, zip(*lines, strict=True), strict=True)}


def _column(cells: tuple[str, ...]) -> np.ndarray:
    known = [None if cell in ("", "?") else cell for cell in cells]
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in known])
    except ValueError:
        return np.array(known, object)


def _known_tables(train: Table, other: Table, rng: np.random.Generator) -> Iterator[tuple[str, Table]]:
    count = len(next(iter(train.values())))
    yield "other real rows", other
    yield "training rows, drawn with replacement", _select(train, rng.integers(0, count, count))
    changed = {name: np.where(rng.random(count) < _CHANGED, rng.permutation(x), x) for name, x in train.items()}
    yield f"training rows with {100 * _CHANGED:.0f} % of the cells permuted", changed
    yield "training columns, permuted independently", {name: rng.permutation(x) for name, x in train.items()}
    yield "uniform noise in each column", {name: _noise(x, rng) for name, x in train.items()}


def _noise(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if is_number(column):
        return rng.uniform(np.nanmin(column), np.nanmax(column), len(column))
    return rng.choice(np.unique(column[is_known(column)]), len(column))


def _select(table: Table, indices: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[indices] for name, column in table.items()}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
