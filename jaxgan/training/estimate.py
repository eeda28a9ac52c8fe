"""What a run will take: the time of its steps, which is measured, and the disk that its checkpoints fill."""

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
from jaxgan.experiment.settings import Settings
from jaxgan.training.checkpoints import KEEP_NEWEST
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps

MEASURED_STEPS = 64  # at most, of each game
MEASURED_SECONDS = 5.0  # for the steps of a game, after which no more are taken
LAZY_STEPS = 16  # lazy terms cost time in one of so many steps, so as many are measured,
LAZY_SECONDS = 20.0  # unless they take longer than this


@dataclasses.dataclass(frozen=True)
class StepTime:
    """The measured time of the steps of one game.

    Attributes:
      steps: the number of steps of the run that play this game.
      images: the number of images that a step reads, of all members together.
      compile_seconds: the time of its first call, which traces and compiles it and takes one step.
      measured: the number of steps that were measured after that; 0 if the run has no more of this game.
      seconds: the mean time of these.
    """

    steps: int
    images: int
    compile_seconds: float
    measured: int
    seconds: float


def measure_steps(run: TrainingRun, config: Settings, steps: Steps) -> Iterator[StepTime]:
    """Compile the step of each game of a run, and take some steps of it; their result is thrown away.

    Args:
      run: what would be trained.
      config: its settings.
      steps: the run's compiled steps.
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
        images = config.batch_size * game.batch_multiple * len(run.seeds)
        yield StepTime(count, images, compile_seconds, measured, seconds / max(measured, 1))


def next_call(seconds: float, measured: int, most: int) -> int:
    """How many steps the next call takes, after some were measured: 0 if these suffice.

    The first call takes one step, and the others as many as fit into the time that is left.
    """
    if not measured:
        return 1
    enough, limit = (LAZY_STEPS, LAZY_SECONDS) if measured < LAZY_STEPS else (MEASURED_STEPS, MEASURED_SECONDS)
    fitting = int((limit - seconds) / seconds * measured)
    return max(0, min(fitting, most, enough - measured))


def steps_by_game(experiment: Experiment, steps: int) -> dict[GameLike, tuple[int, int]]:
    """For each game of a run of so many steps: the first step that plays it, from 0, and the number that do."""
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
    """The state after a call of the compiled step, and the seconds that it took."""
    start = time.perf_counter()
    state, _ = take(state, jax.tree.map(lambda *xs: np.stack(xs), *batches))
    jax.block_until_ready(state)
    return state, time.perf_counter() - start


def checkpoints_kept(steps: int, options: RunOptions) -> int:
    """The number of checkpoints that lie on the disk when a run of so many steps has ended, at most."""
    made = {steps}
    for every in (options.checkpoint_every, options.evaluate_every):
        if every is not None:
            made |= set(range(every, steps + 1, every)[: KEEP_NEWEST + 1])  # more are not kept
    return min(KEEP_NEWEST + 1, len(made))


def checkpoint_bytes(state: Any) -> int:
    """The size of a checkpoint of a state, whose leaves may be shapes."""
    raw = jax.eval_shape(lambda state: state.replace(key=jax.random.key_data(state.key)), state)
    return size_in_bytes(raw)


def peak_memory(device: parallel.Device) -> int | None:
    """The most bytes of a device that were in use so far; for a CPU those of this process. None if it is not known."""
    stats = device.memory_stats() or {}
    return stats.get("peak_bytes_in_use", system.peak_memory_bytes())
