"""Tests of the directory of a checkpoint. ``test_checkpoints.py`` tests which checkpoints are kept and restored."""

import json

import jax
import numpy as np
import pytest

from jaxgan.core.json_files import JsonError
from jaxgan.training import checkpoint_files
from jaxgan.training.checkpoint_files import (
    NO_SCORE,
    Score,
    find_steps,
    find_strays,
    is_first_process,
    read_leaves,
    read_score,
    remove_unfinished,
)
from jaxgan.training.checkpoints import Checkpoints

LEAVES = {"step": np.array(7, np.int32), "params.g": np.arange(6, dtype=np.float32).reshape(2, 3)}


def make_directories(folder, *names):
    for name in names:
        (folder / name / "state").mkdir(parents=True)


def test_entries_are_checkpoints_or_strays_or_temporary(tmp_path):
    make_directories(tmp_path, "10", "9", "010", "5.orbax-checkpoint-tmp", ".hidden")
    (tmp_path / "11").mkdir()
    (tmp_path / "12").write_text("")
    assert find_steps(tmp_path) == [9, 10]
    assert [path.name for path in find_strays(tmp_path)] == ["010", "11", "12"]
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"9", "10", "010", "11", "12", ".hidden"}
    assert find_steps(tmp_path / "none") == find_strays(tmp_path / "none") == []


@pytest.mark.parametrize("index", [0, 1])
def test_only_the_first_process_removes_unfinished_checkpoints(index, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: index)
    make_directories(tmp_path, "5.orbax-checkpoint-tmp")
    assert is_first_process() == (index == 0)
    Checkpoints(tmp_path).close()
    assert any(tmp_path.iterdir()) == (index == 1)


def write_score(folder, content):
    (folder / "7" / "metrics").mkdir(parents=True, exist_ok=True)
    (folder / "7" / "metrics" / "metrics").write_text(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"score": 0.25, "by": "fid"}, Score(0.25, "fid")),
        ({"score": 2}, Score(2.0, "pixels")),
        ({"score": float("nan"), "by": "fid"}, Score(NO_SCORE, "fid")),
        ({"score": float("inf"), "by": "fid"}, Score(NO_SCORE, "fid")),
    ],
)
def test_a_score_is_read_with_its_method(content, expected, tmp_path):
    with pytest.raises(JsonError, match=r"metrics is missing\.$"):
        read_score(tmp_path, 7)
    write_score(tmp_path, json.dumps(content))
    assert read_score(tmp_path, 7) == expected
    write_score(tmp_path, json.dumps(content)[:-1])
    with pytest.raises(JsonError, match="metrics is not valid JSON"):
        read_score(tmp_path, 7)


@pytest.mark.integration
def test_leaves_are_verified(tmp_path):
    checkpoint_files.write(tmp_path, 7, LEAVES, Score(0.5, "fid"))
    np.testing.assert_equal(read_leaves(tmp_path, 7), LEAVES)
    assert read_score(tmp_path, 7) == Score(0.5, "fid")
    file = tmp_path / "7" / "checksums" / "metadata"
    sums = json.loads(file.read_text())
    for changed in ({**sums, "params.g": sums["step"]}, {"step": sums["step"]}, {**sums, "params.d": sums["step"]}):
        file.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"1 leaves, among them params\.[gd], do not match their checksums"):
            read_leaves(tmp_path, 7)
    file.write_text(json.dumps(sums))
    (tmp_path / "7").rename(tmp_path / "8")
    with pytest.raises(ValueError, match="it contains the state of step 7"):
        read_leaves(tmp_path, 8)
