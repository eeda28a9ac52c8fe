"""Read the files of a run as curves, and reduce the number of their points for a report.

The files of a long run have millions of rows. They are read once from start to end, and each column of numbers is
reduced while it is read, so that the memory does not grow with the number of rows.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.monitoring.metrics_file import iterate_rows

POINTS = 1500  # maximum number of points in a curve, about one point per pixel on a wide screen
LAST_STEPS = 100  # number of values at the end of a column that are stored individually, for means over the last steps
CHUNK = 2**16  # number of values of a column that are stored individually before they are added to its buckets
DIGITS = 5  # number of significant digits of each number of a curve
SPEED = "speed/examples_per_second"  # name of the column that contains the speed
EVALUATION = "evaluation/"  # prefix of the columns that contain the metrics of evaluations
DIAGNOSIS = "doctor/"  # prefix of the columns that contain the measurements of the training monitor


@dataclasses.dataclass(frozen=True)
class _Buckets:
    """Statistics of groups of consecutive rows of a column, one group per element of each array.

    Attributes:
      row: the number of rows before the group, int [N].
      first, last: the first and the last step of the group, int [N].
      counts: the number of finite values of each member, int [N, members]. A single game counts as one member.
      totals: the sum of the finite values of each member, [N, members].
      low, high: the minimum and the maximum of the finite values of all members, [N].
    """

    row: np.ndarray
    first: np.ndarray
    last: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of_rows(cls, row: int, steps: np.ndarray, values: np.ndarray) -> Self:
        """Return one bucket for each row; ``row`` is the number of earlier rows, and ``values`` are [N, members]."""
        is_finite = np.isfinite(values)
        rows = row + np.arange(len(steps))
        low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
        return cls(rows, steps, steps, is_finite.astype(int), np.where(is_finite, values, 0.0), low, high)

    def followed_by(self, other: Self) -> Self:
        pairs = zip(_arrays(self), _arrays(other))
        return type(self)(*map(np.concatenate, pairs))

    def merged(self, starts: np.ndarray) -> Self:
        """Merge the buckets from each index in ``starts`` until the next one."""
        ends = np.append(starts[1:], len(self.row)) - 1
        return type(self)(
            self.row[starts],
            self.first[starts],
            self.last[ends],
            np.add.reduceat(self.counts, starts),
            np.add.reduceat(self.totals, starts),
            np.fmin.reduceat(self.low, starts),
            np.fmax.reduceat(self.high, starts),
        )

    @property
    def means(self) -> np.ndarray:
        """The mean of each member, [N, members]; NaN if a member has no finite value."""
        return self.totals / np.where(self.counts, self.counts, np.nan)


def _arrays(buckets: _Buckets) -> Iterator[np.ndarray]:
    return (getattr(buckets, field.name) for field in dataclasses.fields(buckets))


class Column:
    """The values of a metric and their steps, stored as at most ``2 * POINTS`` buckets and the last values.

    Args:
      members: the number of members of a population; None for a single game.

    Attributes:
      members: as passed.
      last: the last values, at most ``LAST_STEPS``, [N] or, for a population, [N, members].
    """

    def __init__(self, members: int | None = None):
        self.members = members
        self.last = np.zeros(0 if members is None else (0, members))
        self._rows = 0
        self._buckets = _Buckets.of_rows(0, np.zeros(0, int), np.zeros((0, members or 1)))

    def append(self, steps: np.ndarray, values: np.ndarray) -> None:
        """Append values.

        Args:
          steps: the steps of the values, [N].
          values: the values, [N] or, for a population, [N, members].
        """
        rows = _Buckets.of_rows(self._rows, steps, values.reshape(len(values), -1))
        buckets = self._buckets.followed_by(rows)
        self._rows += len(steps)
        self.last = np.concatenate([self.last, values])[-LAST_STEPS:].copy()
        # The number of rows in a bucket is a power of two, so that buckets of any earlier width can be merged.
        width = 1
        while self._rows > 2 * POINTS * width:
            width *= 2
        self._buckets = buckets.merged(np.flatnonzero(np.diff(buckets.row // width, prepend=-1)))

    def __len__(self) -> int:
        """Return the number of values."""
        return self._rows

    @property
    def last_step(self) -> int:
        """The step of the last value."""
        return int(self._buckets.last[-1])

    @property
    def mean(self) -> float:
        """The mean of all finite values."""
        return float(self._buckets.totals.sum() / self._buckets.counts.sum())

    @property
    def curve(self) -> tuple[list[int], dict[str, Any]]:
        """The steps and the values of at most ``POINTS`` points.

        The steps are the middles of groups of consecutive rows. The values are a dictionary with the list ``mean``,
        which contains the means of the groups. If groups have several rows, the dictionary also has the lists ``low``
        and ``high``, which contain the minima and maxima of the groups, and the flag ``members``, which is False. For a
        population, the values of each member are first averaged over the group. Then ``mean``, ``low`` and ``high``
        contain the mean, the minimum and the maximum over the members, and ``members`` is True.
        """
        is_population = self.last.ndim == 2
        points, buckets = min(self._rows, POINTS), self._buckets
        if len(buckets.row) > points:
            buckets = buckets.merged(np.linspace(0, len(buckets.row), points + 1)[:-1].astype(int))
        steps = ((buckets.first + buckets.last) // 2).tolist()
        mean = np.nanmean(buckets.means, 1)
        if self._rows <= POINTS and not is_population:
            return steps, {"mean": round_values(mean)}
        low, high = buckets.low, buckets.high
        if is_population:
            low, high = np.nanmin(buckets.means, 1), np.nanmax(buckets.means, 1)
        return steps, {
            "mean": round_values(mean),
            "low": round_values(low),
            "high": round_values(high),
            "members": is_population,
        }


# A dictionary from names to the columns of a run.
Columns = dict[str, Column]


def read_columns(path: Path) -> Columns:
    """Read all numbers in the directory of a run: metrics, evaluations, measurements of the monitor, and the speed.

    A column omits the steps at which no number is finite. If only some members of a population have finite numbers at a
    step, the numbers of the other members are NaN.

    Args:
      path: the directory of the run.
    """
    columns = to_columns(iterate_rows(path / "metrics.jsonl"))
    metrics = set(columns)
    evaluations = map(with_current_names, iterate_rows(path / "evaluations.jsonl"))
    columns |= {EVALUATION + name: x for name, x in to_columns(evaluations).items()}
    # diagnosis.jsonl also contains means of the metrics, which are omitted here.
    measures = to_columns(iterate_rows(path / "diagnosis.jsonl"))
    columns |= {DIAGNOSIS + name: x for name, x in measures.items() if name not in metrics}
    # The file of a run that was killed and resumed may contain two rows for a step. The later row is used.
    # Earlier versions wrote the speed under another name.
    speed = {
        row["step"]: row.get("examples_per_second", row.get("images_per_second"))
        for row in iterate_rows(path / "speed.jsonl")
    }
    return columns | to_columns({"step": step, SPEED: speed[step]} for step in sorted(speed))


def to_columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Convert rows to columns, in the order in which the names appear in the rows.

    A column has the numbers that are finite, and the lists of numbers that have the length of the column's first list.
    Other values are omitted.

    Args:
      rows: dictionaries with an integer ``step``, which are read once.
    """
    columns: Columns = {}
    pending: dict[str, tuple[list[int], list]] = {}  # the steps and values that are not in ``columns`` yet
    count = 0
    for row in rows:
        for name, value in row.items():
            number = None if name == "step" else _number(value)
            if number is None:
                continue
            length = len(number) if isinstance(number, list) else None
            if name not in columns:
                columns[name] = Column(length)
            if columns[name].members != length:
                continue
            steps, values = pending.setdefault(name, ([], []))
            steps.append(row["step"])
            values.append(number)
            count += length or 1
        if count >= CHUNK:
            _append(columns, pending)
            pending, count = {}, 0
    _append(columns, pending)
    return columns


