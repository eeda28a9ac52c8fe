"""What a run tells: ``metrics.jsonl``, the truth; TensorBoard; and a person at a terminal."""


# Protobuf makes the classes of its modules as it imports them.
# pyright: reportAttributeAccessIssue=false

import json
import math
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2

from jaxgan.core.lazy import LazyTerm


class Diverged(Exception):
    """A term, or a leaf of the state, is NaN or infinite."""


def rows(first: int, count: int, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics of ``count`` steps from ``first`` on, on the host, as numbers, ``step`` first.

    Of a population each is a list with a number for each member. A lazy term is there only where it was due.

    Args:
      first: the first step.
      count: how many.
      metrics: by name, [at least count], or [at least count, members].
    """
    columns = {}
    for name, values in metrics.items():
        due = np.ones(count, bool)
        if isinstance(values, LazyTerm):
            due = np.asarray(values.due).reshape(len(values.due), -1)[:count, 0]
            values = values.value
        columns[name] = due, np.asarray(values)[:count].tolist()
    return [
        {"step": first + i, **{name: values[i] for name, (due, values) in columns.items() if due[i]}}
        for i in range(count)
    ]


def diverged(row: Mapping[str, Any]) -> dict[int, str]:
    """The members, 0 for a single game, one of whose numbers is null or not finite: which, in words."""
    found: dict[int, str] = {}
    # The sum and the gradient follow from a term: name the term where there is one.
    for name in sorted(row, key=lambda name: name.endswith(("/loss", "/grad_norm"))):
        values = row[name] if isinstance(row[name], list) else [row[name]]
        for i, value in enumerate(values):
            if value is None or not math.isfinite(value):
                player, _, term = name.partition("/")
                found.setdefault(i, f"player {player!r}, term {term!r} is {value}")
    return found


def without(members: Collection[int], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with NaN for these members: a share of NaNs that are above zero is a number, and says nothing."""
    if not members:
        return row
    kept = lambda values: [math.nan if i in members else x for i, x in enumerate(values)]  # noqa: E731
    return {name: kept(values) if isinstance(values, list) else values for name, values in row.items()}


def middle(value: Any) -> float | None:
    """A number itself; of members' numbers the mean, without those that are not finite; None where none is."""
    values = [x for x in (value if isinstance(value, list) else [value]) if x is not None and math.isfinite(x)]
    return sum(values) / len(values) if values else None


class MetricsFile:
    """``metrics.jsonl``: one object a step, appended; and the same in TensorBoard's files.

    ``last`` is the row that it begins after, None for a new file.

    It holds no clock, so that a run that was interrupted writes what one that was not would have, to the byte.
    How fast it went is in ``speed.jsonl``.
    """

    def __init__(self, directory: Path, step: int):
        """Continue after ``step``: later lines, of a run that was killed, are cut off."""
        self.path = directory / "metrics.jsonl"
        self.last = cut_after(self.path, step)
        cut_after(directory / "speed.jsonl", step)
        self._file = self.path.open("a", encoding="utf-8")
        self._speed = (directory / "speed.jsonl").open("a", encoding="utf-8")
        cut_after(directory / "diagnosis.jsonl", step)
        self._diagnosis = (directory / "diagnosis.jsonl").open("a", encoding="utf-8")
        self._board = _Board(directory / "tensorboard", step)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a step's row; of a population, TensorBoard gets the mean."""
        self._file.write(json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False) + "\n")
        self._board.write(row)

    def write_speed(self, step: int, images_per_second: float) -> None:
        self._speed.write(json.dumps({"step": step, "images_per_second": round(images_per_second, 1)}) + "\n")

    def write_diagnosis(self, row: Mapping[str, Any]) -> None:
        self._diagnosis.write(json.dumps({name: _finite(value) for name, value in row.items()}) + "\n")

    def flush(self) -> None:
        """Give every line to the operating system: from then on a killed process loses none."""
        self._file.flush()
        self._speed.flush()
        self._diagnosis.flush()
        self._board.flush()

    def close(self) -> None:
        self._file.close()
        self._speed.close()
        self._diagnosis.close()
        self._board.close()


def _finite(value: Any) -> Any:
    """JSON has no NaN: null stands for a number of a member that diverged."""
    if isinstance(value, list):
        return [_finite(x) for x in value]
    return value if isinstance(value, str) or math.isfinite(value) else None


class _Board:
    """TensorBoard's event files, one event a step.

    Not by tensorboardX's SummaryWriter: its thread dies of a full disk without a word, and the run then waits for
    it for ever.
    """

    def __init__(self, directory: Path, step: int):
        directory.mkdir(exist_ok=True)
        self._events = EventsWriter(str(directory / "events"), f".{step}")
        if step:  # what was written after this step, before the run was killed, is not to be shown
            again = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._events.write_event(event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=again))

    def write(self, row: Mapping[str, Any]) -> None:
        means = {name: middle(value) for name, value in row.items() if name != "step"}
        scalars = [summary_pb2.Summary.Value(tag=n, simple_value=v) for n, v in means.items() if v is not None]
        summary = summary_pb2.Summary(value=scalars)
        self._events.write_event(event_pb2.Event(wall_time=time.time(), step=row["step"], summary=summary))

    def flush(self) -> None:
        self._events.flush()

    def close(self) -> None:
        self._events.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of ``metrics.jsonl``; a line that was cut short or damaged is left out."""
    if not path.exists():
        return []
    rows = []
    with path.open("rb") as file:
        for line in file:
            row = _row(line)
            if row is not None:
                rows.append(row)
    return rows


def _row(line: bytes) -> dict[str, Any] | None:
    """A line's object; None for one that was cut short or damaged."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def cut_after(path: Path, step: int) -> dict[str, Any] | None:
    """Cut off what comes after a step; the last row that is left."""
    if not path.exists():
        return None
    end, last = 0, None
    with path.open("rb") as file:
        for line in file:
            row = _row(line)
            if row is None or row["step"] > step:
                break
            end, last = end + len(line), row
    os.truncate(path, end)
    return last
