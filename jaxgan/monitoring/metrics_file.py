"""Read and write the files of a run that contain one JSON object per line, such as ``metrics.jsonl``.

Each object is called a row. Its entry ``step`` is the number of a training step.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.json_files import read_json_lines
from jaxgan.core.lazy import LazyTerm
from jaxgan.monitoring.tensorboard import TensorBoardWriter

ROW = {"step": int}  # the form of a row; see jaxgan.core.json_files


def metrics_to_rows(first: int, count: int, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Convert the metrics of several steps to one row per step.

    For a population, each metric in a row is a list with one number per member. Loss terms with lazy regularisation are
    computed only at some steps; the rows of the other steps omit them.

    Args:
      first: the first step.
      count: number of steps.
      metrics: dictionary from names to arrays on the host. Each has the shape [n] or, for a population, [n, members],
        and n is at least ``count``.
    """
    columns = {}
    for name, values in metrics.items():
        is_due = np.ones(count, bool)
        if isinstance(values, LazyTerm):
            is_due = np.asarray(values.due).reshape(len(values.due), -1)[:count, 0]
            values = values.value
        columns[name] = is_due, np.asarray(values)[:count].tolist()
    return [
        {"step": first + i, **{name: values[i] for name, (is_due, values) in columns.items() if is_due[i]}}
        for i in range(count)
    ]


def finite_mean(value: Any) -> float | None:
    """Return the mean of the finite numbers of a metric, or None if no number is finite.

    Args:
      value: a number or, for a population, a list of numbers. A None in place of a number is not counted as finite.
    """
    values = value if isinstance(value, list) else [value]
    finite = [x for x in values if x is not None and math.isfinite(x)]
    return sum(finite) / len(finite) if finite else None


def iterate_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; no row if it does not exist. Incomplete and damaged lines are skipped.

    Args:
      path: a file with one JSON object per line, such as ``metrics.jsonl``.
    """
    return (line.value for line in read_json_lines(path, ROW) if line.value is not None)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, see ``iterate_rows``. The rows of a long run may need several gigabytes of memory.

    Args:
      path: a file with one JSON object per line, such as ``evaluations.jsonl``.
    """
    return list(iterate_rows(path))


def truncate_after(path: Path, step: int) -> dict[str, Any] | None:
    """Remove all rows of later steps from a file. A damaged line is removed together with all lines that follow it.

    Args:
      path: a file with one JSON object per line, each with an entry ``step``. If the file is missing, nothing is done.
      step: the last step to keep.

    Returns:
      The last remaining row, or None if no row remains.
    """
    if not path.exists():
        return None
    end, last = 0, None
    for content, row in read_json_lines(path, ROW):
        if row is None or row["step"] > step:
            break
        end, last = end + len(content), row
    os.truncate(path, end)
    return last


class RowFile:
    """A file to append rows to.

    Args:
      path: the file, which is created if it is missing.
      start: the step that the run starts or resumes after. Rows of later steps are removed. Such rows exist if an
        earlier process wrote them and was killed before it saved a checkpoint.

    Attributes:
      last_row: the last row that remained when the file was opened; None if no row remained.
    """

    def __init__(self, path: Path, start: int):
        self.last_row = truncate_after(path, start)
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row. NaN and infinity are written as null, because JSON cannot represent them."""
        finite = {name: _finite_or_none(value) for name, value in row.items()}
        self._file.write(json.dumps(finite, allow_nan=False) + "\n")

    def flush(self) -> None:
        """Pass all rows to the operating system, so that no row is lost if the process is killed."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite_or_none(x) for x in value]
    return value if isinstance(value, str) or math.isfinite(value) else None


class MetricsFile:
    """Writes ``metrics.jsonl``, ``speed.jsonl`` and ``diagnosis.jsonl`` of a run, and the event files of TensorBoard.

    ``metrics.jsonl`` contains no times, so that the file of a run that was interrupted and resumed is identical to the
    file of an uninterrupted run. For this reason, the speed is written to a separate file.

    Args:
      directory: the run's directory.
      start: the step that the run starts or resumes after. Rows of later steps are removed. Such rows exist if an
        earlier process wrote them and was killed before it saved a checkpoint.

    Attributes:
      last_row: the metrics of step ``start``; None for a new run.
    """

    def __init__(self, directory: Path, start: int):
        self._metrics = RowFile(directory / "metrics.jsonl", start)
        self._speed = RowFile(directory / "speed.jsonl", start)
        self._diagnosis = RowFile(directory / "diagnosis.jsonl", start)
        self._tensorboard = TensorBoardWriter(directory / "tensorboard", start)
        self.last_row = self._metrics.last_row

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the metrics of a step. For a population, the event files of TensorBoard contain the means.

        Args:
          row: dictionary with the number of the ``step`` and the metrics of the step. For a population, each metric is
            a list with one number per member.
        """
        self._metrics.write(row)
        means = {name: finite_mean(value) for name, value in row.items() if name != "step"}
        self._tensorboard.write(row["step"], {name: mean for name, mean in means.items() if mean is not None})

    def write_speed(self, step: int, images_per_second: float) -> None:
        """Write the mean speed between the previous call of this method and the given step.

        Args:
          step: the number of steps taken so far.
          images_per_second: the number of training examples processed per second, for all members together.
        """
        self._speed.write({"step": step, "images_per_second": round(images_per_second, 1)})

    def write_diagnosis(self, row: Mapping[str, Any]) -> None:
        """Write a finding of the ``TrainingMonitor``.

        Args:
          row: the finding, as ``TrainingMonitor.add_row`` returns it.
        """
        self._diagnosis.write(row)

    def flush(self) -> None:
        """Pass all rows to the operating system, so that no row is lost if the process is killed."""
        for file in (self._metrics, self._speed, self._diagnosis, self._tensorboard):
            file.flush()

    def close(self) -> None:
        """Close all files."""
        for file in (self._metrics, self._speed, self._diagnosis, self._tensorboard):
            file.close()
