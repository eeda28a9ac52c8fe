"""What the doctor costs: a probe every so many steps, by the time of these steps.

Command    python -m experiments.benchmarks.doctor
Result     see docs/benchmarks.md

Probes are timed as a run takes them: the next steps are called before a probe's numbers are looked at. With and
without probes in turn, each for as many steps as lie between two probes; the median of the pairs' ratios is told.
"""

import dataclasses
import time
from typing import Literal

import jax
import numpy as np
import tyro

from experiments import dcgan, gan
from jaxgan import parallel
from jaxgan.data import Batches
from jaxgan.data.source import in_memory
from jaxgan.training import diagnostics, logging, loop
from jaxgan.training.members import cast

TOGETHER = 10  # steps of a call


@dataclasses.dataclass(frozen=True)
class Options:
    """How it is measured."""

    experiment: Literal["dcgan", "gan"] = "dcgan"
    """Whose default run."""
    pairs: int = 20
    """Times with and without."""
    held_out: int = 64
    """Examples held out, which a probe then looks at too."""


def main(options: Options) -> None:
    """Print what a probe adds to the steps between two."""
    module = {"dcgan": dcgan, "gan": gan}[options.experiment]
    config = module.Config(held_out=options.held_out)
    members = cast(config, module.build(config), module.build)
    on = members.devices(None)
    experiment = members.experiment
    images = parallel.replicate({"image": in_memory(experiment.source).images}, on, local=True)
    step = members.step(0, on, "pmap", prepare=loop.prepare, resident=images, together=TOGETHER)
    state = members.place(jax.jit(members.game.init)(members.keys), on, "pmap")
    batches = Batches(experiment.source, config.batch_size, 0)
    probe, at, ratios, plain = diagnostics.Probe(experiment, 0), 0, [], 0.0

    def run(probed: bool) -> float:
        nonlocal state, at
        start, found, metrics = time.perf_counter(), {}, {}
        for call in range(diagnostics.EVERY // TOGETHER):
            indices = np.stack([batches.indices(at + i) for i in range(TOGETHER)])
            state, metrics = step(state, indices)
            at += TOGETHER
            if probed and not call:
                found = probe(members.probed(state))
        jax.block_until_ready((state, metrics, found))
        return time.perf_counter() - start

    for probed in (True, False) * 2:  # compiled, and warm
        run(probed)
    for i in range(options.pairs):
        both = {probed: run(probed) for probed in ((True, False) if i % 2 else (False, True))}
        plain = both[False]
        ratios.append(both[True] / plain)
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"{options.experiment} on {logging.hardware()}: {plain / diagnostics.EVERY * 1e3:.2f} ms a step")
    print(f"with a probe every {diagnostics.EVERY} steps {middle:.4f} times that (quartiles {low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
