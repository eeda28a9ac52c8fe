"""What a run says before its first step."""

import contextlib
import threading
from collections.abc import Iterator

import jax

from jaxgan.core import system
from jaxgan.experiment.settings import Settings
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps

PATIENCE = 1.0  # seconds without a message


@contextlib.contextmanager
def loading(config: Settings, options: RunOptions) -> Iterator[None]:
    """Print which data are loaded in the ``with`` block, if that takes longer than ``PATIENCE``."""
    message = f"loading the data: {config.data}"
    timer = threading.Timer(PATIENCE, print, [message], {"flush": True})
    if not options.quiet and jax.process_index() == 0:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def print_start(name: str, run: TrainingRun, steps: Steps) -> None:
    """Print what is about to be trained: the experiment, its examples, the hardware and the members of a population.

    Args:
      name: the experiment's name.
      run: what is trained.
      steps: the run's compiled steps, whose devices a population is spread over.
    """
    source, shape = run.experiment.source, " x ".join(map(str, run.experiment.source.shape))
    print(f"{name}: {len(source):,} examples of {source.name}, {shape}; {system.hardware()}", flush=True)
    if run.is_population:
        members = "; ".join(map(run.member_name, range(len(run.seeds))))
        print(
            f"a population of {len(run.seeds)} on {len(steps.devices)} x {steps.devices[0].platform}: {members}",
            flush=True,
        )
