"""What the monitor costs: a probe, by the steps that lie between two.

Command    python -m experiments.benchmarks.monitor
Result     see docs/benchmarks.md

Calls of ten steps and probes are timed in turn, each waited for; a run waits for neither, so that a probe takes at
most what is printed here.
"""

import dataclasses
import time
from typing import Literal

import jax
import numpy as np
import tyro

from experiments import dcgan, gan
from jaxgan import parallel
from jaxgan.core import system
from jaxgan.data import Batches
from jaxgan.data.source import read_into_memory
from jaxgan.monitoring import diagnostics
from jaxgan.monitoring.probe import Probe
from jaxgan.training import steps
from jaxgan.training.runs import make_run
from jaxgan.training.steps import MAX_STEPS_PER_CALL

_WARMUP = 3  # that are compiled, and not counted


@dataclasses.dataclass(frozen=True)
class _Options:
    """How it is measured."""

    experiment: Literal["dcgan", "gan"] = "dcgan"
    """Whose default run."""
    pairs: int = 50
    """Calls of ten steps, and probes."""
    held_out: int = 64
    """Examples held out, which a probe then looks at too."""


def main(options: _Options) -> None:
    """Print what a step takes, and a probe."""
    module = {"dcgan": dcgan, "gan": gan}[options.experiment]
    config = module.Config(num_held_out=options.held_out)
    run = make_run(config, module.build(config), module.build)
    on = run.devices(None)
    experiment = run.experiment
    images = parallel.replicate({"image": read_into_memory(experiment.source).images}, on, local=True)
    step = run.compile_step(0, on, "pmap", prepare=steps.prepare, resident=images, max_steps=MAX_STEPS_PER_CALL)
    state = run.place(jax.jit(run.game.init)(run.keys), on, "pmap")
    batches = Batches(experiment.source, config.batch_size, 0)
    probe, step_ms, probe_ms = Probe(experiment, 0), [], []
    for i in range(options.pairs + _WARMUP):
        indices = np.stack([batches.indices(MAX_STEPS_PER_CALL * i + j) for j in range(MAX_STEPS_PER_CALL)])
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, indices))
        between = time.perf_counter()
        jax.block_until_ready(probe(run.probe_state(state)))
        if i >= _WARMUP:
            step_ms.append((between - start) / MAX_STEPS_PER_CALL * 1e3)
            probe_ms.append((time.perf_counter() - between) * 1e3)
    step, a_probe = np.median(step_ms), np.median(probe_ms)
    share = a_probe / (diagnostics.PROBE_EVERY * step)
    print(f"{options.experiment} on {system.hardware()}: a step {step:.2f} ms, a probe {a_probe:.2f} ms")
    print(f"one probe in {diagnostics.PROBE_EVERY} steps: at most {share:.2%} of a step")


if __name__ == "__main__":
    main(tyro.cli(_Options, description=__doc__))
