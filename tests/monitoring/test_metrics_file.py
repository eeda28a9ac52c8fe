"""Tests of files with one JSON object per line: writing, reading and truncating them."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.lazy import LazyTerm
from jaxgan.monitoring.metrics_file import (
    MetricsFile,
    RowFile,
    finite_mean,
    metrics_to_rows,
    read_rows,
    truncate_after,
)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_metrics_of_a_call_are_converted_to_one_row_per_step():
    metrics = {"d/loss": np.array([1.0, 2.0, 99.0]), "g/loss": np.array([3.0, 4.0, 99.0])}
    assert metrics_to_rows(7, 2, metrics) == [
        {"step": 7, "d/loss": 1.0, "g/loss": 3.0},
        {"step": 8, "d/loss": 2.0, "g/loss": 4.0},
    ]


def test_the_metrics_of_a_population_are_lists():
    assert metrics_to_rows(1, 1, {"d/loss": np.array([[1.0, 2.0]])}) == [{"step": 1, "d/loss": [1.0, 2.0]}]


def test_a_row_omits_lazy_terms_that_were_not_computed():
    term = LazyTerm(jnp.array([5.0, 0.0, 0.0]), jnp.array([True, False, True]))
    assert metrics_to_rows(1, 2, {"d/r1": term}) == [{"step": 1, "d/r1": 5.0}, {"step": 2}]
    of_two = LazyTerm(jnp.array([[5.0, 6.0], [0.0, 0.0]]), jnp.array([[True, True], [False, False]]))
    assert metrics_to_rows(1, 2, {"d/r1": of_two}) == [{"step": 1, "d/r1": [5.0, 6.0]}, {"step": 2}]


@pytest.mark.parametrize(
    ("value", "mean"),
    [(2.0, 2.0), ([1.0, 3.0], 2.0), ([1.0, math.nan, None, math.inf], 1.0), (math.nan, None), ([None, math.nan], None)],
)
def test_finite_mean_ignores_numbers_that_are_not_finite(value, mean):
    assert finite_mean(value) == mean


def test_damaged_lines_are_skipped(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    path.write_text('{"step": 1}\n{"step": 2, \n[3]\n{"no": 4}\n{"step": "5"}\n{"step": 6}\n{"step": 7}')
    assert read_rows(path) == [{"step": 1}, {"step": 6}]


def test_rows_after_a_step_are_removed(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert truncate_after(path, 3) is None and not path.exists()
    path.write_text("".join(f'{{"step": {step}, "x": {step}}}\n' for step in range(1, 6)))
    assert truncate_after(path, 3) == {"step": 3, "x": 3}
    assert [row["step"] for row in lines(path)] == [1, 2, 3]
    assert truncate_after(path, 9) == {"step": 3, "x": 3}
    assert truncate_after(path, 0) is None and path.read_text() == ""


def test_a_damaged_line_and_all_later_lines_are_removed(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "x\n{"step": 3}\n')
    assert truncate_after(path, 5) == {"step": 1} and path.read_text() == '{"step": 1}\n'


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path):
    file = RowFile(tmp_path / "rows.jsonl", 0)
    file.write({"step": 1, "x": math.inf, "members": [1.0, math.nan], "verdicts": [[0, "oscillation"]]})
    file.close()
    assert lines(tmp_path / "rows.jsonl") == [
        {"step": 1, "x": None, "members": [1.0, None], "verdicts": [[0, "oscillation"]]}
    ]


def test_a_file_is_continued_after_a_step(tmp_path):
    path = tmp_path / "rows.jsonl"
    first = RowFile(path, 0)
    assert first.last_row is None
    for step in (1, 2, 3):
        first.write({"step": step})
    first.flush()
    assert len(lines(path)) == 3  # the rows would not be lost if the process were killed now
    first.close()
    second = RowFile(path, 2)
    assert second.last_row == {"step": 2}
    second.write({"step": 3, "x": 1.0})
    second.close()
    assert lines(path) == [{"step": 1}, {"step": 2}, {"step": 3, "x": 1.0}]


def test_a_run_writes_three_files_and_tensorboard_events(tmp_path):
    file = MetricsFile(tmp_path, 0)
    file.write({"step": 1, "d/loss": [1.0, math.nan]})
    file.write_speed(1, 123.456)
    file.write_diagnosis({"step": 1, "diversity": 0.5})
    file.flush()
    assert lines(tmp_path / "metrics.jsonl") == [{"step": 1, "d/loss": [1.0, None]}]
    assert lines(tmp_path / "speed.jsonl") == [{"step": 1, "images_per_second": 123.5}]
    assert lines(tmp_path / "diagnosis.jsonl") == [{"step": 1, "diversity": 0.5}]
    file.close()
    assert list((tmp_path / "tensorboard").iterdir())
    again = MetricsFile(tmp_path, 1)
    assert again.last_row == {"step": 1, "d/loss": [1.0, None]}
    again.close()
    MetricsFile(tmp_path, 0).close()
    assert [(tmp_path / name).read_text() for name in ("metrics.jsonl", "speed.jsonl", "diagnosis.jsonl")] == [""] * 3
