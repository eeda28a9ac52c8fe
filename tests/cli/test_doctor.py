"""The doctor: what it complains of, and that it runs as a command."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgan.cli.doctor import PACKAGES, Facts, complaints

WELL = Facts(
    versions={**dict.fromkeys(PACKAGES, "1.0.0"), "jax": "0.10.2", "jaxlib": "0.10.1"},
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

ILL = {
    "a package": ({"versions": {**WELL.versions, "flax": "not installed"}}, "flax is not installed: pip install flax"),
    "jaxlib": ({"versions": {**WELL.versions, "jaxlib": "0.9.2"}}, "of different releases"),
    "an idle GPU": ({"gpu_driver": True}, r"JAX runs on the CPU: pip install 'jaxgan\[cuda\]'"),
    "a GPU that is told to be": (
        {"gpu_driver": True, "environment": {"JAX_PLATFORMS": "cpu"}},
        "JAX runs on the CPU: unset JAX_PLATFORMS",
    ),
    "virtual devices": ({"devices": ("cpu",) * 8}, "8 virtual CPU devices share 2 cores"),
    "a flag that is overridden": (
        {"environment": {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}},
        "overrides it without a word",
    ),
    "no compilation": ({"environment": {"JAX_DISABLE_JIT": "1"}}, "JAX_DISABLE_JIT is set, and nothing is compiled"),
    "checks of NaN": ({"environment": {"JAX_DEBUG_NANS": "True"}}, "JAX_DEBUG_NANS is set, and every operation"),
    "64 bits": ({"environment": {"JAX_ENABLE_X64": "1"}}, "takes twice the time and memory"),
    "load": ({"load": 3.0}, "3.0 processes want 2 cores"),
    "a slow convolution": ({"convolution_gflops": 5.0}, "a convolution reaches 5% of a matrix product's speed"),
    "no cache": ({"cache": None}, "compiled programs are not kept"),
}


@pytest.mark.parametrize(("change", "told"), ILL.values(), ids=ILL.keys())
def test_each_ill_is_told_alone_with_its_mend(change, told):
    (complaint,) = complaints(dataclasses.replace(WELL, **change))
    with pytest.raises(ValueError, match=told):
        raise ValueError(complaint)


def test_one_who_is_well_is_told_nothing():
    assert complaints(WELL) == []


def test_it_is_a_command():
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run([sys.executable, "-m", "jaxgan", "doctor"], env=environment, capture_output=True, text=True)
    for told in ("versions    jaxgan ", "devices     8 x cpu (cpu)", "product ", "GFLOP/s", "compiled "):
        assert told in done.stdout, done.stdout + done.stderr
    # The tests' own environment is one that it complains of, on fewer than eight cores.
    if len(os.sched_getaffinity(0)) < 8:
        assert "virtual CPU devices share" in done.stdout
        assert done.returncode == 1
    wrong = subprocess.run([sys.executable, "-m", "jaxgan", "docter"], capture_output=True, text=True)
    assert (wrong.returncode, "invalid choice: 'docter'" in wrong.stderr) == (2, True)
