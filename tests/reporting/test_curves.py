"""Tests of reading the files of a run as columns, and of reducing columns to curves with few points."""

import json
import math
import tracemalloc

import numpy as np
import pytest

from jaxgan.reporting import curves as curves_module
from jaxgan.reporting.curves import (
    LAST_STEPS,
    POINTS,
    SPEED,
    Column,
    read_columns,
    round_values,
    thin_columns,
    to_columns,
)


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def column(steps, values):
    values = np.asarray(values, float)
    column = Column(*values.shape[1:])
    column.append(np.asarray(steps), values)
    return column


def test_columns_of_a_run(tmp_path):
    assert read_columns(tmp_path) == {}
    write_rows(tmp_path / "metrics.jsonl", {"step": 1, "d/loss": 1.0}, {"step": 2, "d/loss": 2.0, "d/r1": 3.0})
    write_rows(
        tmp_path / "evaluations.jsonl",
        {"step": 2, "fid": 9.0, "protocol": {"features": "classifier"}},
    )
    write_rows(
        tmp_path / "diagnosis.jsonl",
        {"step": 2, "d/loss": 1.5, "swing": 0.1, "verdicts": [[0, "x", "d", "evidence", "remedy"]]},
    )
    write_rows(
        tmp_path / "speed.jsonl",
        {"step": 2, "images_per_second": 5.0},
        {"step": 1, "images_per_second": 4.0},
        {"step": 2, "examples_per_second": 6.0},
    )
    columns = read_columns(tmp_path)
    found = {name: (column.curve[0], column.last.tolist()) for name, column in columns.items()}
    assert found == {
        "d/loss": ([1, 2], [1.0, 2.0]),
        "d/r1": ([2], [3.0]),
        "evaluation/fd_classifier": ([2], [9.0]),  # earlier versions wrote the name fid
        "doctor/swing": ([2], [0.1]),
        SPEED: ([1, 2], [4.0, 6.0]),
    }


def test_a_diverged_member_is_nan_and_a_row_without_any_number_is_omitted(tmp_path):
    rows = ({"step": 1, "x": [1.0, 2.0]}, {"step": 2, "x": [None, 3.0]}, {"step": 3, "x": [None, None]})
    write_rows(tmp_path / "metrics.jsonl", *rows)
    found = read_columns(tmp_path)["x"]
    values = found.last
    assert found.curve[0] == [1, 2] and values.shape == (2, 2)
    assert math.isnan(values[1, 0]) and values[1, 1] == 3.0


def test_curves_with_the_same_steps_share_a_grid():
    steps = np.arange(1, 5)
    columns = {"a": column(steps, np.ones(4)), "b": column(steps[2:], np.ones(2)), "c": column(steps, np.zeros(4))}
    curves, grids = thin_columns(columns)
    assert grids == [[1, 2, 3, 4], [3, 4]]
    assert {name: curve["grid"] for name, curve in curves.items()} == {"a": 0, "b": 1, "c": 0}
    assert curves["a"] == {"grid": 0, "mean": [1.0] * 4}


def test_a_long_curve_has_the_mean_minimum_and_maximum_of_each_bucket():
    curves, (grid,) = thin_columns({"x": column(np.arange(2 * POINTS), np.tile([1.0, 3.0], POINTS))})
    assert len(grid) == POINTS and grid[:2] == [0, 2]
    curve = curves["x"]
    assert (set(curve["low"]), set(curve["mean"]), set(curve["high"])) == ({1.0}, {2.0}, {3.0})
    assert not curve["members"]


def test_the_curve_of_a_population_has_the_mean_minimum_and_maximum_of_its_members():
    values = np.array([[1.0, 3.0], [2.0, math.nan]])
    curves, _ = thin_columns({"x": column([1, 2], values)})
    assert curves["x"] == {"grid": 0, "mean": [2.0, 2.0], "low": [1.0, 2.0], "high": [3.0, 2.0], "members": True}


def test_the_minimum_of_a_bucket_is_kept():
    values = np.zeros(7001)
    values[5003] = -4
    _, curve = column(np.arange(7001), values).curve
    assert min(curve["low"]) == -4 and max(curve["high"]) == 0 and min(curve["mean"]) > -4


def test_a_curve_does_not_depend_on_the_parts_in_which_it_was_appended():
    rng = np.random.default_rng(0)
    steps, values = np.arange(0, 50_000, 5), rng.normal(size=(10_000, 3))
    values[rng.random(values.shape) < 0.3] = math.nan
    complete, parts = column(steps, values), Column(3)
    for end in (1, 2, 700, 3001, 3002, 9999, 10_000):
        parts.append(steps[len(parts) : end], values[len(parts) : end])
    assert parts.curve == complete.curve and len(parts) == 10_000 and parts.last_step == 49_995
    np.testing.assert_array_equal(parts.last, values[-LAST_STEPS:])
    assert parts.mean == pytest.approx(np.nanmean(values))
    # The buckets cover all rows: their means, weighted by their numbers of rows, add up to the mean of all rows.
    whole = column(steps, np.ones(10_000) * np.arange(10_000))
    grid, curve = whole.curve
    assert len(grid) == POINTS and curve["low"][0] == 0 and curve["high"][-1] == 9999
    assert np.all(np.array(curve["low"][1:]) == np.array(curve["high"][:-1]) + 1)


def test_reading_a_long_run_needs_little_memory(monkeypatch):
    """The run has the usual proportion of rows to the size of a chunk, and both are an eighth of the usual size."""
    chunk = curves_module.CHUNK // 8
    monkeypatch.setattr(curves_module, "CHUNK", chunk)

    def rows():
        for step in range(1, 20 * chunk):
            yield {"step": step, "d/loss": 1.0, "g/loss": 0.5}

    tracemalloc.start()
    try:
        columns = to_columns(rows())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert columns["d/loss"].last_step == len(columns["g/loss"]) == 20 * chunk - 1
    assert peak < 5e6  # all rows together would need more than 30 MB


@pytest.mark.parametrize("value", [True, "1", {"a": 1}, [[1]], [1.0, "x"], [], 10**400, [1, 2, 3], None])
def test_values_that_are_not_numbers_of_the_column_are_omitted(value):
    columns = to_columns([{"step": 1, "x": [1, 2]}, {"step": 2, "x": value, "y": 3}, {"step": 3, "x": [None, 4]}])
    assert columns["x"].curve[0] == [1, 3] and columns["y"].last.tolist() == [3]


def test_numbers_are_rounded():
    assert round_values(np.array([1.2345678, 123456789.0])) == [1.2346, 123460000.0]
