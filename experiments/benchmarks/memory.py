"""Measure how much faster a training step is if freed memory is kept for the next step, on Linux with glibc.

    python -m experiments.benchmarks.memory dcgan pix2pix cyclegan

Each experiment runs with its default settings in pairs of new processes, and trains on the same batch in every step. In
one process of a pair, glibc returns freed memory to the kernel. In the other process, glibc keeps freed memory for the
next step.
"""

import importlib
import json
import pkgutil
import sys
import time
from typing import Literal

import jax
import numpy as np
import tyro

import experiments
from experiments.benchmarks import processes
from jaxgan.core import system
from jaxgan.data import normalize

_NAME = "experiments.benchmarks.memory"


def main(
    names: tyro.conf.Positional[tuple[str, ...]],
    side: Literal["both", "kept", "given back"] = "both",
    pairs: int = 2,
    steps: int = 30,
) -> None:
    """Time training steps with returned memory and with kept memory, and print the results of each pair.

    Args:
      names: names of experiments.
      side: "both" compares kept and returned memory in pairs of processes. The other values measure the first
        experiment in this process: with "kept", glibc keeps freed memory, and with "given back", glibc returns it to
        the kernel.
      pairs: number of pairs of processes for each experiment.
      steps: number of steps that each process times.
    """
    known = sorted(module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg)
    unknown = [name for name in names if name not in known]
    if not names:
        sys.exit(f"error: Name one or more experiments: {', '.join(known)}.")
    if unknown:
        sys.exit(f"error: There is no experiment {unknown[0]!r}. The experiments are {', '.join(known)}.")
    if side != "both":
        print(json.dumps(_measure_step(names[0], side == "kept", steps)))
        return
    print(processes.describe_hardware())
    for name in names:
        for _ in range(pairs):
            results = {
                side: processes.run_program(_NAME, name, "--side", side, "--steps", str(steps))
                for side in ("given back", "kept")
            }
            described = "; ".join(
                f"{side}: {result['ms']:.1f} ms and {result['faults']:.0f} page faults per step, "
                f"peak memory {result['peak']:.0f} MB"
                for side, result in results.items()
            )
            ratio = results["given back"]["ms"] / results["kept"]["ms"]
            print(f"{name}: {described}; time given back / kept: {ratio:.2f}", flush=True)


def _measure_step(name: str, kept: bool, steps: int) -> dict[str, float]:
    """Time steps of an experiment in this process.

    Args:
      name: name of the experiment.
      kept: whether the C library keeps freed memory.
      steps: number of steps to time.

    Returns:
      A dict with the median milliseconds per step (``ms``), the mean number of page faults per step (``faults``), and
      the peak memory of the process in MB (``peak``).
    """
    if kept and not system.keep_freed_memory():
        raise OSError("This C library cannot be set to keep freed memory. The benchmark requires glibc.")
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    experiment = module.build(config)
    game, rows = experiment.game, np.arange(config.batch_size * experiment.game.batch_multiple)
    batch = jax.device_put(normalize(experiment.source.read(rows % len(experiment.source))))
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step, donate_argnums=0)
    for _ in range(3):
        state, _ = jax.block_until_ready(step(state, batch))
    import resource  # exists on Linux and macOS only

    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, []
    for _ in range(steps):
        started = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch))
        times.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults = (after.ru_minflt - before) / steps
    return {"ms": 1e3 * float(np.median(times)), "faults": faults, "peak": after.ru_maxrss / 1e3}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
