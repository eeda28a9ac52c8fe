"""The profiler traces the steps that it is asked for, and nothing else; tests/cli runs it for real."""

import jax
import pytest

from jaxgan.training.profiler import StepProfiler


@pytest.fixture
def calls(monkeypatch):
    """What happens, in order."""
    names = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: names.append(f"start {folder.name}"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: names.append("stop"))
    return names


def test_it_waits_before_both_ends(calls, tmp_path):
    profiler = StepProfiler(tmp_path / "profile", range(10, 15), lambda: calls.append("wait"), calls.append)
    for step, count in ((0, 10), (10, 3), (13, 2), (15, 5)):
        with profiler.around(step, count):
            calls.append(f"steps {step + 1} to {step + count}")
    profiler.close()
    assert calls == [
        "steps 1 to 10",
        "wait",
        "start profile",
        "steps 11 to 13",
        "steps 14 to 15",
        "wait",
        "stop",
        f"profile in {tmp_path / 'profile'}",
        "steps 16 to 20",
    ]


def test_a_run_that_ends_early_ends_its_trace(calls, tmp_path):
    profiler = StepProfiler(tmp_path, range(0, 5), lambda: None, lambda text: None)
    with profiler.around(0, 2):
        pass
    assert calls == [f"start {tmp_path.name}"]
    profiler.close()
    profiler.close()
    assert calls == [f"start {tmp_path.name}", "stop"]


def test_nothing_is_traced_without_steps_to_trace(calls, tmp_path):
    profiler = StepProfiler(tmp_path, range(10, 10), lambda: None, lambda text: None)
    with profiler.around(10, 2):
        pass
    profiler.close()
    assert calls == []
