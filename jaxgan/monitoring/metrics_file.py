"""Read and write the files of a run that contain one JSON object per line, such as ``metrics.jsonl``.

Each object is called a row. Its entry ``step`` is the number of a training step.
"""

import collections
import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core.files import is_same_file, move_aside, naming, replacing
from jaxgan.core.json_files import read_json_lines
from jaxgan.core.lazy import LazyTerm
from jaxgan.core.text import say, warn_once
from jaxgan.monitoring.tensorboard import TensorBoardWriter

LAST_ROWS = 100  # number of rows at the end of a file that a resumed run gets; more than steps between two probes
NUMBERS = (float, int, NoneType)  # types of the numbers of a row. None stands for a number that is not finite.


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


class _CheckedRow(NamedTuple):
    """A row of a file, or the damaged lines at the end of the file.

    Attributes:
      row: the row; empty at the end of the file.
      content: the bytes of the row's line; empty at the end of the file.
      damaged: the number of damaged lines between the previous row and this one.
      is_cut: whether the last damaged line has no end. A process that writes to the file may not have finished it.
    """

    row: dict[str, Any]
    content: bytes
    damaged: int
    is_cut: bool = False


def iterate_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; no row if it does not exist. Incomplete and damaged lines are skipped.

    A line is also damaged if a value has the wrong type, or if its step does not follow the step of the previous row.
    If two rows have the same step, the later one is used. At the end of the file, a warning with the number of damaged
    lines is printed. A last line without an end is not counted, because a run may be writing it.

    Args:
      path: a file with one JSON object per line, such as ``metrics.jsonl``.
    """
    damaged = 0
    for checked in _check_rows(path):
        damaged += checked.damaged - checked.is_cut
        if checked.row:
            yield checked.row
    if damaged:
        warn_once(f"{path}: {_count_lines(damaged)} skipped.")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, see ``iterate_rows``. The rows of a long run may need several gigabytes of memory.

    Args:
      path: a file with one JSON object per line, such as ``evaluations.jsonl``.
    """
    return list(iterate_rows(path))


def _check_rows(path: Path) -> Iterator[_CheckedRow]:
    """Yield the rows of a file in the order of their steps, and at the end one item without a row.

    A row whose step is not larger than the previous step has a wrong step, or the previous row has one. If the step
    also is not larger than the step before the previous one, the row is dropped. Otherwise, the previous row is
    dropped.
    """
    step_before, previous, damaged, content = -1, None, 0, b"\n"
    for content, row in read_json_lines(path):
        if row is None or not _is_row(row):
            damaged += 1
            continue
        if previous is not None and row["step"] <= previous.row["step"]:
            if row["step"] <= step_before:
                damaged += 1
                continue
            damaged += previous.damaged + 1
        elif previous is not None:
            yield previous
            step_before = previous.row["step"]
        previous, damaged = _CheckedRow(row, content, damaged), 0
    if previous is not None:
        yield previous
    yield _CheckedRow({}, b"", damaged, is_cut=not content.endswith(b"\n"))


def _count_lines(damaged: int) -> str:
    return "1 damaged line was" if damaged == 1 else f"{damaged:,} damaged lines were"


def _is_row(row: Mapping[str, Any]) -> bool:
    """Return whether all values of a row have the types that ``RowFile`` and the evaluator write."""
    return all(map(_is_value, row, row.values())) and row.get("step") is not None


def _is_value(name: str, value: Any) -> bool:
    if name == "step":
        return type(value) is int and value >= 0
    if name == "protocol":
        return type(value) is dict
    if name == "verdicts":
        return type(value) is list and all(map(_is_verdict, value))
    if type(value) is list:
        return all(type(x) in NUMBERS for x in value)
    return type(value) in NUMBERS


def _is_verdict(value: Any) -> bool:
    """Return whether a value contains the index of a member, the fields of ``diagnostics.Verdict``, and the remedy."""
    is_list = type(value) is list and len(value) == 5
    return is_list and type(value[0]) is int and all(type(text) is str for text in value[1:])


def truncate_after(path: Path, step: int, say: Callable[[str], None] = say) -> dict[str, Any] | None:
    """Remove the rows of later steps and the damaged lines from a file.

    If the file has damaged lines before the end of the remaining rows, the complete old file is copied to the directory
    ``damaged`` first.

    Args:
      path: a file with one JSON object per line, each with an entry ``step``. If the file is missing, nothing is done.
      step: the last step to keep.
      say: called with a message if lines are damaged. The message says which rows are missing.

    Returns:
      The last remaining row, or None if no row remains.
    """
    rows = _truncate_after(path, step, say, 1)
    return rows[-1] if rows else None


