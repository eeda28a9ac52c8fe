"""Transfer metrics from the devices to the run's files and to the terminal."""

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgan.core.state import State
from jaxgan.experiment.settings import CommonSettings
from jaxgan.monitoring import diagnostics, probe_files
from jaxgan.monitoring.diagnostics import TrainingMonitor
from jaxgan.monitoring.metrics_file import MetricsFile, metrics_to_rows, read_rows
from jaxgan.monitoring.probe import Probe
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.divergence import DivergedMembers, find_diverged_metrics, mask_members
from jaxgan.training.runs import TrainingRun


class MetricsLog:
    """Transfers metrics to the host, checks that they are finite, and writes them to files and to the terminal.

    A call of the compiled step returns before the devices have computed the metrics. ``append`` stores these metrics,
    and ``write`` waits until they have been computed. All processes of a run check the metrics, but only the first
    process writes files.

    Args:
      run: the game or the population that is trained.
      config: the experiment's settings.
      path: the run's directory. Rows after step ``start`` are removed from the files in the directory. Such rows exist
        if an earlier process wrote metrics and was killed before it saved the next checkpoint.
      start: the step that the run starts or resumes after.
      diverged: the members that have diverged. ``write`` adds each member with a metric that is NaN or infinite.
      terminal: shows the newest metrics.

    Attributes:
      seconds_per_step: time of a step in seconds, measured between the last two calls of ``write``.
      is_timed: whether ``seconds_per_step`` was measured. Before, it is almost 0.
    """

    def __init__(
        self,
        run: TrainingRun,
        config: CommonSettings,
        path: Path,
        start: int,
        diverged: DivergedMembers,
        terminal: Terminal,
    ):
        self.seconds_per_step, self.is_timed = 1e-9, False
        self._run, self._path, self._diverged, self._terminal = run, path, diverged, terminal
        self._batch_size = config.batch_size * len(run.seeds)
        # For each call with metrics that were not written yet: the first step of the call, its number of steps, the
        # total number of examples that were read until its end, and its metrics.
        self._pending: list[tuple[int, int, int, Any]] = []
        self._examples, self._has_probed = 0, False
        self._last_write, self._last_step = time.perf_counter(), start
        self._file: MetricsFile | None = None
        self._probe: Probe | None = None
        self._monitor: TrainingMonitor | None = None
        if jax.process_index() == 0:
            self._file = MetricsFile(path, start, terminal.say)
            self._probe = _make_probe(run, config)
            if self._probe:
                self._monitor = _make_monitor(run, self._probe, path, terminal, self._file.last_rows)
            if self._file.last_row:
                diverged.indices |= find_diverged_metrics(self._file.last_row).keys()

    def append(self, first: int, count: int, metrics: Any) -> None:
        """Store the metrics of a call of the compiled step until they are written.

        Args:
          first: the first step of the call.
          count: number of steps of the call.
          metrics: dictionary from names to the metrics that the call returned. Each has the shape [n] or, for a
            population, [n, members], and n is at least ``count``.
        """
        turns = self._run.experiment.at(first - 1).batch_multiple
        self._examples += count * self._batch_size * turns
        self._pending.append((first, count, self._examples, metrics))

    def restart_clock(self) -> None:
        """Restart the measurement of the time of a step and of the rate of examples.

        The measurement begins after the newest step that was appended. The devices must have finished this step.
        """
        if self._pending:
            first, count, examples, _ = self._pending[-1]
            self._last_write, self._last_step = time.perf_counter(), first + count - 1
            self._terminal.restart(self._last_step, examples)

    def probe(self, state: State, step: int) -> None:
        """Start a measurement of the state for the diagnosis of the run, if a measurement is due after this step.

        Args:
          state: the training state after the step.
          step: the number of steps taken so far.
        """
        if self._monitor and step % diagnostics.PROBE_EVERY == 0:
            # The first call compiles the probe, which must not reduce the reported rate of examples.
            with (
                contextlib.nullcontext()
                if self._has_probed
                else self._terminal.paused("compiling the training monitor")
            ):
                self._monitor.watch(self._run.probe_state(state), step)
            self._has_probed = True

    def save_monitor(self, step: int, kept: Collection[int]) -> None:
        """Store what the training monitor needs to continue after the checkpoint of a step.

        Args:
          step: the step of the checkpoint, which is not written yet.
          kept: the steps of the newest checkpoints before this one.
        """
        memory = self._probe.memory(step % diagnostics.PROBE_EVERY == 0) if self._probe else {}
        if memory:
            probe_files.write_memory(self._path, step, memory)
            probe_files.remove_memories(self._path, {step, *kept})

    def restore_monitor(self, state: State, step: int) -> None:
        """Continue the diagnosis after the checkpoint of a step.

        Args:
          state: the restored state.
          step: the step of the checkpoint.
        """
        if not self._probe or step < diagnostics.PROBE_EVERY:
            return
        try:
            memory = probe_files.read_memory(self._path, step)
            if memory:
                self._probe.restore(memory, self._run.probe_state(state))
                return
            reason = "nothing was stored with the checkpoint"
        except (ValueError, OSError) as error:
            reason = str(error)
        self._terminal.say(
            f"the next rows of diagnosis.jsonl lack swing, moved and turned, because they compare states, and {reason}"
        )

    def write(self, keep: int = 0) -> None:
        """Wait for the metrics of the calls that were appended, check them, and write them.

        Args:
          keep: number of newest calls to leave for the next ``write``.

        Raises:
          Diverged: if all members have diverged, that is, if every member that had not diverged before has a metric
            that is NaN or infinite.
        """
        ready, self._pending = self._pending[: len(self._pending) - keep], self._pending[len(self._pending) - keep :]
        row = None
        try:
            for first, count, _, metrics in ready:
                for found in metrics_to_rows(first, count, jax.device_get(metrics)):
                    self._diverged.add(found["step"], find_diverged_metrics(found))
                    row = mask_members(found, self._diverged.indices)
                    self._write_row(row)
        finally:
            if self._file:
                self._file.flush()
        if row:
            self._measure_step(row["step"])
            problems = self._monitor.summary() if self._monitor else ""
            examples_per_second = self._terminal.show(row, ready[-1][2], problems)
            if examples_per_second and self._file:
                self._file.write_speed(row["step"], examples_per_second)

    def _measure_step(self, step: int) -> None:
        steps, now = step - self._last_step, time.perf_counter()
        if steps > 0:
            self.seconds_per_step, self.is_timed = (now - self._last_write) / steps, True
            self._last_write, self._last_step = now, step

    def close(self) -> None:
        """Close the files. Metrics that were appended but not written are lost.

        Errors are not raised, because ``write`` has raised them before.
        """
        if self._file:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write_row(self, row: Any) -> None:
        diagnosis = self._monitor.add_row(row) if self._monitor else None
        if self._file:
            self._file.write(row)
            if diagnosis:
                self._file.write_diagnosis(diagnosis)


