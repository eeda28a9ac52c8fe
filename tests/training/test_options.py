"""Tests of the checks of a run's options."""

import pytest

from jaxgan.training.options import RunOptions


def test_the_defaults_are_valid():
    RunOptions().check()
    RunOptions(evaluate_every=10, metrics=("fid",), features="classifier", evaluate_count=2, profile=3).check()
    RunOptions(coordinator="auto", num_processes=2, process_id=0, parallel="shard_map").check()


HOSTS = {"coordinator": "node1:8476", "num_processes": 2, "process_id": 0, "parallel": "shard_map"}


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
        ({"readers": 0}, "`readers` must be at least 1, got 0."),
        ({"image_cache": -1.0}, "`image_cache` must be at least 0, got -1."),
        ({"image_cache": float("nan")}, "`image_cache` must be at least 0, got nan."),
        ({"run_dir": ""}, "`run_dir` must not be empty"),
        ({"process_id": 0}, "`num_processes` and `process_id` require `coordinator`"),
        ({"num_processes": 2}, "`num_processes` and `process_id` require `coordinator`"),
        (
            {"coordinator": ""},
            "`coordinator` must be host:port with a port between 1 and 65535, such as node1:8476, got",
        ),
        ({"coordinator": "node1"}, "`coordinator` must be host:port"),
        ({"coordinator": "node1:99999"}, "`coordinator` must be host:port"),
        ({**HOSTS, "num_processes": 0}, "`num_processes` must be at least 1, got 0."),
        ({**HOSTS, "num_processes": -2}, "`num_processes` must be at least 1, got -2."),
        ({**HOSTS, "process_id": 2}, "`process_id` must be between 0 and 1, got 2."),
        ({**HOSTS, "process_id": -1}, "`process_id` must be between 0 and 1, got -1."),
        ({**HOSTS, "num_processes": None, "process_id": -1}, "`process_id` must be at least 0, got -1."),
        ({**HOSTS, "parallel": "pmap"}, "`parallel` must be shard_map for a run on several hosts, got pmap."),
    ],
)
def test_check_names_the_invalid_option(options, message):
    with pytest.raises(ValueError) as error:
        RunOptions(**options).check()
    assert message in str(error.value)


def test_options_of_several_hosts_are_accepted():
    for more in ({}, {"process_id": 1}, {"coordinator": "auto", "num_processes": None, "process_id": None}):
        RunOptions(**{**HOSTS, **more}).check()
