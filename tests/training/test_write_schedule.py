"""Tests of the schedule of a run's outputs, and of the number of steps in a call."""

import pytest

from jaxgan.training.options import RunOptions
from jaxgan.training.write_schedule import MAX_CALL_SECONDS, METRICS_EVERY, Due, WriteSchedule

FAST = 1e-9  # seconds per step


def schedule(steps=1000, start=0, max_steps_per_call=10, game_at=lambda step: "game", **options):
    return WriteSchedule(steps, start, RunOptions(**options), max_steps_per_call, game_at)


def test_outputs_are_due_at_their_intervals_and_after_the_last_step():
    one = schedule(sample_every=30, checkpoint_every=40, evaluate_every=70)
    assert one.due(7) == Due(metrics=False, samples=False, checkpoint=False)
    assert one.due(METRICS_EVERY) == Due(metrics=True, samples=False, checkpoint=False)
    assert one.due(90) == Due(metrics=True, samples=True, checkpoint=False)
    assert one.due(40) == Due(metrics=True, samples=False, checkpoint=True)
    assert one.due(70) == Due(metrics=True, samples=False, checkpoint=True)
    assert one.due(1000) == Due(metrics=True, samples=True, checkpoint=True)


def test_metrics_are_due_whenever_samples_or_checkpoints_are():
    assert schedule(sample_every=7).due(7) == Due(metrics=True, samples=True, checkpoint=False)
    assert schedule(checkpoint_every=7).due(7) == Due(metrics=True, samples=False, checkpoint=True)


def test_the_last_step_is_evaluated_only_if_the_interval_divides_it():
    assert not schedule().is_evaluated(1000)
    assert not schedule(evaluate_every=300).is_evaluated(1000)
    assert schedule(evaluate_every=500).is_evaluated(1000)


@pytest.mark.parametrize(
    ("options", "step", "count"),
    [
        ({}, 0, 10),
        ({}, 4, METRICS_EVERY - 4),
        ({"max_steps_per_call": 3}, 0, 3),
        ({"sample_every": 6}, 5, 1),
        ({"checkpoint_every": 7}, 0, 7),
        ({"evaluate_every": 9}, 14, 4),
        ({"steps": 23}, 20, 3),
        ({"start": 5, "profile": 4}, 10, 5),  # the first profiled step begins after 15
        ({"start": 5, "profile": 4}, 15, 4),
        ({"start": 5, "profile": 4}, 19, 1),
        ({"game_at": lambda step: "warm" if step < 3 else "usual"}, 0, 3),
        ({"game_at": lambda step: "warm" if step < 3 else "usual"}, 3, 7),
    ],
)
def test_a_call_ends_when_an_output_is_due(options, step, count):
    assert schedule(**options).next_call(step, FAST) == count


def test_a_call_takes_few_steps_if_steps_are_slow():
    assert schedule().next_call(0, MAX_CALL_SECONDS / 3.5) == 3
    assert schedule().next_call(0, 100.0) == 1


def test_steps_are_profiled_after_the_first_call():
    assert not schedule().profiled
    assert schedule(start=20, profile=5).profiled == range(20 + METRICS_EVERY, 25 + METRICS_EVERY)
