"""Read the files of a run as curves, and reduce the number of their points for a report."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.monitoring.metrics_file import finite_mean, read_rows

POINTS = 1500  # maximum number of points in a curve, about one point per pixel on a wide screen
DIGITS = 5  # number of significant digits of each number of a curve
SPEED = "speed/images_per_second"  # name of the column that contains the speed
EVALUATION = "evaluation/"  # prefix of the columns that contain the metrics of evaluations
DIAGNOSIS = "doctor/"  # prefix of the columns that contain the measurements of the training monitor

# A dictionary from names to the columns of a run. A column is a pair of arrays: the steps, of shape [N], and the
# values, of shape [N] or, for a population, [N, members].
Columns = dict[str, tuple[np.ndarray, np.ndarray]]


def read_columns(path: Path) -> Columns:
    """Read all numbers in the directory of a run: metrics, evaluations, measurements of the monitor, and the speed.

    A column omits the steps at which no number is finite. If only some members of a population have finite numbers at a
    step, the numbers of the other members are NaN.

    Args:
      path: the directory of the run.
    """
    columns = _to_columns(read_rows(path / "metrics.jsonl"))
    metrics = set(columns)
    evaluations = [with_current_names(row) for row in read_rows(path / "evaluations.jsonl")]
    columns |= {EVALUATION + name: x for name, x in _to_columns(evaluations).items()}
    # diagnosis.jsonl also contains means of the metrics, which are omitted here.
    measures = _to_columns(read_rows(path / "diagnosis.jsonl"))
    columns |= {DIAGNOSIS + name: x for name, x in measures.items() if name not in metrics}
    # The file of a run that was killed and resumed may contain two rows for a step. The later row is used.
    speed = {row["step"]: row.get("images_per_second") for row in read_rows(path / "speed.jsonl")}
    return columns | _to_columns([{"step": step, SPEED: speed[step]} for step in sorted(speed)])


def _to_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Convert rows to columns, in the order in which the names appear in the rows."""
    columns: dict[str, tuple[list[int], list]] = {}
    for row in rows:
        for name, value in row.items():
            if name in ("step", "protocol", "verdicts") or finite_mean(value) is None:
                continue
            steps, values = columns.setdefault(name, ([], []))
            steps.append(row["step"])
            values.append([math.nan if x is None else x for x in value] if isinstance(value, list) else value)
    return {name: (np.asarray(steps), np.asarray(values, float)) for name, (steps, values) in columns.items()}


def thin_columns(columns: Columns) -> tuple[dict[str, Any], list[list[int]]]:
    """Convert columns to curves with at most ``POINTS`` points each.

    Returns:
      curves: a dictionary from the name of each column to a curve. A curve is a dictionary with the list ``mean`` and
        the integer ``grid``, which is an index into ``grids``. If a point represents several values, the curve also has
        the lists ``low`` and ``high`` and the flag ``members``; see ``_thin``.
      grids: the lists of steps at which curves have points. Most curves share the same list.
    """
    grids: list[list[int]] = []
    curves = {}
    for name, (steps, values) in columns.items():
        grid, curve = _thin(steps, values)
        if grid not in grids:
            grids.append(grid)
        curves[name] = {"grid": grids.index(grid), **curve}
    return curves, grids


def _thin(steps: np.ndarray, values: np.ndarray) -> tuple[list[int], dict[str, Any]]:
    """Reduce one column to at most ``POINTS`` points by averaging over buckets of consecutive steps.

    Args:
      steps: the steps of the values, an array of shape [N].
      values: the values, an array of shape [N] or, for a population, [N, members].

    Returns:
      The steps in the middle of the buckets, and a dictionary with the list ``mean``, which contains the means of the
      buckets. If buckets have several values, the dictionary also has the lists ``low`` and ``high``, which contain the
      minima and maxima of the buckets, and the flag ``members``, which is False. For a population, the values of each
      member are first averaged over the bucket. Then ``mean``, ``low`` and ``high`` contain the mean, the minimum and
      the maximum over the members, and ``members`` is True.
    """
    if len(values) <= POINTS and values.ndim == 1:
        return steps.tolist(), {"mean": round_values(values)}
    edges = np.linspace(0, len(values), min(len(values), POINTS) + 1).astype(int)
    starts, ends = edges[:-1], edges[1:]
    is_finite = np.isfinite(values)
    counts = np.add.reduceat(is_finite, starts, dtype=int)
    means = np.add.reduceat(np.where(is_finite, values, 0), starts) / np.where(counts, counts, np.nan)
    if values.ndim == 2:
        mean, low, high = np.nanmean(means, 1), np.nanmin(means, 1), np.nanmax(means, 1)
    else:
        mean, low, high = means, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    middles = (steps[starts] + steps[ends - 1]) // 2
    band = {"low": round_values(low), "high": round_values(high), "members": values.ndim == 2}
    return middles.tolist(), {"mean": round_values(mean), **band}


def round_values(values: np.ndarray) -> list[float]:
    """Round values to ``DIGITS`` significant digits.

    Args:
      values: an array of shape [N].
    """
    return [float(f"{value:.{DIGITS}g}") for value in values]
