"""The doctor: the problems that it finds, and that it runs as a command."""

import dataclasses
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

import jaxgan
from jaxgan.cli import doctor
from jaxgan.cli.doctor import (
    PACKAGES,
    Facts,
    collect_facts,
    convolution_gflops,
    find_problems,
    product_gflops,
)

HEALTHY = Facts(
    versions={package: {"jax": "0.10.2", "jaxlib": "0.10.1"}.get(package, "1.0.0") for package in PACKAGES},
    platform="cpu",
    devices=("cpu",),
    cores=2,
    load=0.3,
    gpu_driver=False,
    product_gflops=100.0,
    convolution_gflops=60.0,
    cache=Path("/somewhere"),
    environment={},
)

PROBLEMS = {
    "a package": (
        {"versions": {**HEALTHY.versions, "flax": "not installed"}},
        "flax is not installed: pip install flax",
    ),
    "jaxlib": ({"versions": {**HEALTHY.versions, "jaxlib": "0.9.2"}}, "of different releases"),
    "an idle GPU": ({"gpu_driver": True}, r"JAX runs on the CPU: pip install 'jaxgan\[cuda\]'"),
    "a GPU that is told to be": (
        {"gpu_driver": True, "environment": {"JAX_PLATFORMS": "cpu"}},
        "JAX runs on the CPU: unset JAX_PLATFORMS",
    ),
    "virtual devices": ({"devices": ("cpu",) * 8}, "8 virtual CPU devices share 2 cores"),
    "a flag that is overridden": (
        {"environment": {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}},
        "but JAX_NUM_CPU_DEVICES overrides it silently",
    ),
    "no compilation": ({"environment": {"JAX_DISABLE_JIT": "1"}}, "JAX_DISABLE_JIT is set, so nothing is compiled"),
    "checks of NaN": ({"environment": {"JAX_DEBUG_NANS": "True"}}, "JAX_DEBUG_NANS is set, so every operation"),
    "64 bits": ({"environment": {"JAX_ENABLE_X64": "1"}}, "64-bit arrays take twice the time and memory"),
    "load": ({"load": 3.0}, "3.0 processes want 2 cores"),
    "a slow convolution": ({"convolution_gflops": 5.0}, "a convolution reaches 5% of a matrix product's speed"),
    "no cache": ({"cache": None}, "compiled programs are not kept"),
}


@pytest.mark.parametrize(("change", "message"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_problem_is_found_alone(change, message):
    (problem,) = find_problems(dataclasses.replace(HEALTHY, **change))
    assert re.search(message, problem)


def test_a_healthy_machine_has_no_problems():
    assert find_problems(HEALTHY) == []


def test_facts_are_of_this_machine(monkeypatch):
    monkeypatch.setattr(doctor, "product_gflops", lambda: 3.0)
    monkeypatch.setattr(doctor, "convolution_gflops", lambda *_, **__: 2.0)
    monkeypatch.setenv("JAX_DEBUG_NANS", "1")
    facts = collect_facts()
    assert (facts.platform, len(facts.devices)) == ("cpu", 8)
    assert facts.versions["jaxgan"] == jaxgan.__version__ and facts.versions["jax"] == jax.__version__
    assert facts.environment["JAX_DEBUG_NANS"] == "1"
    assert (facts.product_gflops, facts.convolution_gflops) == (3.0, 2.0)


def test_speeds_are_counted_in_operations(monkeypatch):
    """A call takes a fixed time here, so the speed is the number of operations, counted by hand, by that time."""
    monkeypatch.setattr(time, "perf_counter", itertools.count(step=0.25).__next__)
    assert product_gflops(10) == pytest.approx(2 * 10**3 / 0.25 / 1e9)
    # Images of 4 x 4 to 2 x 2: each of 2 * 2 * 2 * 5 outputs sums 3 * 3 * 3 products.
    expected = 2 * (2 * 2 * 2 * 5) * (3 * 3 * 3) / 0.25 / 1e9
    assert convolution_gflops((2, 4, 4, 3), kernel=3, stride=2, features=5) == pytest.approx(expected)


@pytest.mark.integration
def test_it_is_a_command():
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run([sys.executable, "-m", "jaxgan", "doctor"], env=environment, capture_output=True, text=True)
    for message in ("versions    jaxgan ", "devices     8 x cpu (cpu)", "product ", "GFLOP/s", "compiled "):
        assert message in done.stdout, done.stdout + done.stderr
    # The tests' own environment is one that it complains of, on fewer than eight cores.
    if len(os.sched_getaffinity(0)) < 8:
        assert "virtual CPU devices share" in done.stdout
        assert done.returncode == 1
    wrong = subprocess.run([sys.executable, "-m", "jaxgan", "docter"], capture_output=True, text=True)
    assert (wrong.returncode, "did you mean jaxgan doctor?" in wrong.stderr) == (2, True)
