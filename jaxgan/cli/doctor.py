"""The command ``jaxgan doctor``: print the versions, the devices and their speed, and how to fix problems."""

import argparse
import dataclasses
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.cli import cache
from jaxgan.core import extras, system
from jaxgan.core.text import say
from jaxgan.nn import convolution
from jaxgan.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")
# Environment variables that slow down training, each with its effect.
SLOW = {"JAX_DISABLE_JIT": "JAX does not compile functions", "JAX_DEBUG_NANS": "JAX checks every operation for NaN"}
# Speed of a convolution, as a fraction of the speed of a matrix product. A slower convolution is reported as a problem.
MIN_CONVOLUTION_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Facts:
    """The state of a machine and of its JAX installation.

    Attributes:
      versions: dictionary from package names to versions; the version of a missing package is "not installed".
      platform: the platform of the devices: ``cpu``, ``gpu`` or ``tpu``.
      devices: the kind of each device.
      cores: number of CPU cores that this process may use.
      load: mean number of runnable processes during the last minute; None if the system does not report it.
      gpu_driver: whether the driver of an NVIDIA GPU is installed. Even then, JAX may use the CPU.
      product_gflops: speed of a float32 product of two 2048 x 2048 matrices, in GFLOP/s.
      product_error: relative error of a float32 product with the setting ``matmul_precision`` default, from
        ``product_error``.
      convolution_gflops: speed of a float32 4 x 4 convolution with stride 2, as in DCGAN, in GFLOP/s.
      cache: the directory of compiled programs; None if compiled programs are not stored.
      environment: the environment variables that JAX and XLA read, as a dictionary from names to values.
    """

    versions: Mapping[str, str]
    platform: str
    devices: tuple[str, ...]
    cores: int
    load: float | None
    gpu_driver: bool
    product_gflops: float
    product_error: float
    convolution_gflops: float
    cache: Path | None
    environment: Mapping[str, str]


def collect_facts() -> Facts:
    """Examine this machine. This takes several seconds, because the speed of the device is measured."""
    packages = {package: _version(package) for package in PACKAGES}
    return Facts(
        versions={"jaxgan": __version__, "python": platform.python_version(), **packages},
        platform=jax.default_backend(),
        devices=tuple(device.device_kind for device in jax.devices()),
        cores=system.cores(),
        load=system.load_average(),
        gpu_driver=Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists(),
        product_gflops=product_gflops(),
        product_error=product_error(),
        convolution_gflops=convolution_gflops((64, 16, 16, 64), kernel=4, stride=2, features=128),
        cache=cache.enable_compilation_cache(),
        environment={k: v for k, v in os.environ.items() if k.startswith(("JAX_", "XLA_"))},
    )


def find_problems(facts: Facts) -> list[str]:
    """Return a description of each problem of a machine and of how to fix it. Without problems, the list is empty.

    Args:
      facts: the facts about the machine, as ``collect_facts`` returns them.
    """
    problems = [*_problems_of_packages(facts), *_problems_of_environment(facts)]
    if facts.platform == "cpu" and facts.gpu_driver:
        is_chosen = "cpu" in facts.environment.get("JAX_PLATFORMS", "")
        fix = "Unset JAX_PLATFORMS" if is_chosen else f"Run `{extras.pip_install('cuda')}`"
        problems.append(f"A GPU driver is installed, but JAX uses the CPU. {fix}.")
    if facts.platform == "cpu" and len(facts.devices) > facts.cores:
        problems.append(
            f"JAX divides {facts.cores} cores into {len(facts.devices)} virtual CPU devices, which is only useful for "
            "tests. Unset JAX_NUM_CPU_DEVICES to train."
        )
    if facts.load is not None and facts.load > facts.cores + 0.5:
        problems.append(
            f"The load is {facts.load:.1f} processes on {facts.cores} cores, so training is slowed down and the speeds "
            "above are too low. Stop other processes, or wait until they end."
        )
    if facts.convolution_gflops < MIN_CONVOLUTION_SHARE * facts.product_gflops:
        problems.append(
            f"A convolution reaches only {facts.convolution_gflops / facts.product_gflops:.0%} of the speed of a "
            "matrix product. Please report the output of `python -m experiments.benchmarks.convolution`."
        )
    if facts.cache is None:
        problems.append(
            "Compiled programs are not stored, so each command compiles them again. Make "
            f"{cache.compilation_directory()} writable, or set JAX_COMPILATION_CACHE_DIR to another directory."
        )
    return problems


def _problems_of_packages(facts: Facts) -> list[str]:
    problems = [
        f"{package} is not installed. Run `pip install {package}`."
        for package, version in facts.versions.items()
        if version == "not installed"
    ]
    jax_release, jaxlib_release = (facts.versions.get(p, "").split(".")[:2] for p in ("jax", "jaxlib"))
    if jax_release != jaxlib_release:
        problems.append("The releases of jax and jaxlib differ. Run `pip install --upgrade jax jaxlib`.")
    return problems