def _make_probe(run: TrainingRun, config: CommonSettings) -> Probe | None:
    """Return the probe that measures the run.

    For a differentially private run, return None, because the probe's measurements of real examples would reveal more
    than the reported privacy budget allows.
    """
    if config.dp_noise_multiplier:
        return None
    return Probe(run.experiment, config.seed, len(run.seeds) if run.is_population else None)


def _make_monitor(
    run: TrainingRun, probe: Probe, path: Path, terminal: Terminal, last_rows: Sequence[Mapping[str, Any]]
) -> TrainingMonitor:
    """Return the monitor that diagnoses the run. A resumed run continues with the findings and rows on disk."""
    earlier = [row for row in read_rows(path / "diagnosis.jsonl") if _has_members(row, run)]
    last_finding = earlier[-1]["step"] if earlier else 0
    rows = [row for row in last_rows if row["step"] > last_finding and _has_members(row, run)]
    return TrainingMonitor(probe, len(run.seeds), run.member_name, terminal.say, earlier, rows)


def _has_members(row: Mapping[str, Any], run: TrainingRun) -> bool:
    """Return whether each value of a row from a file is a number or, for a population, a list with all members."""
    values = [value for name, value in row.items() if name not in ("step", "verdicts")]
    if run.is_population:
        return all(isinstance(value, list) and len(value) == len(run.seeds) for value in values)
    return not any(isinstance(value, list) for value in values)
