"""The command ``jaxgan doctor``: versions, devices and their speed, and problems of the machine, each with its mend."""

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
from rich.console import Console

from jaxgan.cli import cache
from jaxgan.core import extras, system
from jaxgan.nn import convolution
from jaxgan.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")
# Environment variables that slow training down.
SLOW = {"JAX_DISABLE_JIT": "nothing is compiled", "JAX_DEBUG_NANS": "every operation is checked"}
CONVOLUTION_SHARE = 0.1  # of a matrix product's speed; slower convolutions are reported


@dataclasses.dataclass(frozen=True)
class Facts:
    """The state of a machine and of its JAX.

    Attributes:
      versions: of packages, by name; "not installed" for one that is missing.
      platform: ``cpu``, ``gpu`` or ``tpu``.
      devices: the kind of each.
      cores: the number that this process may use.
      load: the mean number of processes that wanted a core during the last minute; None where the system does not say.
      gpu_driver: whether a GPU's driver is installed, whether or not JAX uses it.
      product_gflops: speed of a float32 matrix product of 2048 x 2048.
      convolution_gflops: speed of a float32 4 x 4 convolution of stride 2, as in DCGAN.
      cache: the directory of compiled programs; None if they are not kept.
      environment: the variables that JAX and XLA read.
    """

    versions: Mapping[str, str]
    platform: str
    devices: tuple[str, ...]
    cores: int
    load: float | None
    gpu_driver: bool
    product_gflops: float
    convolution_gflops: float
    cache: Path | None
    environment: Mapping[str, str]


def collect_facts() -> Facts:
    """Examine this machine, which takes some seconds."""
    packages = {package: _version(package) for package in PACKAGES}
    return Facts(
        versions={"jaxgan": __version__, "python": platform.python_version(), **packages},
        platform=jax.default_backend(),
        devices=tuple(device.device_kind for device in jax.devices()),
        cores=system.cores(),
        load=system.load_average(),
        gpu_driver=Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists(),
        product_gflops=product_gflops(),
        convolution_gflops=convolution_gflops((64, 16, 16, 64), kernel=4, stride=2, features=128),
        cache=cache.enable_compilation_cache(),
        environment={k: v for k, v in os.environ.items() if k.startswith(("JAX_", "XLA_"))},
    )


def find_problems(facts: Facts) -> list[str]:
    """What is wrong, each in a line with its mend; empty if all is well."""
    problems = [*_problems_of_packages(facts), *_problems_of_environment(facts)]
    if facts.platform == "cpu" and facts.gpu_driver:
        on_purpose = "cpu" in facts.environment.get("JAX_PLATFORMS", "")
        mend = "unset JAX_PLATFORMS" if on_purpose else extras.pip_install("cuda")
        problems.append(f"a GPU's driver is installed, but JAX runs on the CPU: {mend}")
    if facts.platform == "cpu" and len(facts.devices) > facts.cores:
        problems.append(
            f"{len(facts.devices)} virtual CPU devices share {facts.cores} cores, which is for tests: "
            "unset JAX_NUM_CPU_DEVICES to train"
        )
    if facts.load is not None and facts.load > facts.cores + 0.5:
        problems.append(
            f"{facts.load:.1f} processes want {facts.cores} cores, so times measured now are too long: "
            "wait for them, or stop them"
        )
    if facts.convolution_gflops < CONVOLUTION_SHARE * facts.product_gflops:
        problems.append(
            f"a convolution reaches {facts.convolution_gflops / facts.product_gflops:.0%} of a matrix product's speed: "
            "please report the times that python -m experiments.benchmarks.convolution prints"
        )
    if facts.cache is None:
        problems.append(
            "compiled programs are not kept, so every start compiles them again: "
            f"make {cache.compilation_directory()} writable, or name another place with JAX_COMPILATION_CACHE_DIR"
        )
    return problems


def _problems_of_packages(facts: Facts) -> list[str]:
    problems = [
        f"{package} is not installed: pip install {package}"
        for package, version in facts.versions.items()
        if version == "not installed"
    ]
    jax_release, jaxlib_release = (facts.versions.get(p, "").split(".")[:2] for p in ("jax", "jaxlib"))
    if jax_release != jaxlib_release:
        problems.append("jax and jaxlib are of different releases: pip install --upgrade jax jaxlib")
    return problems


def _problems_of_environment(facts: Facts) -> list[str]:
    environment, problems = facts.environment, []
    if "xla_force_host_platform_device_count" in environment.get("XLA_FLAGS", ""):
        problems.append("XLA_FLAGS asks for CPU devices, but JAX_NUM_CPU_DEVICES overrides it silently: use that alone")
    for name, effect in SLOW.items():
        if _is_on(environment, name):
            problems.append(f"{name} is set, so {effect}: unset it to train")
    if _is_on(environment, "JAX_ENABLE_X64"):
        problems.append("JAX_ENABLE_X64 is set, and 64-bit arrays take twice the time and memory: unset it")
    return problems


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true")


def main(args: argparse.Namespace | None = None) -> int:
    """Print the facts and the problems; the exit code, 1 if there are problems."""
    console = Console(highlight=False, soft_wrap=True)
    facts = collect_facts()
    console.print("versions    " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()))
    load = "" if facts.load is None else f", load {facts.load:.1f}"
    console.print(f"devices     {system.hardware()} ({facts.platform}), {facts.cores} cores{load}")
    console.print(f"product     {facts.product_gflops:,.0f} GFLOP/s, float32, 2048 x 2048")
    console.print(f"convolution {facts.convolution_gflops:,.0f} GFLOP/s, float32, 4 x 4, stride 2, 64 to 128 features")
    if facts.cache:
        files = sum(1 for path in facts.cache.iterdir() if path.is_file()) if facts.cache.exists() else 0
        console.print(f"compiled    {files} files in {facts.cache}")
    else:
        console.print("compiled    not kept")
    for name, value in sorted(facts.environment.items()):
        console.print(f"            {name}={value}", markup=False)
    problems = find_problems(facts)
    for problem in problems:
        console.print(f"wrong       {problem}", markup=False)
    if not problems:
        console.print("all is well")
    return 1 if problems else 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def product_gflops(size: int = 2048) -> float:
    """The speed of a float32 product of square matrices on this machine, in GFLOP/s."""
    return _measure_gflops(lambda a: a @ a, (jnp.ones((size, size)),), 2 * size**3)


def convolution_gflops(shape: tuple[int, ...], kernel: int, stride: int, features: int) -> float:
    """The speed of ``convolution.conv`` for float32 images of this shape, [B, *space, C], in GFLOP/s."""
    batch, *space, channels = shape
    g = convolution.same(tuple(space), (kernel,) * len(space), stride)
    x, w = jnp.ones(shape), jnp.ones((*g.kernel, channels, features))
    flops = 2 * batch * math.prod(g.small) * math.prod(g.kernel) * channels * features
    return _measure_gflops(lambda x, w: convolution.conv(g, x, w), (x, w), flops)


def _measure_gflops(f: Callable, arguments: tuple, flops: int) -> float:
    """The speed of a function with this many operations: the median over a second of calls, in GFLOP/s."""
    f = jax.jit(f)
    f(*arguments).block_until_ready()
    times, end = [], time.perf_counter() + 1
    while time.perf_counter() < end:
        started = time.perf_counter()
        f(*arguments).block_until_ready()
        times.append(time.perf_counter() - started)
    return flops / float(np.median(times)) / 1e9