def _truncate_after(path: Path, step: int, say: Callable[[str], None], count: int) -> list[dict[str, Any]]:
    """Truncate a file as ``truncate_after`` does, and return the last ``count`` remaining rows."""
    if not path.exists():
        return []
    end, damaged, gaps, rows = 0, 0, [], collections.deque(maxlen=count)
    for checked in _check_rows(path):
        is_kept = bool(checked.row) and checked.row["step"] <= step
        last = rows[-1] if rows else None
        if checked.damaged and (is_kept or last is None or last["step"] < step):
            damaged += checked.damaged
            gaps.append(_describe_gap(last, checked.row if is_kept else None))
        if not is_kept:
            break
        end += len(checked.content)
        rows.append(checked.row)
    if damaged:
        aside = move_aside(path, path.parent / "damaged", copy=True)
        _write_rows(path, step)
        more = f" and in {len(gaps) - 3:,} more places" if len(gaps) > 3 else ""
        missing = f"Rows are missing {', '.join(gaps[:3])}{more}"
        say(f"{path}: {_count_lines(damaged)} removed. {missing}. The old file is {aside}.")
    else:
        os.truncate(path, end)
    return list(rows)


def _describe_gap(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    if before is None:
        return "from the start" if after is None else f"before step {after['step']}"
    return f"after step {before['step']}" if after is None else f"between steps {before['step']} and {after['step']}"


def _write_rows(path: Path, step: int) -> None:
    """Replace a file by its rows until a step."""
    with replacing(path) as file:
        for checked in _check_rows(path):
            if not checked.row or checked.row["step"] > step:
                break
            file.write(checked.content)


class RowFile:
    """A file to append rows to.

    Args:
      path: the file, which is created if it is missing.
      start: the step that the run starts or resumes after. Rows of later steps are removed. Such rows exist if an
        earlier process wrote them and was killed before it saved a checkpoint.
      say: called with a message if the file has damaged lines.

    Attributes:
      last_rows: the last rows that remained when the file was opened, at most ``LAST_ROWS``, oldest first.
      last_row: the last one of these rows; None if no row remained.
    """

    def __init__(self, path: Path, start: int, say: Callable[[str], None] = say):
        self.last_rows = _truncate_after(path, start, say, LAST_ROWS)
        self.last_row = self.last_rows[-1] if self.last_rows else None
        self._path, self._file = path, path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row. NaN and infinity are written as null, because JSON cannot represent them."""
        finite = {name: _finite_or_none(value) for name, value in row.items()}
        with naming(self._path):
            self._file.write(json.dumps(finite, allow_nan=False) + "\n")

    def flush(self) -> None:
        """Pass all rows to the operating system, so that no row is lost if the process is killed.

        Raises:
          OSError: if the file cannot be written, or if it was moved, removed or replaced.
        """
        with naming(self._path):
            self._file.flush()
        if not is_same_file(self._file, self._path):
            raise OSError(f"{self._path} was moved, removed or replaced while the run was writing to it.")

    def close(self) -> None:
        """Close the file."""
        with naming(self._path):
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
      say: called with a message if a file has damaged lines, or if the last rows of ``metrics.jsonl`` are missing.

    Attributes:
      last_rows: the metrics of the last steps until ``start``, at most ``LAST_ROWS`` rows, oldest first.
      last_row: the metrics of step ``start``; None for a new run.
    """

    def __init__(self, directory: Path, start: int, say: Callable[[str], None] = say):
        self._metrics, self._speed, self._diagnosis = (
            RowFile(directory / name, start, say) for name in ("metrics.jsonl", "speed.jsonl", "diagnosis.jsonl")
        )
        self._tensorboard = TensorBoardWriter(directory / "tensorboard", start)
        self.last_rows, self.last_row = self._metrics.last_rows, self._metrics.last_row
        last_step = self.last_row["step"] if self.last_row else 0
        if last_step < start:
            say(f"{directory / 'metrics.jsonl'} ends at step {last_step}: the rows until step {start} are missing")

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the metrics of a step. For a population, the event files of TensorBoard contain the means.

        Args:
          row: dictionary with the number of the ``step`` and the metrics of the step. For a population, each metric is
            a list with one number per member.
        """
        self._metrics.write(row)
        means = {name: finite_mean(value) for name, value in row.items() if name != "step"}
        self._tensorboard.write(row["step"], {name: mean for name, mean in means.items() if mean is not None})

    def write_speed(self, step: int, examples_per_second: float) -> None:
        """Write the mean speed between the previous call of this method and the given step.

        Args:
          step: the number of steps taken so far.
          examples_per_second: the number of training examples processed per second, for all members together.
        """
        self._speed.write({"step": step, "examples_per_second": round(examples_per_second, 1)})

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
        """Close all files, even if some of them cannot be written."""
        with contextlib.ExitStack() as stack:
            for file in (self._metrics, self._speed, self._diagnosis, self._tensorboard):
                stack.callback(file.close)
