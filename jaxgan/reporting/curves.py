"""A run's files as curves: what reports draw, thinned to what a screen shows."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.evaluation.figures import with_current_names
from jaxgan.monitoring.metrics_file import finite_mean, read_rows

POINTS = 1500  # of a curve, about as many as a wide screen shows
DIGITS = 5  # of a number in the page
Columns = dict[str, tuple[np.ndarray, np.ndarray]]
SPEED = "speed/images_per_second"
EVALUATION, DOCTOR = "evaluation/", "doctor/"  # what names of their files' columns begin with


def columns_of(path: Path) -> Columns:
    """All that a run's directory holds of numbers: metrics, speed, evaluations, the doctor's measures."""
    rows = read_rows(path / "metrics.jsonl")
    columns = _columns(rows)
    known = set(columns)
    evaluations = [with_current_names(row) for row in read_rows(path / "evaluations.jsonl")]
    columns |= {EVALUATION + name: x for name, x in _columns(evaluations).items()}
    measures = _columns(read_rows(path / "diagnosis.jsonl"))
    columns |= {DOCTOR + name: x for name, x in measures.items() if name not in known}
    speed = _speed(path / "speed.jsonl")
    return {**columns, SPEED: speed} if len(speed[0]) else columns


def _columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Each metric's steps, and its values [steps], of a population [steps, members], in order of appearance.

    What is not finite is left out, and NaN for a member that diverged.
    """
    columns: dict[str, tuple[list[int], list]] = {}
    for row in rows:
        step = row["step"]
        for name, value in row.items():
            if name in ("step", "protocol", "verdicts") or finite_mean(value) is None:
                continue
            if name not in columns:
                columns[name] = ([], [])
            steps, values = columns[name]
            steps.append(step)
            values.append([math.nan if x is None else x for x in value] if isinstance(value, list) else value)
    return {name: (np.asarray(steps), np.asarray(values, float)) for name, (steps, values) in columns.items()}


def _speed(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps and images a second. A run that was killed and resumed has rows of some steps twice: the later count."""
    by_step = {row["step"]: {"step": row["step"], "speed": row.get("images_per_second")} for row in read_rows(path)}
    return _columns([by_step[step] for step in sorted(by_step)]).get("speed", (np.zeros(0, int), np.zeros(0)))


def curves(columns: Columns) -> dict[str, Any]:
    """``curves`` by metric, and ``grids``: the steps of their points, which most curves share."""
    grids: list[list[int]] = []
    curves = {}
    for name, (steps, values) in columns.items():
        grid, curve = _thinned(steps, values)
        if grid not in grids:
            grids.append(grid)
        curves[name] = {"grid": grids.index(grid), **curve}
    return {"curves": curves, "grids": grids}


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[list[int], dict[str, list[float]]]:
    """At most ``POINTS`` points: the mean of each bucket, and where a bucket has several values the least and greatest.

    Of a population, [steps, members]: the mean of members' means in each bucket, and the least and greatest of them.

    Returns:
      The steps in the middle of the buckets; and ``mean``, ``low``, ``high``, and whether these are of ``members``.
    """
    if len(values) <= POINTS and values.ndim == 1:
        return steps.tolist(), {"mean": rounded(values)}
    edges = np.linspace(0, len(values), min(len(values), POINTS) + 1).astype(int)
    starts, ends = edges[:-1], edges[1:]
    there = np.isfinite(values)
    counts = np.add.reduceat(there, starts, dtype=int)
    means = np.add.reduceat(np.where(there, values, 0), starts) / np.where(counts, counts, np.nan)
    if values.ndim == 2:
        mean, low, high = np.nanmean(means, 1), np.nanmin(means, 1), np.nanmax(means, 1)
    else:
        mean, low, high = means, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    middles = (steps[starts] + steps[ends - 1]) // 2
    band = {"low": rounded(low), "high": rounded(high), "members": values.ndim == 2}
    return middles.tolist(), {"mean": rounded(mean), **band}


def rounded(values: np.ndarray) -> list[float]:
    """As many digits as the page needs."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
