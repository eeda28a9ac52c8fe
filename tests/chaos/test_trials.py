"""A short form of each trial. ``python -m experiments.chaos`` runs the long forms."""

import numpy as np
import pytest

from experiments.chaos import damage, disks, hosts, kills, programs, runs, signals
from jaxgan.training import checkpoint_files

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Use one device, a short run, and the cache of compiled programs that all tests share."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")
    monkeypatch.setattr(programs, "_cache_variables", lambda folder: {})
    monkeypatch.setattr(damage, "use_cache_here", lambda folder: None)
    for module in (kills, disks):
        monkeypatch.setattr(module, "STEPS", 20)


def outcomes(trial, count, folder, *arguments):
    """Run a trial, assert that no case failed, and return the outcomes."""
    cases = list(trial.run(count, 0, folder, *arguments))
    failed = [f"{case.name}: {case.outcome}\n{case.detail}" for case in cases if case.failed]
    assert not failed, "\n".join(failed)
    return [case.outcome for case in cases]


def test_a_killed_run_ends_bitwise_equal(tmp_path):
    found = outcomes(kills, 1, tmp_path, {"gan": 1})
    assert sum(outcome.startswith("killed") for outcome in found) == 1
    assert found[-1] == "finished, bitwise equal"


def test_damaged_files_are_refused_or_replaced_by_intact_ones(tmp_path):
    assert len(outcomes(damage, 3, tmp_path)) == 3


def test_a_full_disk_ends_a_run_with_one_sentence(tmp_path):
    reason = disks.missing(tmp_path)
    if reason:
        pytest.skip(reason)
    assert len(outcomes(disks, 1, tmp_path)) == 1


@pytest.mark.slow  # tests/cli/test_program.py sends one signal to a run
def test_a_signal_saves_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(signals, "STEPS", 40)
    assert len(outcomes(signals, 1, tmp_path)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("trial", [kills, damage, disks, signals, hosts], ids=lambda trial: trial.__name__[18:])
def test_trials_of_medium_length(trial, tmp_path):
    reason = trial.missing(tmp_path)
    if reason:
        pytest.skip(reason)
    assert outcomes(trial, {kills: 20, damage: 100}.get(trial, trial.COUNT), tmp_path)


# The trials themselves must notice what is wrong.


def test_a_wrong_checkpoint_with_right_checksums_fails_the_trial(tmp_path, monkeypatch):
    def replace_newest(path, rng):
        checkpoints = next(folder for folder in path.parents if folder.name == "copy") / "checkpoints"
        leaves = checkpoint_files.read_leaves(checkpoints, damage.STEPS)
        checkpoint_files.remove(checkpoints, damage.STEPS)
        name = next(name for name in leaves if name.startswith("ema."))
        changed = leaves | {name: leaves[name] + 1}
        checkpoint_files.write(checkpoints, damage.STEPS, changed, checkpoint_files.Score())

    monkeypatch.setattr(damage, "DAMAGES", {"replaced": replace_newest})
    (case,) = damage.run(1, 0, tmp_path)
    assert case.failed and case.outcome.startswith("SILENTLY WRONG")
    assert "SILENTLY WRONG: resume" in case.detail


def test_differences_name_leaves_lines_and_files(tmp_path):
    for name in ("whole", "broken"):
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        (folder / "config.json").write_text('{"experiment": "gan", "config": {}, "data": {}}')
        (folder / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
        leaves = {"step": np.array(2), "params.g": np.zeros(3)}
        (folder / "checkpoints").mkdir()
        checkpoint_files.write(folder / "checkpoints", 2, leaves, checkpoint_files.Score())
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert runs.differences(whole, broken) == []
    (broken / "metrics.jsonl").write_text('{"step": 1}\n{"step": 3}\n')
    (broken / "samples" / "step_0000002.png").write_bytes(b"new")
    assert runs.differences(whole, broken) == [
        "metrics.jsonl differs in line 2",
        "samples/step_0000002.png differs, because it is missing in the uninterrupted run",
    ]
    (broken / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    (broken / "samples" / "step_0000002.png").unlink()
    leaves = {"step": np.array(4), "params.g": np.array([0, 0, -0.0])}  # differs from zeros in one bit
    checkpoint_files.write(broken / "checkpoints", 4, leaves, checkpoint_files.Score())
    assert runs.differences(whole, broken) == ["the checkpoints are of the steps [2, 4] instead of [2]"]


def test_one_sentence_is_one_error_without_a_traceback():
    assert programs.Output(2, "hello\nerror: It is wrong.\n").is_one_sentence
    assert not programs.Output(1, "Traceback (most recent call last):\nerror: It is wrong.\n").is_one_sentence
    assert not programs.Output(1, "error: one\nerror: two\n").is_one_sentence
    assert not programs.Output(0, "error: It is wrong.\n").is_one_sentence
