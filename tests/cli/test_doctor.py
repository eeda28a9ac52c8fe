"""The command ``doctor`` and the problems that it finds."""

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
    name_precision,
    product_error,
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
    product_error=2e-7,
    convolution_gflops=60.0,
    cache=Path("/somewhere"),
    environment={},
)

PROBLEMS = {
    "a package": (
        {"versions": {**HEALTHY.versions, "flax": "not installed"}},
        r"flax is not installed\. Run `pip install flax`\.",
    ),
    "jaxlib": ({"versions": {**HEALTHY.versions, "jaxlib": "0.9.2"}}, "The releases of jax and jaxlib differ"),
    "an unused GPU": ({"gpu_driver": True}, r"JAX uses the CPU\. Run `pip install 'jaxgan\[cuda\]'`\."),
    "a GPU that an environment variable disables": (
        {"gpu_driver": True, "environment": {"JAX_PLATFORMS": "cpu"}},
        r"JAX uses the CPU\. Unset JAX_PLATFORMS\.",
    ),
    "virtual devices": ({"devices": ("cpu",) * 8}, "JAX divides 2 cores into 8 virtual CPU devices"),
    "a flag that is overridden": (
        {"environment": {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}},
        "but JAX_NUM_CPU_DEVICES overrides it without a warning",
    ),
    "no compilation": ({"environment": {"JAX_DISABLE_JIT": "1"}}, "JAX_DISABLE_JIT is set, so JAX does not compile"),
    "checks of NaN": ({"environment": {"JAX_DEBUG_NANS": "True"}}, "JAX_DEBUG_NANS is set, so JAX checks every"),
    "64 bits": ({"environment": {"JAX_ENABLE_X64": "1"}}, "64-bit arrays take twice the time and memory"),
    "load": ({"load": 3.0}, r"The load is 3\.0 processes on 2 cores"),
    "a slow convolution": ({"convolution_gflops": 5.0}, "A convolution reaches only 5% of the speed of a matrix"),
    "no cache": ({"cache": None}, "Compiled programs are not stored"),
}


@pytest.mark.parametrize(("change", "message"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_problem_is_found_without_others(change, message):
    (problem,) = find_problems(dataclasses.replace(HEALTHY, **change))
    assert re.search(message, problem)


def test_a_healthy_machine_has_no_problems():
    assert find_problems(HEALTHY) == []


def test_collect_facts_describes_this_machine(monkeypatch):
    monkeypatch.setattr(doctor, "product_gflops", lambda: 3.0)
    monkeypatch.setattr(doctor, "convolution_gflops", lambda *_, **__: 2.0)
    monkeypatch.setenv("JAX_DEBUG_NANS", "1")
    facts = collect_facts()
    assert (facts.platform, len(facts.devices)) == ("cpu", 8)
    assert facts.versions["jaxgan"] == jaxgan.__version__ and facts.versions["jax"] == jax.__version__
    assert facts.environment["JAX_DEBUG_NANS"] == "1"
    assert (facts.product_gflops, facts.convolution_gflops) == (3.0, 2.0)


def test_speeds_are_operations_per_second(monkeypatch):
    """Each call takes a fixed time here, so the speed is the number of operations divided by that time."""
    monkeypatch.setattr(time, "perf_counter", itertools.count(step=0.25).__next__)
    assert product_gflops(10) == pytest.approx(2 * 10**3 / 0.25 / 1e9)
    # Two images of 4 x 4 become 2 x 2: each of the 2 * 2 * 2 * 5 outputs is a sum of 3 * 3 * 3 products.
    expected = 2 * (2 * 2 * 2 * 5) * (3 * 3 * 3) / 0.25 / 1e9
    assert convolution_gflops((2, 4, 4, 3), kernel=3, stride=2, features=5) == pytest.approx(expected)


def test_the_error_of_a_product_shows_its_precision(monkeypatch):
    assert product_error(size=64) == product_error("highest", 64) < 1e-6  # on a CPU

    def rounded_product(bits):
        def matmul(a, b, precision):
            return doctor.jnp.dot(*(jax.lax.reduce_precision(doctor.jnp.array(x), 8, bits) for x in (a, b)))

        return matmul

    for bits, name in {23: "float32", 10: "TF32", 7: "bfloat16"}.items():  # bits of the mantissa
        monkeypatch.setattr(doctor.jnp, "matmul", rounded_product(bits))
        assert name_precision(product_error()) == name


@pytest.mark.integration
def test_the_command_prints_facts_and_problems():
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run([sys.executable, "-m", "jaxgan", "doctor"], env=environment, capture_output=True, text=True)
    for message in (
        "versions    jaxgan ",
        "devices     8 x cpu (cpu)",
        "product ",
        "GFLOP/s",
        "--matmul-precision default, the default: float32\n",
        "--penalty-precision highest",
        "cache ",
    ):
        assert message in done.stdout, done.stdout + done.stderr
    # The eight devices of the tests are a problem on a machine with fewer than eight cores.
    if len(os.sched_getaffinity(0)) < 8:
        assert "virtual CPU devices" in done.stdout
        assert done.returncode == 1
    wrong = subprocess.run([sys.executable, "-m", "jaxgan", "docter"], capture_output=True, text=True)
    assert (wrong.returncode, "Did you mean `jaxgan doctor`?" in wrong.stderr) == (2, True)
