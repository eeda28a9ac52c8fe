"""Tests of the memory of a probe: a resumed run writes the same diagnosis as an uninterrupted one."""

import json

import jax
import numpy as np
import pytest
from helpers import games

from experiments import gan
from jaxgan.monitoring import diagnostics, probe_files
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.divergence import DivergedMembers
from jaxgan.training.metrics_log import MetricsLog
from jaxgan.training.runs import PopulationRun, SingleRun

CONFIG = gan.Config(steps=400, num_held_out=0)


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


def make_run(experiment, members):
    if members == 1:
        return SingleRun(experiment, CONFIG)
    return PopulationRun(experiment, CONFIG, lambda *_: experiment, [{"seed": i} for i in range(members)])


def states(run, steps, every):
    """Return a dictionary from steps to different states."""
    state = run.init(run.keys)

    def at(step):
        rng = np.random.default_rng(step)
        params = jax.tree.map(lambda x: x + rng.normal(size=x.shape).astype(x.dtype), state.params)
        return state.replace(step=state.step + step, params=params)

    return {step: at(step) for step in range(every, steps + 1, every)}


def metrics(step, members):
    rng = np.random.default_rng(step)
    shape = (10,) if members == 1 else (10, members)
    values = rng.normal(size=shape).astype(np.float32)
    if step == 120:
        values[3] = np.nan
    return {
        f"{player}/{name}": values
        for player in "dg"
        for name in ("loss", "grad_norm", "accuracy_real", "accuracy_fake")
    }


def log_steps(path, run, states, start, stop, every):
    """Log metrics from a step to another, as the training loop does, with a checkpoint every ``every`` steps."""
    said = []
    terminal = Terminal(CONFIG.steps, start, True)
    terminal.say = said.append
    log = MetricsLog(run, CONFIG, path, start, DivergedMembers(run, lambda text: None), terminal)
    log._diverged.add = lambda *_: None
    if start:
        log.restore_monitor(states[start], start)
    for step in range(start + 10, stop + 1, 10):
        log.append(step - 9, 10, metrics(step, len(run.seeds)))
        log.probe(states[step], step)
        log.write()
        if step % every == 0:
            log.save_monitor(step, range(0, step + 1, every))
    log.close()
    return said


@pytest.mark.parametrize(("members", "every"), [(1, 30), (2, 50)])
def test_a_resumed_run_writes_the_same_diagnosis(members, every, experiment, tmp_path, monkeypatch):
    """The process is killed behind a checkpoint, at several steps, before and behind the second and third probe."""
    monkeypatch.setattr(diagnostics, "WARM_UP", 50)
    monkeypatch.setattr(diagnostics, "WINDOW", 2)
    run = make_run(experiment, members)
    given = states(run, 250, 10)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for path in (whole, killed):
        path.mkdir()
    log_steps(whole, run, given, 0, 250, every)
    start = 0
    for stop in (40, 70, 100, 130, 210, 250):
        said = log_steps(killed, run, given, start, stop, every)
        assert not any("diagnosis.jsonl" in line for line in said), said
        start = stop // every * every
    names = ("metrics.jsonl", "diagnosis.jsonl")
    assert [(killed / name).read_bytes() for name in names] == [(whole / name).read_bytes() for name in names]
    assert b"turned" in (whole / "diagnosis.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.unlink(), "nothing was stored with the checkpoint"),
        (lambda file: file.write_bytes(b""), "100.npz"),
        (lambda file: file.write_bytes(file.read_bytes()[:-200]), "100.npz"),
        (lambda file: np.savez(file, probes=2), "its array 'mean' is missing or has another shape"),
    ],
)
def test_a_resumed_run_without_the_memory_says_which_measurements_are_missing(damage, reason, experiment, tmp_path):
    run = make_run(experiment, 1)
    given = states(run, 150, 10)
    log_steps(tmp_path, run, given, 0, 100, 50)
    damage(tmp_path / "monitor" / "100.npz")
    said = log_steps(tmp_path, run, given, 100, 150, 50)
    assert len(said) == 1 and "the next rows of diagnosis.jsonl lack swing, moved and turned" in said[0]
    assert reason in said[0]
    last = json.loads((tmp_path / "diagnosis.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 150 and "diversity" in last and "swing" not in last


def test_memories_without_a_checkpoint_are_removed(experiment, tmp_path):
    run = make_run(experiment, 1)
    log_steps(tmp_path, run, states(run, 150, 10), 0, 150, 50)
    assert {path.name for path in (tmp_path / "monitor").iterdir()} == {"50.npz", "100.npz", "150.npz"}
    probe_files.remove_memories(tmp_path, [100])
    assert {path.name for path in (tmp_path / "monitor").iterdir()} == {"100.npz"}


@pytest.mark.parametrize(
    ("members", "value"), [(1, [1.0]), (1, [1.0, 2.0]), (2, 1.0), (2, [1.0]), (2, [1.0, 2.0, 3.0])]
)
def test_rows_of_another_number_of_members_are_not_used(members, value, experiment, tmp_path):
    """A value in a file may have been changed to another valid one."""
    run = make_run(experiment, members)
    given = states(run, 150, 10)
    log_steps(tmp_path, run, given, 0, 120, 60)
    for name, i in {"metrics.jsonl": 114, "diagnosis.jsonl": 0}.items():
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        rows[i]["d/loss"] = value
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    log_steps(tmp_path, run, given, 120, 150, 60)
    last = json.loads((tmp_path / "diagnosis.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 150 and "turned/d" in last


def test_a_memory_is_replaced_only_by_a_complete_file(tmp_path, monkeypatch):
    assert probe_files.read_memory(tmp_path, 5) is None
    before = {"samples": np.arange(6, dtype=np.float32).reshape(2, 3), "probes": np.array(2)}
    probe_files.write_memory(tmp_path, 5, before)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", fail)
        with pytest.raises(OSError, match=r"5\.npz cannot be written: No space left on device"):
            probe_files.write_memory(tmp_path, 5, {"samples": np.zeros(1)})
    assert [path.name for path in (tmp_path / "monitor").iterdir()] == ["5.npz"]
    np.testing.assert_equal(probe_files.read_memory(tmp_path, 5), before)