def _number(value: Any) -> float | list[float] | None:
    """Return a finite number, or a list with at least one finite number and NaN in place of null; otherwise None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, list):
        return float(value) if _is_number(value) else None
    if not all(x is None or _is_number(x) for x in value):
        return None
    numbers = [math.nan if x is None else float(x) for x in value]
    return numbers if any(map(math.isfinite, numbers)) else None


def _is_number(value: Any) -> bool:
    # Python's integers can be too large for a float.
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def _append(columns: Columns, pending: Mapping[str, tuple[list[int], list]]) -> None:
    for name, (steps, values) in pending.items():
        columns[name].append(np.asarray(steps), np.asarray(values, float))


def thin_columns(columns: Columns) -> tuple[dict[str, Any], list[list[int]]]:
    """Convert columns to curves with at most ``POINTS`` points each.

    Args:
      columns: the columns of one or more runs.

    Returns:
      curves: a dictionary from the name of each column to a curve. A curve is a dictionary with the integer ``grid``,
        which is an index into ``grids``, and the lists of values; see ``Column.curve``.
      grids: the lists of steps at which curves have points. Most curves share the same list.
    """
    grids: list[list[int]] = []
    curves = {}
    for name, column in columns.items():
        grid, curve = column.curve
        if grid not in grids:
            grids.append(grid)
        curves[name] = {"grid": grids.index(grid), **curve}
    return curves, grids


def round_values(values: np.ndarray) -> list[float]:
    """Round values to ``DIGITS`` significant digits.

    Args:
      values: an array of shape [N].
    """
    return [float(f"{value:.{DIGITS}g}") for value in values]
