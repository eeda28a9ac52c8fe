"""What a run says before its first step."""

import contextlib

import jax

from jaxgan.core import system
from jaxgan.monitoring import terminal
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps


def waiting(text: str, options: RunOptions) -> contextlib.AbstractContextManager[None]:
    """Print what is done in a ``with`` block, if it takes longer than ``monitoring.terminal.PATIENCE``."""
    is_quiet = options.quiet or jax.process_index() > 0
    return terminal.waiting(text, terminal.say_nothing if is_quiet else say)


def print_start(name: str, run: TrainingRun, steps: Steps) -> None:
    """Print what is about to be trained: the experiment, its examples, the hardware and the members of a population.

    Args:
      name: the experiment's name.
      run: what is trained.
      steps: the run's compiled steps, whose devices a population is spread over.
    """
    source, shape = run.experiment.source, " x ".join(map(str, run.experiment.source.shape))
    say(f"{name}: {len(source):,} examples of {source.name}, {shape}; {system.hardware()}")
    if run.is_population:
        members = "; ".join(map(run.member_name, range(len(run.seeds))))
        say(f"a population of {len(run.seeds)} on {len(steps.devices)} x {steps.devices[0].platform}: {members}")


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)
