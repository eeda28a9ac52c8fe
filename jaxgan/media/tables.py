"""The medium of rows of tables: encoded vectors for the networks, and files with the columns of the data."""

import csv
import dataclasses
import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.core import tables
from jaxgan.core.extras import require
from jaxgan.core.files import writing_out
from jaxgan.core.text import list_names, quote
from jaxgan.data import Source, table_encoding
from jaxgan.data.columns import column_table
from jaxgan.data.table_encoding import ColumnEncoding
from jaxgan.drawing.legend import add_legend
from jaxgan.drawing.tables import Distribution, render_distributions
from jaxgan.media.medium import MAX_COARSE, Medium

if TYPE_CHECKING:  # evaluation is imported when it is used, so that training starts without it
    from jaxgan.evaluation.scores import AnyMetric

BARS = 30  # number of intervals of the histogram of a column of numbers
FEW_CATEGORIES = 10  # a column with fewer categories cannot identify rows
FEW = 200  # a table with fewer rows is small


@dataclasses.dataclass(frozen=True)
class Table(Medium):
    """Rows of a table with columns of numbers, integers, dates, booleans and categories; see ``jaxgan.data.tables``.

    A source reads ``row``, the encoded vector that networks receive, [D], and ``values``, the numbers of the columns,
    float64. ``decode`` computes the values of generated rows.

    The metrics compare the values of samples with those of the training rows:

    - ``column_shapes`` and ``pair_trends``: see ``jaxgan.metrics.column_shapes`` and ``column_pair_trends``.
    - ``closest_records``: see ``jaxgan.metrics.distance_to_closest_record``; it needs test rows.
    - ``detection``: see ``jaxgan.metrics.logistic_detection``.
    - ``tstr``: see ``jaxgan.metrics.train_on_synthetic_test_on_real``; it needs test rows. ``f1_of_data`` and
      ``roc_auc_of_data`` are the scores of classifiers that are trained on the training rows.

    Attributes:
      columns: the encodings of the columns, or the dictionaries of their fields.
      target: the name of the column that classifiers predict for ``tstr``; "" for the last column of categories.

    Raises:
      ValueError: if there are no columns, or ``target`` is not a column of categories.
    """

    columns: tuple[ColumnEncoding, ...]
    target: str = ""

    name = "table"
    key = "row"
    noun = "rows"
    values = "rows with the columns of the data"
    suffixes = (".csv", ".parquet", ".npz", ".png")
    tiles = False
    disclosed = "the names, the types, the modes and the bounds of the columns and their categories"
    default_metrics = ("column_shapes", "pair_trends")

    def __post_init__(self):
        found = [c if isinstance(c, ColumnEncoding) else ColumnEncoding(**c) for c in self.columns]
        object.__setattr__(self, "columns", tuple(found))
        if not found:
            raise ValueError("`columns` must have at least one column, got none.")
        targets = [column.name for column in found if not column.is_number]
        if self.target and self.target not in targets:
            known = list_names(targets, 10) if targets else "none"
            raise ValueError(f"`target` must be a column of categories ({known}), got {quote(self.target)}.")

    def check(self, source: Source) -> None:
        size = sum(column.size for column in self.columns)
        if tuple(source.shape) != (size,):
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment requires encoded rows, of "
                f"shape ({size},). Load them with jaxgan.data.tables.load."
            )

    def advice(self, config: Any, source: Source, on_cpu: bool = False) -> list[str]:
        found = []
        if len(source) < FEW:
            found.append(
                f"{source.name} has {len(source):,} rows for training, which a critic can memorise. Compare the "
                "samples with held-out rows: `metrics` closest_records."
            )
        for column in self.columns:
            if not column.is_number and column.choices > max(FEW_CATEGORIES, len(source) / 10):
                found.append(
                    f"Column {quote(column.name)} has {column.choices:,} categories for {len(source):,} rows. If it "
                    "identifies the rows, leave it out."
                )
        return found

    def summary(self) -> tables.Table:
        found = ((c.type, c.low, c.high, c.missing) for c in self.columns)
        return column_table(f"{len(self.columns)} columns of the training rows:", found)

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {name: x for name, x in batch.items() if name != "values"}

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"row": samples, "values": table_encoding.decode(self.columns, samples)}

    def table(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Return values as a table for ``jaxgan.metrics``: a dictionary from the names of columns to arrays, [N].

        Args:
          values: the values of rows, float64 [N, number of columns], as a source reads them.
        """
        return {c.name: x if c.is_number else _names(c, x) for c, x in zip(self.columns, values.T)}

    def view(self, samples: np.ndarray) -> np.ndarray:
        values = self.decode(samples)["values"]
        return render_distributions([_distribution(c, x) for c, x in zip(self.columns, values.T)])[None]

    def compare(self, real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Draw the distribution of each column, of samples beside the data.

        Args:
          real: a batch of rows, with ``values`` [N, number of columns].
          fake: generated rows, with ``values`` [M, number of columns].
        """
        parts = zip(self.columns, np.asarray(fake["values"]).T, np.asarray(real["values"]).T)
        return {"columns": add_legend(render_distributions([_distribution(c, x, y) for c, x, y in parts]))}

    def coarse(self, examples: np.ndarray) -> np.ndarray:
        """Return the most frequent elements of encoded rows, at most 64, [N, D].

        Args:
          examples: encoded or generated rows, [N, D].
        """
        counts = [count for column in self.columns for count in _frequencies(column)]
        return examples[:, np.sort(np.argsort(-np.array(counts), kind="stable")[:MAX_COARSE])]

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Return one array for each column, [N], which ``jaxgan.data.tables.load`` reads.

        Args:
          samples: finite samples on the host, [N, D].
        """
        values = self.decode(samples)["values"]
        return {c.name: _array(c, x) for c, x in zip(self.columns, values.T)}

    def save(
        self,
        path: Path,
        samples: np.ndarray,
        made_by: str,
        labels: np.ndarray | None = None,
        *,
        frames: int = 1,
        columns: int | None = None,
    ) -> None:
        """Write samples to a file, see ``Medium.save``. Files have the columns of the data, in their order.

        A .csv file has a header. A .parquet file requires pandas and pyarrow.

        Args:
          path: the file.
          samples: finite samples on the host, [N, D].
          made_by: the program that generated the samples.
          labels: unused, [N], because rows have no classes.
          frames: number of frames of an animation.
          columns: number of columns of a picture.

        Raises:
          ValueError: if the suffix is unknown, or a package that it requires is not installed.
          OSError: if the file cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            self._save_frame(path, samples)
        elif suffix == ".csv":
            values = self.decode(samples)["values"]
            texts = [_texts(c, x) for c, x in zip(self.columns, values.T)]
            with writing_out(path), path.open("w", newline="", encoding="utf-8") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow([c.name for c in self.columns])
                out.writerows(zip(*texts))
        else:
            super().save(path, samples, made_by, labels, frames=frames, columns=columns)

    def _save_frame(self, path: Path, samples: np.ndarray) -> None:
        require("pandas", "pyarrow", user="Writing .parquet files")
        import pandas as pd

        values = self.decode(samples)["values"]
        frame = pd.DataFrame({c.name: _pandas_array(c, x) for c, x in zip(self.columns, values.T)})
        with writing_out(path):
            frame.to_parquet(path, index=False)

    def find_category(self, column: str, category: str) -> tuple[int, int]:
        """Return the index of a column of categories among those columns, and the index of one of its categories.

        Args:
          column: the name of the column.
          category: the name of the category, as in files.

        Raises:
          ValueError: if there is no such column or category. The message suggests the most similar name.
        """
        columns = [c for c in self.columns if not c.is_number]
        names = [c.name for c in columns]
        if column not in names:
            if column in [c.name for c in self.columns]:
                raise ValueError(
                    f"Column {quote(column)} contains numbers, but a condition is a category. Columns of categories: "
                    f"{list_names(names, 10) if names else 'none'}."
                )
            raise ValueError(
                f"There is no column {quote(column)}.{_suggest(column, names)} Columns of categories: "
                f"{list_names(names, 10) if names else 'none'}."
            )
        index = names.index(column)
        categories = columns[index].type.categories
        if category not in categories:
            raise ValueError(
                f"Column {quote(column)} has no category {quote(category)}.{_suggest(category, categories)} Its "
                f"categories: {list_names(categories, 20)}."
            )
        return index, categories.index(category)

    @property
    def metrics(self) -> Mapping[str, "AnyMetric"]:
        from jaxgan.evaluation.scores import Metric

        def metric(measure, **fields):
            return Metric(functools.partial(measure, self), ("arrays",), higher_is_better=True, **fields)

        return {
            "column_shapes": metric(_column_shapes),
            "pair_trends": metric(_pair_trends),
            "closest_records": Metric(
                functools.partial(_closest_records, self), ("arrays",), ranks_by="closest_share", trains=True
            ),
            "detection": Metric(functools.partial(_detection, self), ("arrays",), min_count=3, trains=True),
            "tstr": metric(_tstr, ranks_by="f1", trains=True),
        }

    @property
    def target_column(self) -> str:
        """The name of the column that classifiers predict.

        Raises:
          ValueError: if there is no column of categories.
        """
        targets = [column.name for column in self.columns if not column.is_number]
        if not targets:
            raise ValueError("The metric tstr requires a column of categories to predict, but all columns are numbers.")
        return self.target or targets[-1]


def _suggest(name: str, known: Sequence[str]) -> str:
    """Return a sentence that suggests the most similar of the known names; "" if none is similar."""
    lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return f" Did you mean {quote(lower[close[0]])}?" if close else ""


def _tables(medium, samples, data):
    return [medium.table(np.asarray(stats.arrays["values"], np.float64)) for stats in (samples, data)]


def _test_table(medium, data, metric):
    test = getattr(data.source, "test", None)
    if test is None:
        raise ValueError(
            f"The metric {metric} requires test rows, but {data.source.name} has none. Train with a `test_fraction` "
            "above 0."
        )
    return medium.table(np.asarray(test.read(np.arange(len(test)))["values"], np.float64))


def _column_shapes(medium, samples, data):
    from jaxgan import metrics

    fake, real = _tables(medium, samples, data)
    return {"column_shapes": metrics.column_shapes(real, fake).score}


def _pair_trends(medium, samples, data):
    from jaxgan import metrics

    fake, real = _tables(medium, samples, data)
    return {"pair_trends": metrics.column_pair_trends(real, fake).score}


def _closest_records(medium, samples, data):
    from jaxgan import metrics

    fake, real = _tables(medium, samples, data)
    found = metrics.distance_to_closest_record(real, _test_table(medium, data, "closest_records"), fake)
    medians = {"closest_median": found.fake[0.5], "closest_median_of_test": found.held_out[0.5]}
    return {"closest_share": found.share, "copies": found.copies, **medians}


def _detection(medium, samples, data):
    from jaxgan import metrics

    fake, real = _tables(medium, samples, data)
    found = metrics.logistic_detection(real, fake)
    return {"detection": found.mean, "detection_std": found.std}


def _tstr(medium, samples, data):
    from jaxgan import metrics

    target, (fake, real) = medium.target_column, _tables(medium, samples, data)
    test = _test_table(medium, data, "tstr")
    of_fake, of_data = (metrics.train_on_synthetic_test_on_real(table, test, target) for table in (fake, real))
    scores = {"f1": of_fake.f1, "roc_auc": of_fake.roc_auc}
    return {**scores, "f1_of_data": of_data.f1, "roc_auc_of_data": of_data.roc_auc}


def _names(column: ColumnEncoding, values: np.ndarray) -> np.ndarray:
    """Return the names of categories, objects [N] with None for missing ones."""
    names = np.array([*column.type.categories, None], object)
    return names[np.where(np.isnan(values), len(names) - 1, values).astype(int)]


def _texts(column: ColumnEncoding, values: np.ndarray) -> list[str]:
    """Return the cells of a column in a file. Each different value is converted once."""
    found, places = np.unique(values, return_inverse=True)
    return np.array(column.type.texts(found), object)[places].tolist()


def _array(column: ColumnEncoding, values: np.ndarray) -> np.ndarray:
    """Return values as the array of an .npz file, [N]: numbers, or strings for categories and dates."""
    if column.type.kind == "date":
        return np.array(_texts(column, values))
    if not column.is_number:
        return np.array([name or "" for name in _names(column, values)])
    return values.astype(np.int64) if column.type.kind == "integer" and not np.isnan(values).any() else values


def _dates(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    dates = np.full(len(values), np.datetime64("NaT", "ms"))
    dates[known] = (values[known] * 1e3).astype("datetime64[ms]")
    return dates


def _pandas_array(column: ColumnEncoding, values: np.ndarray) -> Any:
    """Return values with the type that pandas has for a column: integers and booleans can be missing."""
    import pandas as pd

    kind, missing = column.type.kind, np.isnan(values)
    if kind == "date":
        return _dates(values)
    if kind in ("integer", "boolean"):
        whole = np.where(missing, 0, values).round().astype(np.int64)
        if not missing.any():
            return whole if kind == "integer" else whole.astype(bool)
        array = pd.array(
            whole if kind == "integer" else whole.astype(bool), "Int64" if kind == "integer" else "boolean"
        )
        array[missing] = pd.NA
        return array
    return values if column.is_number else _names(column, values)


def _frequencies(column: ColumnEncoding) -> Sequence[float]:
    """Return how often each element of an encoded value is not 0, as a fraction of the rows."""
    if column.is_number:
        return [1.0, *column.weights, *([0.0] if column.missing else [])]
    counts = np.array(column.choice_counts)
    return (counts / max(counts.sum(), 1)).tolist()


def _distribution(column: ColumnEncoding, fake: np.ndarray, real: np.ndarray | None = None) -> Distribution:
    parts = [fake] if real is None else [fake, real]
    if column.is_number:
        ends = (column.low, column.high if column.high > column.low else column.low + 1)
        shares = [np.histogram(x[~np.isnan(x)], BARS, ends)[0] / max(len(x), 1) for x in parts]
        low, high = column.type.texts(np.array([column.low, column.high]))
        return Distribution(column.name, shares[0], shares[1] if real is not None else None, ends=(low, high))
    count = column.choices
    shares = [
        np.bincount(np.where(np.isnan(x), count - 1, x).astype(int), minlength=count) / max(len(x), 1) for x in parts
    ]
    labels = [*column.type.categories, *(["(missing)"] if column.missing else [])]
    return Distribution(column.name, shares[0], shares[1] if real is not None else None, labels)
