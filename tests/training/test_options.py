"""Tests of the checks of a run's options."""

import pytest

from jaxgan.training.options import RunOptions


def test_the_defaults_are_valid():
    RunOptions().check()
    RunOptions(evaluate_every=10, metrics=("fid",), features="classifier", evaluate_count=2, profile=3).check()
    RunOptions(coordinator="auto", num_processes=2, process_id=0).check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint_every": 0}, "`checkpoint_every` must be at least 1, got 0."),
        ({"sample_every": -1}, "`sample_every` must be at least 1, got -1."),
        ({"evaluate_every": 0}, "`evaluate_every` must be at least 1, got 0."),
        ({"metrics": ("fid",)}, "`metrics` has no effect without evaluations. Pass `evaluate_every` too."),
        ({"weights": "a.pth"}, "`weights` has no effect without evaluations"),
        ({"evaluate_every": 1, "evaluate_count": 1}, "`evaluate_count` must be at least 2, got 1."),
        ({"profile": -1}, "`profile` must be at least 0, got -1."),
        ({"run_dir": ""}, "`run_dir` must not be empty"),
        ({"process_id": 0}, "`num_processes` and `process_id` require `coordinator`"),
        ({"num_processes": 2}, "`num_processes` and `process_id` require `coordinator`"),
    ],
)
def test_check_names_the_invalid_option(options, message):
    with pytest.raises(ValueError) as error:
        RunOptions(**options).check()
    assert message in str(error.value)
