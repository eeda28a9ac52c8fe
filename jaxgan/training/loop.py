"""Run the training loop: call the compiled step, write metrics, samples and checkpoints, and handle signals."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax

from jaxgan.core.files import reason_of
from jaxgan.core.interruption import Interrupted
from jaxgan.core.state import State
from jaxgan.core.text import say
from jaxgan.experiment.settings import CommonSettings
from jaxgan.monitoring.terminal import Terminal, say_nothing
from jaxgan.training.announcements import waiting
from jaxgan.training.checkpoint_saver import CheckpointSaver
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.divergence import DivergedMembers, find_diverged_states
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.feeding import BatchFeeder, Call
from jaxgan.training.metrics_log import MetricsLog
from jaxgan.training.options import RunOptions
from jaxgan.training.profiler import StepProfiler
from jaxgan.training.runs import TrainingRun
from jaxgan.training.sample_grids import SampleWriter
from jaxgan.training.signals import StopSignals
from jaxgan.training.steps import Steps
from jaxgan.training.write_schedule import WriteSchedule


def train(
    run: TrainingRun,
    config: CommonSettings,
    options: RunOptions,
    path: Path,
    name: str,
    evaluator: Evaluator | None = None,
    steps: Steps | None = None,
    check_directory: Callable[[], None] = lambda: None,
) -> None:
    """Train until step ``config.steps``, starting from the newest checkpoint in ``path`` if there is one.

    Args:
      run: the game or the population to train; see ``jaxgan.training.runs.make_run``.
      config: the experiment's settings.
      options: the options of the run.
      path: the run's directory. No other process may write to it; see ``RunDirectory``.
      name: the experiment's name, which is written into the metadata of sample grids.
      evaluator: evaluates a checkpoint every ``options.evaluate_every`` steps; None for a run without evaluations.
      steps: the compiled steps of the run, which also determine the devices. If None, the steps are compiled for the
        devices that ``options`` select.
      check_directory: called before anything is written. It raises ``OSError`` if the directory was moved or removed.

    Raises:
      ValueError: if an option is out of its range, or if the checkpoints belong to another game.
      Diverged: if every member has a NaN or an infinity in a metric or in its state. The last finite checkpoint is
        kept.
      Interrupted: if a signal stopped the run; see ``jaxgan.core.interruption``. The state was saved.
    """
    options.check()
    steps = steps or Steps(
        run, config, run.devices(options.devices), options.parallel, options.cache_bytes, remat=options.remat
    )
    with contextlib.ExitStack() as stack:
        score_name = evaluator.by if evaluator else "pixels"
        checkpoints = Checkpoints(path / "checkpoints", by=score_name, say=_printer(options))
        stack.callback(checkpoints.close)
        with waiting("preparing the initial state", options):
            state, is_resumed = _initial_state(run, checkpoints)
        start = int(state.step)

        terminal = Terminal(config.steps, start, _is_quiet(options), run.experiment.medium.noun)
        stack.callback(terminal.close)
        _announce(terminal, start, config.steps, is_resumed, path)

        diverged = DivergedMembers(run, terminal.say)
        if start > 0:
            diverged.indices |= find_diverged_states(state, len(run.seeds)).keys()
        log = MetricsLog(run, config, path, start, diverged, terminal)
        stack.callback(log.close)
        if is_resumed:
            log.restore_monitor(state, start)
        if evaluator and jax.process_index() == 0:
            evaluator.open(path / "evaluations.jsonl", start, terminal.say)

        schedule = WriteSchedule(config.steps, start, options, steps.max_steps_per_call, run.experiment.at)
        profiler = StepProfiler(path / "profile", schedule.profiled, log.write, terminal.say)
        stack.callback(profiler.close)
        samples = SampleWriter(run, config, path / "samples", name, terminal)
        saver = CheckpointSaver(run, config, checkpoints, schedule, diverged, evaluator)
        signals = stack.enter_context(StopSignals())

        state = run.place(state, steps.devices, steps.method)
        loop = _Loop(steps, schedule, log, samples, saver, profiler, signals, terminal, check_directory)
        try:
            stop = loop.train(state, start, config.steps)
            with terminal.busy("waiting for the last checkpoint to be written"):
                checkpoints.wait()
            check_directory()
        except OSError as error:
            raise OSError(f"{_describe_last(checkpoints.last_step or start)}: {reason_of(error)}.") from error
        terminal.close()
        is_interrupted = bool(stop) and saver.last_step != config.steps
        _announce_end(terminal, saver.last_step, start, config.steps, is_interrupted)
        if is_interrupted:
            raise Interrupted(stop, saved=True)


@dataclasses.dataclass(frozen=True)
class _Loop:
    """The objects that the training loop uses in every iteration."""

    steps: Steps
    schedule: WriteSchedule
    log: MetricsLog
    samples: SampleWriter
    saver: CheckpointSaver
    profiler: StepProfiler
    signals: StopSignals
    terminal: Terminal
    check_directory: Callable[[], None]

    def train(self, state: State, step: int, last: int) -> int:
        """Train from the state after ``step`` until step ``last``.

        Returns:
          The number of the signal that stopped the training early, or 0.
        """
        if step == 0:
            self._write_samples(state, 0)
        call = self._plan(step, last)
        if call and self.signals.immediate:
            return self.signals.immediate  # before the compilation, which can take minutes
        with BatchFeeder(self.steps, step) as feeder:
            while call:
                state = (self._compile if call.compiles else self._call)(state, feeder, call)
                step = call.stop
                call = self._prepare_next(feeder, step, last)
                self.log.probe(state, step)
                if self.schedule.due(step).metrics or self.signals.immediate:
                    stop = self._write_what_is_due(state, step)
                    if stop:
                        return stop
                call = call or self._plan(step, last)
        return 0

    def _plan(self, step: int, last: int) -> Call | None:
        """Return the call after ``step``, or None if ``step`` is the last step."""
        if step >= last:
            return None
        if self.steps.call_compiles(step):
            return Call(step, 1, compiles=True)
        return Call(step, self.schedule.next_call(step, self.log.seconds_per_step), compiles=False)

    def _prepare_next(self, feeder: BatchFeeder, step: int, last: int) -> Call | None:
        """Plan the call after ``step``, and read its batches while the devices compute.

        Returns:
          The call; None if it is better planned later, because its batches need no preparation or the time of a step
          is not known yet.
        """
        if not (feeder.works_ahead and self.log.is_timed):
            return None
        call = self._plan(step, last)
        if call:
            feeder.prepare(call)
        return call

    def _call(self, state: State, feeder: BatchFeeder, call: Call) -> State:
        """Call the compiled function once, and return the new state."""
        with self.profiler.around(call.step, call.count):
            state, metrics = self.steps.at(call.step)(state, feeder.take(call))
        self.log.append(call.step + 1, call.count, metrics)
        return state

    def _compile(self, state: State, feeder: BatchFeeder, call: Call) -> State:
        """Compile the step of a game by calling the step once, and exclude the time of this call from the speed."""
        where = "" if call.step == self.schedule.start else f" for the game that begins at step {call.step + 1}"
        with self.terminal.compiling(f"compiling the training step{where}"):
            state = jax.block_until_ready(self._call(state, feeder, call))
        self.log.restart_clock()
        return state

    def _write_samples(self, state: State, step: int) -> None:
        with self.terminal.busy(f"generating the samples of step {step}"):
            self.samples.write(state, step)

    def _write_what_is_due(self, state: State, step: int) -> int:
        """Write the metrics, samples and checkpoint that are due after a step.

        Returns:
          The number of the signal on which the training must stop, or 0.
        """
        self.check_directory()
        due, stop = self.schedule.due(step), self.signals.agree()
        # While the devices compute the newest call, the metrics of the earlier calls are written.
        self.log.write(keep=0 if stop or due.samples or due.checkpoint else 1)
        if self.signals.immediate and not stop:  # the signal arrived while the log waited for the devices
            stop = self.signals.immediate
            self.log.write()
        if due.samples:
            self._write_samples(state, step)
        if due.checkpoint or stop:
            self.log.save_monitor(step, self.saver.newest_steps())
            self.saver.save(state)
        return stop


def _initial_state(run: TrainingRun, checkpoints: Checkpoints) -> tuple[State, bool]:
    """Return the initial state, and whether it was restored from a checkpoint."""
    restored = checkpoints.restore(run.state_shapes())
    return (run.init(run.keys), False) if restored is None else (restored, True)


def _describe_last(step: int) -> str:
    return f"The run stopped after the checkpoint of step {step}" if step else "The run stopped before a checkpoint"


def _announce(terminal: Terminal, start: int, steps: int, is_resumed: bool, path: Path) -> None:
    """Print the first and the last step of the training."""
    if is_resumed:
        terminal.say(f"resumed from step {start}")
    elif (path / "metrics.jsonl").exists():
        terminal.say("found no checkpoint, so the training starts again from step 0")
    if start >= steps:
        terminal.say(f"nothing to do: the run is at step {start} of {steps}; to train longer, increase the steps")
    else:
        terminal.say(f"training until step {steps}; output directory: {path}")


def _announce_end(terminal: Terminal, saved: int | None, start: int, steps: int, is_interrupted: bool) -> None:
    """Print the step of the last checkpoint, and how to continue a run that was interrupted."""
    if saved is not None:
        more = f" of {steps}; to continue, run the same command again" if is_interrupted else ""
        terminal.say(f"saved at step {saved}{more}")
    elif is_interrupted:
        terminal.say(f"stopped before step {start + 1}; to continue, run the same command again")


def _is_quiet(options: RunOptions) -> bool:
    return options.quiet or jax.process_index() > 0


def _printer(options: RunOptions) -> Callable[[str], None]:
    """Return ``say``, or for a quiet run a function that prints nothing."""
    return say_nothing if _is_quiet(options) else say
