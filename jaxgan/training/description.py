"""Describe a run without training it: its settings, networks, time, memory and disk space."""

import dataclasses
import itertools
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import jax

from jaxgan.core import system
from jaxgan.core.tables import Table, as_text, format_bytes
from jaxgan.core.text import say, say_lines
from jaxgan.experiment.settings import CommonSettings
from jaxgan.monitoring import probe_files
from jaxgan.monitoring.terminal import format_seconds, say_nothing
from jaxgan.training.announcements import data_line, print_columns
from jaxgan.training.estimate import (
    StepTime,
    checkpoint_bytes,
    checkpoints_kept,
    measure_steps,
    monitor_bytes,
    peak_memory,
)
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps


def print_description(run: TrainingRun, config: CommonSettings, options: RunOptions, steps: Steps) -> None:
    """Print the settings and networks of a run, and the time, memory and disk space that it requires.

    This function compiles the training step and measures the time of a few steps. It writes no files.

    Args:
      run: the game or the population to describe.
      config: the experiment's settings.
      options: the options of the run.
      steps: the run's compiled steps.
    """
    is_first = jax.process_index() == 0
    tell, tell_lines = (say, say_lines) if is_first else (say_nothing, say_nothing)
    rows = tuple((field.name, str(getattr(config, field.name))) for field in dataclasses.fields(config))
    tell_lines(as_text(Table("settings", ("name", "value"), rows)))
    tell("")
    tell(f"data: {data_line(run.experiment)}")
    if is_first:
        print_columns(run.experiment)
    if steps.cache_line:
        tell(steps.cache_line)
    tell(f"hardware: {system.hardware()}")
    tell("")
    tell_lines(f"{run.game.summary()}\n")
    tell(describe_disk(run, config, options))
    tell("")
    tell("tracing the training step, in order to measure its time")
    start = time.perf_counter()
    steps.trace()
    seconds = time.perf_counter() - start
    tell(f"traced in {format_seconds(seconds)}")
    tell("compiling the training step")
    _print_times(measure_steps(run, config, steps), config.steps, seconds, tell, run.experiment.medium.noun)
    peak = peak_memory(steps.devices[0])
    if peak is not None:
        tell(f"peak memory: {format_bytes(peak)} on {steps.devices[0].device_kind}")


def describe_disk(run: TrainingRun, config: CommonSettings, options: RunOptions) -> str:
    """Return a line with the disk space that the checkpoints of a run require.

    Args:
      run: the game or the population to train.
      config: the experiment's settings.
      options: the options of the run.
    """
    size, count = _checkpoints(run, config, options)
    total, checkpoints = format_bytes(count * size), format_number(count, "checkpoint")
    return f"disk space: at most {total}, for {checkpoints} of {format_bytes(size)} each"


def check_disk(run: TrainingRun, config: CommonSettings, options: RunOptions, path: Path) -> str:
    """Return a warning if the disk has less free space than the checkpoints of a run require, and else an empty text.

    Args:
      run: the game or the population to train.
      config: the experiment's settings.
      options: the options of the run.
      path: the directory of the run, which may not exist. The space of its checkpoints counts as free.
    """
    size, count = _checkpoints(run, config, options)
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
    files = itertools.chain.from_iterable((path / name).rglob("*") for name in ("checkpoints", probe_files.FOLDER))
    used = sum(file.stat().st_size for file in files if file.is_file())
    free = shutil.disk_usage(existing).free + used
    if count * size <= free:
        return ""
    return (
        f"The checkpoints of this run require up to {format_bytes(count * size)}, but the disk of `run_dir` {path} has "
        f"only {format_bytes(free)} of free space for them. Free some disk space, or choose another `run_dir`."
    )


def _checkpoints(run: TrainingRun, config: CommonSettings, options: RunOptions) -> tuple[int, int]:
    """Return the maximum size of a checkpoint and of its monitor file in bytes, and the maximum number of them."""
    state = jax.eval_shape(run.init, run.keys)
    size = checkpoint_bytes(state)
    if not config.dp_noise_multiplier:  # a private run has no monitor
        size += monitor_bytes(state, config.steps, options)
    return size, checkpoints_kept(config.steps, options)


def _print_times(
    times: Iterable[StepTime], steps: int, seconds_before: float, tell: Callable[[str], None], noun: str
) -> None:
    """Print the time of one step of each game of the run, and the total time of all steps.

    Args:
      times: the measured times of each game.
      steps: number of steps of the run.
      seconds_before: time for tracing the steps.
      tell: prints a line.
      noun: the plural noun for examples.
    """
    seconds = 0.0
    for each in times:
        seconds_before += each.compile_seconds
        seconds += each.steps * each.seconds
        tell(f"compiled in {format_seconds(each.compile_seconds)}")
        if each.measured:
            which = "a step" if each.steps == steps else f"each of {format_number(each.steps, 'step')}"
            rate, measured = each.examples / each.seconds, format_number(each.measured, "step")
            tell(f"{which} takes {1000 * each.seconds:,.3g} ms, {rate:,.0f} {noun}/s (mean of {measured})")
    total, before = format_estimate(seconds), format_seconds(seconds_before)
    tell(
        f"time: {total} for {format_number(steps, 'step')}, after {before} for tracing and compiling; "
        "sample grids and checkpoints take additional time"
    )


def format_estimate(seconds: float) -> str:
    """Format a rough time in the largest unit in which it is at least 2.

    >>> format_estimate(49.7), format_estimate(691), format_estimate(9000), format_estimate(400_000)
    ('50 s', '12 minutes', '2.5 hours', '4.6 days')

    Args:
      seconds: the time in seconds.
    """
    if seconds < 120:
        return format_seconds(seconds)
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86_400:.1f} days"


def format_number(number: int, thing: str) -> str:
    """Format a number with its unit in the singular or the plural.

    >>> format_number(1, "step"), format_number(4500, "step")
    ('1 step', '4,500 steps')

    Args:
      number: the number to format.
      thing: the unit in the singular. Its plural must end with an "s".
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
