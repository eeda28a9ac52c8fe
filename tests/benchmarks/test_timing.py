"""The timing functions of the benchmarks, tested with a simulated clock and a small program in place of a benchmark."""

import json
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import games

from experiments.benchmarks import paired, processes, worker


@pytest.fixture
def clock(monkeypatch):
    """A simulated clock; tests advance it by adding seconds to ``now``."""
    clock = types.SimpleNamespace(now=0.0)
    for module in (paired, worker):
        monkeypatch.setattr(module.time, "perf_counter", lambda: clock.now)
    return clock


def test_call_timer_warms_up_and_divides_by_the_number_of_steps(clock):
    calls = []

    def call(state, i):
        clock.now += 6.0
        calls.append((state, i))
        return state + 1, jnp.zeros(())

    timer = paired.call_timer(call, 0, calls=2, steps=8)
    warmup = len(calls)
    assert warmup == 3 * 2
    assert timer() == 2 * 6.0 / 8
    assert calls[warmup:] == [(6, 0), (7, 1)]  # each call continues with the state of the previous call


def test_step_timer_times_a_game():
    timer = paired.step_timer(games.points_game(), games.points(8))
    seconds = [timer() for _ in range(3)]
    assert all(0 < s < 10 for s in seconds)


def test_a_race_compares_with_the_first_form_within_rounds(capsys):
    order = []

    def timer(name, times):
        def run():
            order.append(name)
            return times[order.count(name) - 1]

        return run

    # The machine becomes ten times slower from round to round. The ratio within each round stays the same.
    paired.race({"ours": timer("ours", [0.001, 0.01, 0.1]), "plain": timer("plain", [0.002, 0.02, 0.2])}, rounds=3)
    assert order == ["plain", "ours", "ours", "plain", "plain", "ours"]
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if "plain" in line and "20.00" in line)
    assert "2.00" in row and "0.500" in row


def test_steady_ms_is_the_median_of_blocks(clock):
    def run(count):
        clock.now += count * (0.005 if clock.now < 1 else 0.002)  # the first second is slow

    assert worker.steady_ms(run, 10.0) == pytest.approx(2.0)


def test_record_gradients_descends_and_stores_the_gradient():
    optimizer = worker.record_gradients(0.1)
    params = {"a": np.ones(2, np.float32)}
    state = optimizer.init(params)
    np.testing.assert_array_equal(state["a"], 0)
    gradients = {"a": np.array([3.0, -4.0], np.float32)}
    updates, state = optimizer.update(gradients, state, params)
    np.testing.assert_allclose(updates["a"], [-0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(state["a"], gradients["a"])


FORMS = {"jaxgan": ("one", "ten"), "torch": ("eager", "compiled")}
MS = {"one": 4.0, "ten": 2.0, "eager": 6.0, "compiled": 8.0}


def test_run_race_times_the_fastest_forms_in_alternating_order(capsys):
    runs = []

    def run(side, form, seconds):
        runs.append((side, form, seconds))
        return {"ms": MS[form]}

    race = processes.run_race(run, FORMS, pairs=2, seconds=5.0)
    assert isinstance(race, processes.Race)
    assert race.best == {"jaxgan": "ten", "torch": "eager"}
    assert race.forms["jaxgan"] == {"one": 4.0, "ten": 2.0}
    assert race.ratio == (3.0, 3.0, 3.0)
    assert [(side, seconds) for side, _, seconds in runs[4:]] == [
        *(("jaxgan", 5.0), ("torch", 5.0)),
        *(("torch", 5.0), ("jaxgan", 5.0)),
    ]
    assert {seconds for _, _, seconds in runs[:4]} == {2.0}  # each form is tried for two seconds
    assert "pair 2: jaxgan 2.00 ms, PyTorch 6.00 ms, PyTorch / jaxgan 3.00" in capsys.readouterr().out
    assert set(race.pairs[0]) == set(processes.SIDES)
    assert processes.median(race.pairs, "torch", "ms") == 6.0
    assert processes.median([{"torch": {"mb": None}}], "torch", "mb") is None


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Creates a program ``two_sides`` that prints results as a benchmark with two sides does."""
    (tmp_path / "two_sides.py").write_text(f"""
import json, sys
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if flags.get("--fail"):
    sys.exit("RuntimeError: no such thing")
print("something else")
print(json.dumps({{"difference": 1e-6}} if flags["--side"] == "agree" else {{"ms": {MS}[flags["--form"]]}}))
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("program")
def test_run_program_reads_the_last_line():
    assert processes.run_program("two_sides", "--side", "jaxgan", "--form", "one") == {"ms": 4.0}
    with pytest.raises(RuntimeError, match="no such thing"):
        processes.run_program("two_sides", "--fail", "yes")


@pytest.mark.usefixtures("program")
def test_race_implementations_times_only_sides_that_agree(capsys):
    race = processes.race_implementations("two_sides", ["--size", "8"], FORMS, 1e-5, pairs=1, seconds=1.0)
    assert race.best == {"jaxgan": "ten", "torch": "eager"}
    assert race.ratio[0] == 3.0
    assert "The results of the two sides agree to 1.0e-06." in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"The results of the two sides differ by 1\.0e-06, more than 1e-07\."):
        processes.race_implementations("two_sides", [], FORMS, 1e-7, pairs=1, seconds=1.0)


def test_check_form():
    processes.check_form("", "torch", FORMS)
    processes.check_form("eager", "torch", FORMS)
    with pytest.raises(SystemExit, match=r"With --side torch, --form must be one of 'eager', 'compiled', got 'ten'\."):
        processes.check_form("ten", "torch", FORMS)
    with pytest.raises(SystemExit, match=r"--side agree has no forms, got --form 'ten'\. Remove --form\."):
        processes.check_form("ten", "agree", FORMS)


def test_format_race(monkeypatch):
    monkeypatch.setattr(processes.metadata, "version", lambda name: f"{name}1")
    pairs = [{"jaxgan": {"ms": 2.0}, "torch": {"ms": 6.0}}] * 2
    race = processes.Race({}, {"jaxgan": "ten", "torch": "eager"}, pairs, (3.0, 2.5, 3.5))
    lines = processes.format_race("a game", race, "image").splitlines()
    assert lines[0] == f"{processes.describe_hardware()}; {processes.describe_versions()}; 2 pairs."
    assert "torch torch1" in processes.describe_versions()
    assert lines[-1] == "| a game | **3.00** | 2.50 to 3.50 | 2 | 6 | eager |"
    assert "jaxgan, ms per image" in lines[2]
    assert json.dumps(jax.devices()[0].platform)[1:-1] in processes.describe_hardware()
