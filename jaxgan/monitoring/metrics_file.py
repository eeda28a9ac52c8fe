"""The files of a run that have one JSON object per line: ``metrics.jsonl`` and its like."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.lazy import LazyTerm
from jaxgan.monitoring.tensorboard import TensorBoardWriter


def metrics_to_rows(first: int, count: int, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics of several steps as a row for each step, with the number of the step under ``step``.

    A metric of a population is a list with a number for each member. A lazy term is left out where it was not due.

    Args:
      first: the first step.
      count: the number of steps.
      metrics: arrays on the host, by name: [at least count], or [at least count, members] of a population.
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
    """The mean of the finite numbers among a population's metric, or of a single number; None if none is finite.

    Args:
      value: a number, or a list of numbers; None stands for one that was not finite.
    """
    values = value if isinstance(value, list) else [value]
    finite = [x for x in values if x is not None and math.isfinite(x)]
    return sum(finite) / len(finite) if finite else None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; a line that was cut short or damaged is left out. No file has no rows."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        rows = [_parse_row(line) for line in file]
    return [row for row in rows if row is not None]


def truncate_after(path: Path, step: int) -> dict[str, Any] | None:
    """Remove the rows after a step, or from a damaged line on; returns the last row that is left, if there is one."""
    if not path.exists():
        return None
    end, last = 0, None
    with path.open("rb") as file:
        for line in file:
            row = _parse_row(line)
            if row is None or row["step"] > step:
                break
            end, last = end + len(line), row
    os.truncate(path, end)
    return last


def _parse_row(line: bytes) -> dict[str, Any] | None:
    """A line's object; None for a line that was cut short or damaged."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


class RowFile:
    """A file of rows that is appended to.

    Args:
      path: made if it is not there.
      start: the step that the run starts or resumes after. Later rows, of a run that was killed, are removed.

    Attributes:
      last_row: the row that the file ended with when it was opened; None if it was empty.
    """

    def __init__(self, path: Path, start: int):
        self.last_row = truncate_after(path, start)
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row. JSON has no NaN and no infinity, so null takes their place."""
        finite = {name: _finite_or_none(value) for name, value in row.items()}
        self._file.write(json.dumps(finite, allow_nan=False) + "\n")

    def flush(self) -> None:
        """Give every line to the operating system: from then on a killed process loses none."""
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite_or_none(x) for x in value]
    return value if isinstance(value, str) or math.isfinite(value) else None


class MetricsFile:
    """A run's ``metrics.jsonl``, ``speed.jsonl`` and ``diagnosis.jsonl``, and its metrics in TensorBoard's files.

    ``metrics.jsonl`` has no times in it, so a run that was interrupted writes it as one that was not, to the byte. The
    speed has a file of its own for that reason.

    Args:
      directory: the run's.
      start: the step that the run starts or resumes after. Later rows, of a run that was killed, are removed.

    Attributes:
      last_row: the metrics of the step ``start``; None for a new run.
    """

    def __init__(self, directory: Path, start: int):
        self._metrics = RowFile(directory / "metrics.jsonl", start)
        self._speed = RowFile(directory / "speed.jsonl", start)
        self._diagnosis = RowFile(directory / "diagnosis.jsonl", start)
        self._tensorboard = TensorBoardWriter(directory / "tensorboard", start)
        self.last_row = self._metrics.last_row

    def write(self, row: Mapping[str, Any]) -> None:
        """Add the metrics of a step; of a population TensorBoard gets the means."""
        self._metrics.write(row)
        means = {name: finite_mean(value) for name, value in row.items() if name != "step"}
        self._tensorboard.write(row["step"], {name: mean for name, mean in means.items() if mean is not None})

    def write_speed(self, step: int, images_per_second: float) -> None:
        """Add the speed since the step for which it was written before."""
        self._speed.write({"step": step, "images_per_second": round(images_per_second, 1)})

    def write_diagnosis(self, row: Mapping[str, Any]) -> None:
        """Add what the monitor found at a step."""
        self._diagnosis.write(row)

    def flush(self) -> None:
        """Give every line to the operating system: from then on a killed process loses none."""
        for file in (self._metrics, self._speed, self._diagnosis, self._tensorboard):
            file.flush()

    def close(self) -> None:
        for file in (self._metrics, self._speed, self._diagnosis, self._tensorboard):
            file.close()
