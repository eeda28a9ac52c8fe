"""``jaxgan doctor``: what is here, how fast it is, and what looks wrong, with the mend."""

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
from jaxgan.core import system
from jaxgan.nn import convolution
from jaxgan.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What was found.

    Attributes:
      versions: of packages, by name; "not installed" for one that is missing.
      platform: ``cpu``, ``gpu`` or ``tpu``.
      devices: their kinds.
      cores: that this process may use.
      load: processes that wanted a core, over the last minute; None where the system does not say.
      gpu_driver: whether a GPU's driver is here, whatever JAX sees.
      product_gflops: of a matrix product of 2048 x 2048, float32.
      convolution_gflops: of a 4 x 4 convolution of stride 2, as in DCGAN, float32.
      cache: where compiled programs are kept; None if they are not.
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


def examine() -> Facts:
    """Find out; takes some seconds."""
    return Facts(
        versions={"jaxgan": __version__, "python": platform.python_version(), **{p: _version(p) for p in PACKAGES}},
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


def complaints(facts: Facts) -> list[str]:
    """What looks wrong, each with the mend."""
    told, environment = [], facts.environment
    for package, version in facts.versions.items():
        if version == "not installed":
            told.append(f"{package} is not installed: pip install {package}")
    jax_version, jaxlib = (facts.versions.get(p, "").split(".")[:2] for p in ("jax", "jaxlib"))
    if jax_version != jaxlib:
        told.append("jax and jaxlib are of different releases: pip install --upgrade jax jaxlib")
    if facts.platform == "cpu" and facts.gpu_driver:
        mend = "unset JAX_PLATFORMS" if "cpu" in environment.get("JAX_PLATFORMS", "") else "pip install 'jaxgan[cuda]'"
        told.append(f"a GPU's driver is here, and JAX runs on the CPU: {mend}")
    if facts.platform == "cpu" and len(facts.devices) > facts.cores:
        told.append(
            f"{len(facts.devices)} virtual CPU devices share {facts.cores} cores, which is for tests: "
            "unset JAX_NUM_CPU_DEVICES to train"
        )
    if "xla_force_host_platform_device_count" in environment.get("XLA_FLAGS", ""):
        told.append("XLA_FLAGS asks for CPU devices; JAX_NUM_CPU_DEVICES overrides it without a word: use that alone")
    slow = {"JAX_DISABLE_JIT": "nothing is compiled", "JAX_DEBUG_NANS": "every operation is checked"}
    for name, why in slow.items():
        if environment.get(name, "").lower() in ("1", "true"):
            told.append(f"{name} is set, and {why}: unset it to train")
    if environment.get("JAX_ENABLE_X64", "").lower() in ("1", "true"):
        told.append("JAX_ENABLE_X64 is set: what is made in 64 bits takes twice the time and memory: unset it")
    if facts.load is not None and facts.load > facts.cores + 0.5:
        told.append(
            f"{facts.load:.1f} processes want {facts.cores} cores: what is timed now is too slow; wait, or stop them"
        )
    if facts.convolution_gflops < 0.1 * facts.product_gflops:
        told.append(
            f"a convolution reaches {facts.convolution_gflops / facts.product_gflops:.0%} of a matrix product's speed: "
            "python -m experiments.benchmarks.convolution times its forms; please report what it prints"
        )
    if facts.cache is None:
        told.append(
            "compiled programs are not kept, so every start compiles anew: "
            f"make {cache.compilation_directory()} writable, or name another place with JAX_COMPILATION_CACHE_DIR"
        )
    return told


def main() -> int:
    """Print all of it; 1 if something looks wrong."""
    console = Console(highlight=False, soft_wrap=True)
    facts = examine()
    console.print("versions    " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()))
    load = "" if facts.load is None else f", load {facts.load:.1f}"
    console.print(f"devices     {system.hardware()} ({facts.platform}), {facts.cores} cores{load}")
    console.print(f"product     {facts.product_gflops:,.0f} GFLOP/s, float32, 2048 x 2048")
    console.print(f"convolution {facts.convolution_gflops:,.0f} GFLOP/s, float32, 4 x 4, stride 2, 64 to 128 features")
    kept = sum(1 for path in facts.cache.iterdir() if path.is_file()) if facts.cache and facts.cache.exists() else 0
    console.print(f"compiled    {kept} files in {facts.cache}" if facts.cache else "compiled    not kept")
    for name, value in sorted(facts.environment.items()):
        console.print(f"            {name}={value}", markup=False)
    wrong = complaints(facts)
    for complaint in wrong:
        console.print(f"wrong       {complaint}", markup=False)
    if not wrong:
        console.print("all is well")
    return 1 if wrong else 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def product_gflops(size: int = 2048) -> float:
    """What a product of square matrices, float32, reaches here, in GFLOP/s."""
    return _reached(lambda a: a @ a, (jnp.ones((size, size)),), 2 * size**3)


def convolution_gflops(shape: tuple[int, ...], kernel: int, stride: int, features: int) -> float:
    """What ``convolution.conv`` of images of this shape, [B, *space, C], float32, reaches here, in GFLOP/s."""
    batch, *space, channels = shape
    g = convolution.same(tuple(space), (kernel,) * len(space), stride)
    x, w = jnp.ones(shape), jnp.ones((*g.kernel, channels, features))
    count = 2 * batch * math.prod(g.small) * math.prod(g.kernel) * channels * features
    return _reached(lambda x, w: convolution.conv(g, x, w), (x, w), count)


def _reached(f: Callable, arguments: tuple, count: int) -> float:
    """GFLOP/s: the median of a second's calls."""
    f = jax.jit(f)
    f(*arguments).block_until_ready()
    times, end = [], time.perf_counter() + 1
    while time.perf_counter() < end:
        started = time.perf_counter()
        f(*arguments).block_until_ready()
        times.append(time.perf_counter() - started)
    return count / float(np.median(times)) / 1e9
