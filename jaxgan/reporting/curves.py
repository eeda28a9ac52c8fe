"""A run's files as curves: what reports draw, thinned to what a screen shows."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.monitoring.metrics_file import finite_mean, read_rows

POINTS = 1500  # of a curve, about as many as a wide screen shows
DIGITS = 5  # of a number in the page
SPEED = "speed/images_per_second"  # the column of the speed
EVALUATION = "evaluation/"  # the names of columns of evaluations begin with it
DIAGNOSIS = "doctor/"  # the names of what the monitor measured begin with it

# By name the steps, and the values, [steps] or [steps, members] of a population.
Columns = dict[str, tuple[np.ndarray, np.ndarray]]


def read_columns(path: Path) -> Columns:
    """All numbers in a run's directory: metrics, evaluations, what the monitor measured, and the speed.

    What is not finite is left out; of a population it is NaN for the member that diverged.
    """
    columns = _to_columns(read_rows(path / "metrics.jsonl"))
    metrics = set(columns)
    evaluations = [with_current_names(row) for row in read_rows(path / "evaluations.jsonl")]
    columns |= {EVALUATION + name: x for name, x in _to_columns(evaluations).items()}
    measures = _to_columns(read_rows(path / "diagnosis.jsonl"))  # with the metrics' means, which are drawn already
    columns |= {DIAGNOSIS + name: x for name, x in measures.items() if name not in metrics}
    # A run that was killed and resumed has rows of some steps twice: the later ones count.
    speed = {row["step"]: row.get("images_per_second") for row in read_rows(path / "speed.jsonl")}
    return columns | _to_columns([{"step": step, SPEED: speed[step]} for step in sorted(speed)])


def _to_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """The columns of rows, in order of appearance."""
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
    """Curves of at most ``POINTS`` points.

    Returns:
      By name ``mean``, and ``low``, ``high``, ``members`` where a point stands for several values; with ``grid``, an
      index into the second list: the steps of the points, which most curves share.
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
    """At most ``POINTS`` points: the mean of each bucket, and where a bucket has several values the least and greatest.

    Of a population, [steps, members]: the mean of members' means in each bucket, and the least and greatest of them.

    Returns:
      The steps in the middle of the buckets; and ``mean``, ``low``, ``high``, and whether these are of ``members``.
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
    """As many digits as the page needs."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
