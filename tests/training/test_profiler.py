"""Tests of the range of steps that the profiler traces. tests/cli has a test that writes a real trace."""

import jax
import pytest

from jaxgan.training.profiler import StepProfiler


@pytest.fixture
def calls(monkeypatch):
    """A list that records the calls to ``jax.profiler``, which are replaced."""
    names = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: names.append(f"start {folder.name}"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: names.append("stop"))
    return names


def test_it_waits_for_the_devices_before_the_trace_begins_and_ends(calls, tmp_path):
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
        f"profile: {tmp_path / 'profile'}",
        "steps 16 to 20",
    ]


def test_close_ends_a_trace_in_progress(calls, tmp_path):
    profiler = StepProfiler(tmp_path, range(0, 5), lambda: None, lambda text: None)
    with profiler.around(0, 2):
        pass
    assert calls == [f"start {tmp_path.name}"]
    profiler.close()
    profiler.close()
    assert calls == [f"start {tmp_path.name}", "stop"]


def test_an_empty_range_traces_nothing(calls, tmp_path):
    profiler = StepProfiler(tmp_path, range(10, 10), lambda: None, lambda text: None)
    with profiler.around(10, 2):
        pass
    profiler.close()
    assert calls == []