def _problems_of_environment(facts: Facts) -> list[str]:
    environment, problems = facts.environment, []
    if "xla_force_host_platform_device_count" in environment.get("XLA_FLAGS", ""):
        problems.append(
            "XLA_FLAGS sets the number of CPU devices, but JAX_NUM_CPU_DEVICES overrides it without a warning. Leave "
            "the number out of XLA_FLAGS, and set only JAX_NUM_CPU_DEVICES."
        )
    for name, effect in SLOW.items():
        if _is_on(environment, name):
            problems.append(f"{name} is set, so {effect}. Unset it to train.")
    if _is_on(environment, "JAX_ENABLE_X64"):
        problems.append("JAX_ENABLE_X64 is set, so 64-bit arrays take twice the time and memory. Unset it.")
    return problems


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true")


def main(args: argparse.Namespace | None = None) -> int:
    """Print the facts and the problems, and return the exit code: 1 if there are problems, otherwise 0.

    Args:
      args: the parsed arguments, which are not used, because the command has no arguments.
    """
    facts = collect_facts()
    say("versions    " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()))
    load = "" if facts.load is None else f", load {facts.load:.1f}"
    say(f"devices     {system.hardware()} ({facts.platform}), {facts.cores} cores{load}")
    say(f"product     {facts.product_gflops:,.0f} GFLOP/s for a float32 product of 2048 x 2048 matrices")
    say(
        f"precision   float32 products have a relative error of {facts.product_error:.0e} with --matmul-precision "
        f"default, the default: {name_precision(facts.product_error)}"
    )
    say("precision   R1, R2, gradient penalties and path lengths use --penalty-precision highest, the default: float32")
    say(
        f"convolution {facts.convolution_gflops:,.0f} GFLOP/s for a float32 4 x 4 convolution with stride 2, from 64 "
        "to 128 channels"
    )
    if facts.cache:
        files = sum(1 for path in facts.cache.iterdir() if path.is_file()) if facts.cache.exists() else 0
        say(f"cache       {files} files of compiled programs in {facts.cache}")
    else:
        say("cache       none")
    for name, value in sorted(facts.environment.items()):
        say(f"environment {name}={value}")
    problems = find_problems(facts)
    for problem in problems:
        say(f"problem     {problem}")
    if not problems:
        say("No problems were found.")
    return 1 if problems else 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def product_gflops(size: int = 2048) -> float:
    """Return the speed of a float32 product of ``size`` x ``size`` matrices on this machine, in GFLOP/s."""
    return _measure_gflops(lambda a: a @ a, (jnp.ones((size, size)),), 2 * size**3)


def product_error(precision: str | None = None, size: int = 512) -> float:
    """Return the relative error of a float32 product of two ``size`` x ``size`` matrices of normal random numbers.

    The error is the norm of the difference from the product in float64, divided by the norm of the product.

    Args:
      precision: JAX's name of the precision of the product. By default, the precision that JAX is configured to use.
      size: the number of rows and of columns.
    """
    a, b = np.random.default_rng(0).normal(size=(2, size, size)).astype(np.float32)
    found = np.asarray(jnp.matmul(a, b, precision=precision), np.float64)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def name_precision(error: float) -> str:
    """Return the type to which a device rounds the numbers of a float32 product: float32, TF32 or bfloat16.

    >>> name_precision(2e-7), name_precision(3e-4), name_precision(2e-3)
    ('float32', 'TF32', 'bfloat16')

    Args:
      error: the relative error of a product, from ``product_error``.
    """
    # Rounding to the 24, 11 and 8 significant bits of the three types results in errors of about 3e-7, 3e-4 and 2e-3.
    return "float32" if error < 1e-5 else "TF32" if error < 1e-3 else "bfloat16"


def convolution_gflops(shape: tuple[int, ...], kernel: int, stride: int, features: int) -> float:
    """Return the speed of ``convolution.conv`` for float32 images of this shape, [B, *space, C], in GFLOP/s.

    Args:
      shape: the shape of the images, [B, *space, C].
      kernel: the size of the kernel in each dimension.
      stride: the stride in each dimension.
      features: the number of channels of the output.
    """
    batch, *space, channels = shape
    g = convolution.same(tuple(space), (kernel,) * len(space), stride)
    x, w = jnp.ones(shape), jnp.ones((*g.kernel, channels, features))
    flops = 2 * batch * math.prod(g.small) * math.prod(g.kernel) * channels * features
    return _measure_gflops(lambda x, w: convolution.conv(g, x, w), (x, w), flops)


def _measure_gflops(f: Callable, arguments: tuple, flops: int) -> float:
    """Return the median speed of a function over one second of calls, in GFLOP/s.

    Args:
      f: the function, which is compiled before the measurement.
      arguments: the arguments of each call.
      flops: number of floating-point operations in one call.
    """
    f = jax.jit(f)
    f(*arguments).block_until_ready()
    times, end = [], time.perf_counter() + 1
    while time.perf_counter() < end:
        started = time.perf_counter()
        f(*arguments).block_until_ready()
        times.append(time.perf_counter() - started)
    return flops / float(np.median(times)) / 1e9
