"""Tests of files with one JSON object per line: writing, reading and truncating them."""

import json
import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.lazy import LazyTerm
from jaxgan.monitoring import metrics_file
from jaxgan.monitoring.metrics_file import (
    MetricsFile,
    RowFile,
    finite_mean,
    iterate_rows,
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


def test_damaged_lines_are_skipped_with_a_warning(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    path.write_text('{"step": 1}\n{"step": 2, \n[3]\n{"no": 4}\n{"step": "5"}\n{"step": 6}\n{"step": 7}')
    assert read_rows(path) == [{"step": 1}, {"step": 6}]
    assert capsys.readouterr().err == f"warning: {path}: 4 damaged lines were skipped.\n"


def test_a_line_that_a_run_is_writing_is_skipped_without_a_warning(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "d/lo')
    assert read_rows(path) == [{"step": 1}]
    assert capsys.readouterr().err == ""


def test_rows_after_a_step_are_removed(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert truncate_after(path, 3) is None and not path.exists()
    path.write_text("".join(f'{{"step": {step}, "x": {step}}}\n' for step in range(1, 6)))
    assert truncate_after(path, 3) == {"step": 3, "x": 3}
    assert [row["step"] for row in lines(path)] == [1, 2, 3]
    assert truncate_after(path, 9) == {"step": 3, "x": 3}
    assert truncate_after(path, 0) is None and path.read_text() == ""


DAMAGED = {
    "half": b'{"step": 3, "x',
    "empty": b"",
    "binary": b"\xff\x00\x01",
    "null": b"null",
    "list": b"[3]",
    "no step": b'{"x": 1.0}',
    "step of text": b'{"step": "3"}',
    "step of half": b'{"step": 3.0}',
    "true step": b'{"step": true}',
    "negative step": b'{"step": -3}',
    "infinite step": b'{"step": 1e999}',
    "repeated step": b'{"step": 2, "x": 9.0}',
    "earlier step": b'{"step": 1, "x": 9.0}',
    "later step": b'{"step": 300, "x": 9.0}',
    "text": b'{"step": 3, "x": "y"}',
    "true": b'{"step": 3, "x": true}',
    "object": b'{"step": 3, "x": {"y": 1.0}}',
    "nested list": b'{"step": 3, "x": [[1.0]]}',
    "overflow": b'{"step": 3, "x": 1e999}',
    "name twice": b'{"step": 3, "step": 4}',
    "verdicts": b'{"step": 3, "verdicts": 7}',
    "verdict": b'{"step": 3, "verdicts": [[0, 7, ""]]}',
    "protocol": b'{"step": 3, "protocol": "fid"}',
    "deep": b'{"step": 3, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_only_the_damaged_line_is_removed_and_the_old_file_is_kept(name, tmp_path):
    path, said = tmp_path / "rows.jsonl", []
    rows = [f'{{"step": {step}, "x": {step}.0}}\n'.encode() for step in range(1, 7)]
    old = b"".join([*rows[:2], DAMAGED[name] + b"\n", *rows[3:]])
    path.write_bytes(old)
    steps = [row["step"] for row in read_rows(path)]
    assert steps == [1, 2, 4, 5, 6]
    assert truncate_after(path, 5, said.append) == {"step": 5, "x": 5.0}
    aside = tmp_path / "damaged" / "rows.jsonl"
    expected = b"".join([*rows[:2], *rows[3:5]])
    if name == "repeated step":  # the later row of a step replaces the earlier one
        expected, gap = b"".join([rows[0], DAMAGED[name] + b"\n", *rows[3:5]]), "between steps 1 and 2"
    else:
        gap = "between steps 2 and 4"
    assert path.read_bytes() == expected and aside.read_bytes() == old
    assert said == [f"{path}: 1 damaged line was removed. Rows are missing {gap}. The old file is {aside}."]
    truncate_after(path, 5, said.append)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1 x", "1 damaged line was removed. Rows are missing after step 1."),
        ("x", "1 damaged line was removed. Rows are missing from the start."),
        ("x 2", "1 damaged line was removed. Rows are missing before step 2."),
        (
            "1 x x 4 x 6 x 8 x 10 x 12",
            "6 damaged lines were removed. Rows are missing between steps 1 and 4, between steps 4 and 6, between steps "
            "6 and 8 and in 2 more places.",
        ),
    ],
)
def test_the_message_says_which_rows_are_missing(lines, message, tmp_path):
    path, said = tmp_path / "rows.jsonl", []
    path.write_text("".join("{\n" if step == "x" else f'{{"step": {step}}}\n' for step in lines.split()))
    truncate_after(path, 20, said.append)
    assert said == [f"{path}: {message} The old file is {tmp_path / 'damaged' / 'rows.jsonl'}."]


def test_lines_after_the_last_row_to_keep_are_removed_without_a_message(tmp_path):
    """A killed process leaves an incomplete line behind the rows of the last checkpoint."""
    path, said = tmp_path / "rows.jsonl", []
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    assert truncate_after(path, 2, said.append) == {"step": 2}
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    assert said == [] and not (tmp_path / "damaged").exists()


def test_missing_rows_at_the_end_of_the_metrics_are_reported(tmp_path):
    said = []
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    MetricsFile(tmp_path, 5, said.append).close()
    assert said == [f"{tmp_path / 'metrics.jsonl'} ends at step 2: the rows until step 5 are missing"]


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
    assert lines(tmp_path / "speed.jsonl") == [{"step": 1, "examples_per_second": 123.5}]
    assert lines(tmp_path / "diagnosis.jsonl") == [{"step": 1, "diversity": 0.5}]
    file.close()
    assert list((tmp_path / "tensorboard").iterdir())
    again = MetricsFile(tmp_path, 1)
    assert again.last_row == {"step": 1, "d/loss": [1.0, None]}
    again.close()
    MetricsFile(tmp_path, 0).close()
    assert [(tmp_path / name).read_text() for name in ("metrics.jsonl", "speed.jsonl", "diagnosis.jsonl")] == [""] * 3


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.replace(path.with_name("other"))])
def test_a_file_that_is_pulled_away_is_noticed(change, tmp_path):
    path = tmp_path / "rows.jsonl"
    file = RowFile(path, 0)
    file.write({"step": 1})
    file.flush()
    change(path)
    path.with_name("new").write_text("")
    file.write({"step": 2})
    with pytest.raises(OSError, match=r"rows\.jsonl was moved, removed or replaced while the run was writing to it\."):
        file.flush()
    file.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="requires /dev/full")
def test_a_full_disk_is_one_sentence_with_the_path(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.symlink_to("/dev/full")
    file = RowFile.__new__(RowFile)
    file._path, file._file = path, path.open("w")
    file.write({"step": 1})
    with pytest.raises(OSError, match=r"^.*rows\.jsonl cannot be written: No space left on device\.$"):
        file.flush()
    with pytest.raises(OSError, match="No space left"):
        file.close()


def test_rows_are_read_one_by_one(tmp_path, monkeypatch):
    """The rows of a long run need more memory than a computer has."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}}}\n' for step in range(1, 1000)))
    read = []
    lines_of = metrics_file.read_json_lines
    monkeypatch.setattr(metrics_file, "read_json_lines", lambda path: (read.append(1) or x for x in lines_of(path)))
    rows = iterate_rows(path)
    assert [next(rows)["step"] for _ in range(3)] == [1, 2, 3] and len(read) < 10
