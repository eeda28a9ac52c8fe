"""What a step gains if its memory is kept for the next one: pairs of fresh processes, on a CPU with glibc.

python -m experiments.benchmarks.memory dcgan pix2pix cyclegan

The step is that of the experiment's own settings, on one batch.
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
    """Compare, and print.

    Args:
      names: of experiments.
      side: ``kept`` or ``given back`` of the first one alone, in this process.
      pairs: of processes.
      steps: that each process times.
    """
    known = sorted({module.name for module in pkgutil.iter_modules(experiments.__path__)} - {"benchmarks"})
    if not names or not set(names) <= set(known):
        sys.exit(f"error: {' '.join(names) or 'no experiment'}: give some of {', '.join(known)}")
    if side != "both":
        print(json.dumps(_measure_step(names[0], side == "kept", steps)))
        return
    print(processes.describe_hardware())
    for name in names:
        for _ in range(pairs):
            found = {
                side: processes.run_program(_NAME, name, "--side", side, "--steps", str(steps))
                for side in ("given back", "kept")
            }
            told = "; ".join(
                f"{side} {of['ms']:.1f} ms a step, {of['faults']:.0f} faults, {of['peak']:.0f} MB at most"
                for side, of in found.items()
            )
            print(f"{name}: {told}; {found['given back']['ms'] / found['kept']['ms']:.2f}", flush=True)


def _measure_step(name: str, kept: bool, steps: int) -> dict[str, float]:
    """A step's median milliseconds and mean page faults, and the process's peak memory in MB."""
    if kept and not system.keep_freed_memory():
        raise OSError("this C library keeps no memory")
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    experiment = module.build(config)
    game, rows = experiment.game, np.arange(config.batch_size * experiment.game.batch_multiple)
    batch = jax.device_put(normalize(experiment.source.read(rows % len(experiment.source))))
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step, donate_argnums=0)
    for _ in range(3):
        state, _ = jax.block_until_ready(step(state, batch))
    import resource  # Linux and macOS have it

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
