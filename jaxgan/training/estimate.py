"""Estimate the time, the memory and the disk space that a run will require."""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgan import parallel
from jaxgan.core import system
from jaxgan.core.representation import size_in_bytes
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.settings import CommonSettings
from jaxgan.monitoring.diagnostics import PROBE_EVERY
from jaxgan.training.checkpoints import KEEP_NEWEST
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps

# Limits of the measurement of each game. The first LAZY_STEPS steps may take up to LAZY_SECONDS, because penalties with
# lazy regularisation are often computed only every 16 steps. If these steps took less than MEASURED_SECONDS, more steps
# are measured until MEASURED_SECONDS have passed.
MEASURED_STEPS = 64  # maximum number of steps to measure
MEASURED_SECONDS = 5.0
LAZY_STEPS = 16
LAZY_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class StepTime:
    """The measured time of the steps of one game. A run may train different games at different steps.

    Attributes:
      steps: number of steps of the run that train this game.
      examples: number of examples that one step reads, summed over the members of a population.
      compile_seconds: time of the first call of the step in seconds. It includes compilation and one step.
      measured: number of steps that were measured after the first call; 0 if the run has only one step of this game.
      seconds: mean time of the measured steps in seconds.
    """

    steps: int
    examples: int
    compile_seconds: float
    measured: int
    seconds: float


def measure_steps(run: TrainingRun, config: CommonSettings, steps: Steps) -> Iterator[StepTime]:
    """Compile and measure the step of each game of a run. The trained state is discarded.

    Args:
      run: the game or the population to measure.
      config: the experiment's settings.
      steps: the run's compiled steps.

    Yields:
      The measured time of each game, in the order in which the run trains the games.
    """
    state = run.place(run.init(run.keys), steps.devices, steps.method)
    for game, (first, count) in steps_by_game(run.experiment, config.steps).items():
        batches, take = _batches_of_game(game, run.experiment, steps, first), steps.at(first)
        state, compile_seconds = _timed_call(take, state, [next(batches)])
        seconds, measured = 0.0, 0
        while call_size := next_call(seconds, measured, steps.max_steps_per_call):
            in_call = list(itertools.islice(batches, call_size))
            if not in_call:
                break
            state, more = _timed_call(take, state, in_call)
            seconds, measured = seconds + more, measured + len(in_call)
        examples = config.batch_size * game.batch_multiple * len(run.seeds)
        yield StepTime(count, examples, compile_seconds, measured, seconds / max(measured, 1))


def next_call(seconds: float, measured: int, most: int) -> int:
    """Return the number of steps that the next measured call should take; 0 if enough steps were measured.

    The first call takes one step. A later call takes the number of steps that are expected to fit into the rest of the
    time limit of all calls. This limit is LAZY_SECONDS until LAZY_STEPS steps are measured, and MEASURED_SECONDS
    afterwards.

    Args:
      seconds: total time of the steps that were measured so far.
      measured: number of steps that were measured so far.
      most: maximum number of steps in a call.
    """
    if not measured:
        return 1
    enough, limit = (LAZY_STEPS, LAZY_SECONDS) if measured < LAZY_STEPS else (MEASURED_STEPS, MEASURED_SECONDS)
    fitting = int((limit - seconds) / seconds * measured)
    return max(0, min(fitting, most, enough - measured))


def steps_by_game(experiment: Experiment, steps: int) -> dict[GameLike, tuple[int, int]]:
    """Return a dictionary from each game of a run to its first step, counted from 0, and its number of steps.

    Args:
      experiment: the experiment, which may train different games at different steps.
      steps: number of steps of the run.
    """
    if not experiment.game_at:
        return {experiment.game: (0, steps)}
    found: dict[GameLike, tuple[int, int]] = {}
    for step in range(steps):
        game = experiment.at(step)
        first, count = found.get(game, (step, 0))
        found[game] = (first, count + 1)
    return found


def _batches_of_game(game: GameLike, experiment: Experiment, steps: Steps, first: int) -> Iterator[Any]:
    for step, batch in enumerate(steps.batches(first), first):
        if experiment.at(step) is game:
            yield batch


def _timed_call(take: parallel.Step, state: State, batches: list[Any]) -> tuple[State, float]:
    """Call the compiled step, and return the new state and the time of the call in seconds."""
    start = time.perf_counter()
    state, _ = take(state, jax.tree.map(lambda *xs: np.stack(xs), *batches))
    jax.block_until_ready(state)
    return state, time.perf_counter() - start


def checkpoints_kept(steps: int, options: RunOptions) -> int:
    """Return the maximum number of checkpoints that a run of the given number of steps leaves on disk.

    Args:
      steps: the number of steps of the complete run.
      options: the options of the run. They define how often the run saves and evaluates checkpoints.
    """
    made = {steps}
    for every in (options.checkpoint_every, options.evaluate_every):
        if every is not None:
            made |= set(range(every, steps + 1, every)[: KEEP_NEWEST + 1])  # further steps do not change the result
    return min(KEEP_NEWEST + 1, len(made))


def checkpoint_bytes(state: Any) -> int:
    """Return the size of a checkpoint in bytes. The leaves of the state may be ``jax.ShapeDtypeStruct``."""
    raw = jax.eval_shape(lambda state: state.replace(key=jax.random.key_data(state.key)), state)
    return size_in_bytes(raw)


def monitor_bytes(state: Any, steps: int, options: RunOptions) -> int:
    """Return the maximum size in bytes of the arrays that the training monitor stores with a checkpoint.

    The last moves of the parameters are stored in 16 bits. If a checkpoint can be between two probes, the parameters
    at the last probe are stored too. See ``jaxgan.monitoring.probe``; its small arrays are not counted.

    Args:
      state: the state of the run. Its leaves may be ``jax.ShapeDtypeStruct``.
      steps: the number of steps of the complete run.
      options: the options of the run. They define how often the run saves and evaluates checkpoints.
    """
    params = size_in_bytes(state.params)
    saved = (steps, options.checkpoint_every, options.evaluate_every or PROBE_EVERY)
    is_between = any(step % PROBE_EVERY for step in saved)
    return params // 2 + (params if is_between else 0)


def peak_memory(device: parallel.Device) -> int | None:
    """Return the peak memory use of a device in bytes, or None if it is unknown.

    A CPU does not report its memory use. The result is then the peak memory use of this process.
    """
    stats = device.memory_stats() or {}
    return stats.get("peak_bytes_in_use", system.peak_memory_bytes())
