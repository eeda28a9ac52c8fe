"""Tests of the metrics log: order, checks for finite numbers, rates and the diagnosis."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import games

from experiments import gan
from jaxgan.monitoring import diagnostics
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.divergence import Diverged, DivergedMembers
from jaxgan.training.metrics_log import MetricsLog
from jaxgan.training.runs import PopulationRun, SingleRun


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


@pytest.fixture
def open_log(experiment, tmp_path):
    """Return a function that opens a log in the test's folder. The fixture closes all logs at the end."""
    opened = []

    def open_log(start=0, members=1, **settings):
        config = gan.Config(steps=100, **settings)
        run = SingleRun(experiment, config)
        if members > 1:
            run = PopulationRun(experiment, config, lambda *_: experiment, [{"seed": i} for i in range(members)])
        terminal = Terminal(100, start, quiet=True)
        diverged = DivergedMembers(run, terminal.say)
        log = MetricsLog(run, config, tmp_path, start, diverged, terminal)
        opened.append(log)
        return log, run, diverged

    yield open_log
    for log in opened:
        log.close()


def rows(tmp_path, name="metrics.jsonl"):
    return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]


def losses(*values):
    """Return the metrics of a call. The arrays may be longer than the number of steps that were taken."""
    return {"d/loss": jnp.array([*values, 99.0])}


def test_write_leaves_the_newest_calls(open_log, tmp_path):
    log, _, _ = open_log()
    log.append(1, 2, losses(1.0, 2.0))
    log.append(3, 1, losses(3.0))
    log.write(keep=1)
    assert rows(tmp_path) == [{"step": 1, "d/loss": 1.0}, {"step": 2, "d/loss": 2.0}]
    log.write(keep=1)
    assert len(rows(tmp_path)) == 2
    log.write()
    assert rows(tmp_path)[2:] == [{"step": 3, "d/loss": 3.0}]


@pytest.fixture
def now(monkeypatch):
    """Return a function that sets the clock to a fixed time in seconds."""

    def now(seconds):
        monkeypatch.setattr("time.perf_counter", lambda: seconds)

    now(100.0)
    return now


def test_the_time_of_a_step_is_measured_between_writes(open_log, now):
    log, _, _ = open_log()
    log.append(1, 2, losses(1.0, 2.0))
    log.append(3, 1, losses(3.0))
    now(106.0)
    log.write(keep=1)
    assert log.seconds_per_step == 3.0
    log.write(keep=1)  # this call has nothing to write
    assert log.seconds_per_step == 3.0
    now(107.0)
    log.write()
    assert log.seconds_per_step == 1.0


def test_a_call_that_compiles_is_excluded_from_the_time_of_a_step_and_the_rate(open_log, now, tmp_path):
    log, _, _ = open_log(batch_size=8)
    log.append(1, 1, losses(1.0))
    now(150.0)
    log.restart_clock()
    log.append(2, 4, losses(2.0, 2.0, 2.0, 2.0))
    now(154.0)
    log.write()
    log.write()  # flushes the rows of speed.jsonl
    assert log.seconds_per_step == 1.0
    assert rows(tmp_path, "speed.jsonl") == [{"step": 5, "examples_per_second": 8.0}]


def test_the_rate_counts_the_images_of_all_turns_and_members(open_log, now, tmp_path, experiment):
    game = experiment.game
    critic_first = dataclasses.replace(game, turns=(("d",),) * 3 + (("g",),))
    games_by_step = dataclasses.replace(experiment, game_at=lambda step: critic_first if step < 2 else game)
    log, run, _ = open_log(members=2, batch_size=8)
    run.experiment = games_by_step
    log.append(1, 2, {"d/loss": jnp.ones((3, 2))})  # steps with three turns of the critic
    log.append(3, 2, {"d/loss": jnp.ones((3, 2))})  # steps with one turn of the critic
    now(102.0)
    log.write()
    log.write()  # flushes the rows of speed.jsonl
    (row,) = rows(tmp_path, "speed.jsonl")
    assert row["examples_per_second"] == (2 * 3 + 2 * 1) * 8 * 2 / 2.0


def test_a_non_finite_loss_ends_the_run_after_writing_the_earlier_rows(open_log, tmp_path):
    log, _, diverged = open_log()
    log.append(1, 3, losses(1.0, np.nan, 3.0))
    with pytest.raises(Diverged, match=r"Training diverged at step 2: the metric 'loss' of player 'd' is nan\."):
        log.write()
    assert rows(tmp_path) == [{"step": 1, "d/loss": 1.0}] and diverged.indices == {0}


def test_a_diverged_member_is_written_as_null_from_then_on(open_log, tmp_path):
    log, _, diverged = open_log(members=2)
    log.append(1, 3, {"d/accuracy_real": jnp.array([[0.5, 0.5], [0.5, np.nan], [0.25, 0.0]])})
    log.write()
    assert [row["d/accuracy_real"] for row in rows(tmp_path)] == [[0.5, 0.5], [0.5, None], [0.25, None]]
    assert diverged.indices == {1}


def test_a_resumed_run_reads_the_diverged_members_and_removes_later_rows(open_log, tmp_path):
    log, _, _ = open_log(members=2)
    log.append(1, 3, {"d/loss": jnp.array([[1.0, np.nan], [2.0, 2.0], [3.0, 3.0]])})
    log.write()
    _, _, diverged = open_log(start=2, members=2)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2] and diverged.indices == {1}


def test_a_probed_step_is_written_to_the_diagnosis(open_log, tmp_path, experiment, monkeypatch):
    monkeypatch.setattr(diagnostics, "PROBE_EVERY", 2)
    log, run, _ = open_log()
    state = run.init(run.keys)
    for step in (1, 2, 3):
        log.append(step, 1, losses(float(step)))
        log.probe(state, step)
    log.write()
    (found,) = rows(tmp_path, "diagnosis.jsonl")
    assert found["step"] == 2 and found["d/loss"] == 1.5 and found["diversity"] > 0


def test_a_private_run_is_not_probed(open_log, tmp_path, monkeypatch):
    monkeypatch.setattr(diagnostics, "PROBE_EVERY", 1)
    log, run, _ = open_log(dp_noise_multiplier=1.0)
    log.append(1, 1, losses(1.0))
    log.probe(run.init(run.keys), 1)
    log.write()
    assert rows(tmp_path, "diagnosis.jsonl") == [] and len(rows(tmp_path)) == 1
