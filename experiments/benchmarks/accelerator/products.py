"""Describe the device, and measure the accuracy and the speed of matrix products for each precision."""

import os
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import processes
from experiments.benchmarks.accelerator.context import Context
from experiments.benchmarks.accelerator.peaks import peak_tflops, rounding
from experiments.benchmarks.worker import steady_ms
from jaxgan.cli import doctor
from jaxgan.core import system

PACKAGES = ("jax-cuda12-plugin", "jax-cuda13-plugin", "libtpu", "torch")  # optional packages, named if installed


def describe_device(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the versions, the devices, and the environment variables of JAX, one in each row."""
    started = time.perf_counter()
    device = jax.devices()[0]
    for package in PACKAGES:
        try:
            yield {"name": package, "value": metadata.version(package)}
        except metadata.PackageNotFoundError:
            continue
    facts: dict[str, Any] = {
        **system.versions(),
        "date": time.strftime("%Y-%m-%d"),
        "host": processes.describe_hardware(),
        "platform": device.platform,
        "platform version": " ".join(device.client.platform_version.split()),
        "device": f"{len(jax.devices())} x {device.device_kind}",
        "start of JAX, s": round(time.perf_counter() - started, 1),
        **{name: value for name, value in sorted(os.environ.items()) if name.startswith(("JAX_", "XLA_"))},
    }
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit:
        facts["memory limit, MB"] = limit / 1e6
    for name, value in facts.items():
        yield {"name": name, "value": value}


def measure(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the error of a product against float64, and its speed, for float32 of each precision and for bfloat16."""
    device, size = jax.devices()[0], 128 if context.small else 8192
    cases = [("float32", precision) for precision in ("default", "high", "highest")] + [("bfloat16", "default")]
    for dtype, precision in cases:
        error = doctor.product_error(precision, 64 if context.small else 1024)
        if dtype == "bfloat16":
            error = _error_of_bfloat16(64 if context.small else 1024)
        a = jax.random.normal(jax.random.key(0), (size, size)).astype(dtype)
        product = jax.jit(lambda x, p=precision: jnp.matmul(x, x, precision=p))

        def run(count, product=product, a=a):
            out = None
            for _ in range(count):
                out = product(a)
            jax.block_until_ready(out)

        tflops = 2 * size**3 / steady_ms(run, 0.1 if context.small else seconds / 8) / 1e9
        kind = rounding(device.platform, device.device_kind, dtype, precision)
        peak = peak_tflops(device.device_kind, kind)
        yield {
            "type": dtype,
            "precision": precision,
            "error": error,
            "rounded to": "bfloat16" if dtype == "bfloat16" else doctor.name_precision(error),
            "tflops": tflops,
            "of_peak": peak and tflops / peak,
        }


def _error_of_bfloat16(size: int) -> float:
    """Return the relative error of a product of matrices in bfloat16 with a result in float32."""
    a, b = np.random.default_rng(0).normal(size=(2, size, size)).astype(np.float32)
    half = [jnp.asarray(x, jnp.bfloat16) for x in (a, b)]
    found = np.asarray(jnp.matmul(*half, preferred_element_type=jnp.float32), np.float64)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
