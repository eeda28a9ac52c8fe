"""Measure the cost of the training monitor: the time of one probe, divided by the time of the steps between two probes.

    python -m experiments.benchmarks.monitor

A probe measures the samples and the weights of the networks during training. The program times a call of ten steps and
a probe in alternating order, and waits until each has finished. A training run does not wait for a probe, so a probe
costs at most the printed time there. docs/benchmarks.md has the results.
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

_WARMUP = 3  # number of calls and probes that are not timed, because they include compilation


@dataclasses.dataclass(frozen=True)
class _Options:
    """The options of the benchmark."""

    experiment: Literal["dcgan", "gan"] = "dcgan"
    """Experiment to measure, with its default settings."""
    pairs: int = 50
    """Number of calls of ten steps to time. The same number of probes is timed."""
    held_out: int = 64
    """Number of examples held out from training. A probe also evaluates these examples."""


def main(options: _Options) -> None:
    """Print the time of a step, the time of a probe, and the cost of the monitor."""
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
    print(f"{options.experiment} on {system.hardware()}: {step:.2f} ms per step, {a_probe:.2f} ms per probe")
    print(f"One probe every {diagnostics.PROBE_EVERY} steps adds at most {share:.2%} to the training time.")


if __name__ == "__main__":
    main(tyro.cli(_Options, description=__doc__))
