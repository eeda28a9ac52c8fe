"""Print the experiment, the data and the hardware before the first step of a run."""

import contextlib
import dataclasses

import jax

from jaxgan.core import system
from jaxgan.core.tables import as_text
from jaxgan.core.text import say, say_lines
from jaxgan.experiment import Experiment
from jaxgan.monitoring import terminal
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps

MAX_ROWS = 40  # maximum number of rows of a table of columns that are printed


def waiting(text: str, options: RunOptions) -> contextlib.AbstractContextManager[None]:
    """Print a line if a ``with`` block takes longer than ``monitoring.terminal.PATIENCE``, which is one second.

    Args:
      text: the line, which names the work that the block does.
      options: options of the run. A run with ``quiet`` prints nothing.
    """
    is_quiet = options.quiet or jax.process_index() > 0
    return terminal.waiting(text, terminal.say_nothing if is_quiet else say)


def print_start(name: str, run: TrainingRun, steps: Steps) -> None:
    """Print the experiment, its data, the hardware and the members of a population.

    Args:
      name: the experiment's name.
      run: the game or the population that will be trained.
      steps: the run's compiled steps. The devices of a population are read from them.
    """
    say(f"{name}: {data_line(run.experiment)}; hardware: {system.hardware()}")
    print_columns(run.experiment)
    if steps.cache_line:
        say(steps.cache_line)
    if run.is_population:
        members = "; ".join(map(run.member_name, range(len(run.seeds))))
        devices = f"{len(steps.devices)} x {steps.devices[0].platform}"
        say(f"population of {len(run.seeds)} members on {devices}: {members}")


def print_columns(experiment: Experiment) -> None:
    """Print what the medium found out about the data, such as the types of columns: the first ``MAX_ROWS`` rows.

    Args:
      experiment: the experiment that will be trained.
    """
    table = experiment.medium.summary()
    if table is None:
        return
    say_lines(as_text(dataclasses.replace(table, rows=table.rows[:MAX_ROWS])))
    if len(table.rows) > MAX_ROWS:
        say(f"  and {len(table.rows) - MAX_ROWS:,} more")


def data_line(experiment: Experiment) -> str:
    """Return the number of the training examples, their shape and classes, and whether the model uses the classes.

    Args:
      experiment: the experiment that will be trained.
    """
    source = experiment.source
    text = f"{len(source):,} examples of {source.name}, shape {' x '.join(map(str, source.shape))}"
    if not source.classes:
        return text
    number = f"{len(source.classes):,} {'class' if len(source.classes) == 1 else 'classes'}"
    return f"{text}, {number}" if experiment.sampling.classes else f"{text}, {number}, which this model does not use"
