"""Tests of reading the files of a run as columns, and of reducing columns to curves with few points."""

import json
import math

import numpy as np

from jaxgan.reporting.curves import POINTS, SPEED, read_columns, round_values, thin_columns


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_columns_of_a_run(tmp_path):
    assert read_columns(tmp_path) == {}
    write_rows(tmp_path / "metrics.jsonl", {"step": 1, "d/loss": 1.0}, {"step": 2, "d/loss": 2.0, "d/r1": 3.0})
    write_rows(
        tmp_path / "evaluations.jsonl",
        {"step": 2, "fid": 9.0, "protocol": {"features": "classifier"}},
    )
    write_rows(tmp_path / "diagnosis.jsonl", {"step": 2, "d/loss": 1.5, "swing": 0.1, "verdicts": [[0, "x"]]})
    write_rows(
        tmp_path / "speed.jsonl",
        {"step": 2, "images_per_second": 5.0},
        {"step": 1, "images_per_second": 4.0},
        {"step": 2, "images_per_second": 6.0},
    )
    columns = read_columns(tmp_path)
    found = {name: (steps.tolist(), values.tolist()) for name, (steps, values) in columns.items()}
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
    steps, values = read_columns(tmp_path)["x"]
    assert steps.tolist() == [1, 2] and values.shape == (2, 2)
    assert math.isnan(values[1, 0]) and values[1, 1] == 3.0


def test_curves_with_the_same_steps_share_a_grid():
    steps = np.arange(1, 5)
    curves, grids = thin_columns({"a": (steps, np.ones(4)), "b": (steps[2:], np.ones(2)), "c": (steps, np.zeros(4))})
    assert grids == [[1, 2, 3, 4], [3, 4]]
    assert {name: curve["grid"] for name, curve in curves.items()} == {"a": 0, "b": 1, "c": 0}
    assert curves["a"] == {"grid": 0, "mean": [1.0] * 4}


def test_a_long_curve_has_the_mean_minimum_and_maximum_of_each_bucket():
    curves, (grid,) = thin_columns({"x": (np.arange(2 * POINTS), np.tile([1.0, 3.0], POINTS))})
    assert len(grid) == POINTS and grid[:2] == [0, 2]
    curve = curves["x"]
    assert (set(curve["low"]), set(curve["mean"]), set(curve["high"])) == ({1.0}, {2.0}, {3.0})
    assert not curve["members"]


def test_the_curve_of_a_population_has_the_mean_minimum_and_maximum_of_its_members():
    values = np.array([[1.0, 3.0], [2.0, math.nan]])
    curves, _ = thin_columns({"x": (np.array([1, 2]), values)})
    assert curves["x"] == {"grid": 0, "mean": [2.0, 2.0], "low": [1.0, 2.0], "high": [3.0, 2.0], "members": True}


def test_numbers_are_rounded():
    assert round_values(np.array([1.2345678, 123456789.0])) == [1.2346, 123460000.0]
