"""Send measurements to a worker process within a limit of time. This module does not import JAX.

A TPU, and most of a GPU's memory, can be used by a single process, so all measurements share one worker. A new worker
is started only if the worker crashed, or if a measurement took too long and the worker was killed.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from experiments.benchmarks.accelerator.plan import Measurement
from experiments.benchmarks.accelerator.record import Record

# A measurement may exceed its share by this fraction of the time of all later measurements.
OVERTIME = 0.5
MIN_SECONDS = 2.0  # seconds; with less time left, a measurement is skipped


class Worker(Protocol):
    """A process that measures."""

    def send(self, part: str, detail: str, seconds: float) -> None:
        """Start a measurement that should take a number of seconds."""
        ...

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """Return the next row of results, or None after ``timeout`` seconds. The last row has ``status``."""
        ...

    def kill(self) -> None:
        """End the process immediately."""
        ...


def run(
    plan: Sequence[Measurement],
    start: Callable[[], Worker],
    record: Record,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Make measurements one after the other, and record the results, until the time is over.

    The time that is left is divided among the remaining measurements by their shares. A measurement that exceeds its
    share takes time from the later ones, but at most the fraction ``OVERTIME``; then its worker is killed.

    Args:
      plan: the measurements.
      start: function that starts a worker.
      record: the record that receives the results.
      seconds: number of seconds after which all measurements must have ended.
      clock: function that returns the time in seconds.
    """
    end, worker = clock() + seconds, None
    for i, measurement in enumerate(plan):
        started = clock()
        left = end - started
        if left < MIN_SECONDS:
            _finish(record, measurement, f"Skipped, because the {seconds / 60:g} minutes were over.", 0.0)
            continue
        share = left * measurement.share / sum(later.share for later in plan[i:])
        print(f"{measurement.name} ...", flush=True)
        worker = worker or start()
        worker.send(measurement.part, measurement.detail, share)
        status, is_alive = _record_rows(worker, measurement, record, started + share + OVERTIME * (left - share), clock)
        if not is_alive:
            worker.kill()
            worker = None
        status = status or f"Stopped after {clock() - started:.0f} s, because its time was over."
        _finish(record, measurement, status, clock() - started)
    if worker:
        worker.kill()


def _record_rows(
    worker: Worker, measurement: Measurement, record: Record, limit: float, clock: Callable[[], float]
) -> tuple[str, bool]:
    """Record the rows of a measurement until it ends or the time ``limit``.

    Returns:
      The status of the measurement, and whether the worker can be used again. The status is empty at the time limit.
    """
    while True:
        row = worker.receive(limit - clock())
        if row is None:
            return "", False
        if "crashed" in row:
            return f"The process crashed: {row['crashed']}", False
        if "status" in row:
            return row["status"], True
        record.add(measurement, row)
        print("  " + ", ".join(f"{k} {_short(v)}" for k, v in row.items() if v is not None), flush=True)


def _finish(record: Record, measurement: Measurement, status: str, seconds: float) -> None:
    record.add(measurement, {"status": status, "seconds": round(seconds, 1)})
    if status != "done":
        print(f"  {measurement.name}: {status}", flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Workers:
    """Starts worker processes, and ends the last one when the context is left.

    Args:
      out: directory for the files of the measurements, and for worker.log, which receives the output of the workers.
      small: whether the workers measure tiny sizes.
      data: images for the short training, or None.
    """

    def __init__(self, out: str, small: bool, data: str | None):
        self._log = Path(out) / "worker.log"
        self._command = [sys.executable, "-m", "experiments.benchmarks.accelerator.worker", "--out", out]
        self._command += ["--small"] * small + (["--data", data] if data else [])
        self._last: Worker | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._last:
            self._last.kill()

    def start(self) -> Worker:
        """Start a new worker."""
        self._last = _Process(self._command, self._log)
        return self._last


class _Process:
    """A worker in a process. It reads a JSON object per measurement, and prints a JSON object per row.

    The process ends if its standard input is closed, so it does not outlive this program.
    """

    def __init__(self, command: Sequence[str], log: Path):
        # PyTorch needs memory of the same GPU, so JAX must not reserve all of it.
        environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ}
        platforms = environment.get("JAX_PLATFORMS", "")
        if platforms and "cpu" not in platforms.split(","):  # results are compared with those of the CPU
            environment["JAX_PLATFORMS"] = f"{platforms},cpu"
        self._log = log
        with log.open("a", encoding="utf-8") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
                start_new_session=True,  # so that ``kill`` can end the processes of the worker, too
            )
        self._rows: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._rows.put(json.loads(line))
        code = self._process.wait()
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = f" The end of {self._log}: {' '.join(lines[-1].split())[:300]}" if lines else ""
        self._rows.put({"crashed": f"exit code {code}.{reason}"})

    def send(self, part: str, detail: str, seconds: float) -> None:
        try:
            assert self._process.stdin
            self._process.stdin.write(json.dumps({"part": part, "detail": detail, "seconds": seconds}) + "\n")
            self._process.stdin.flush()
        except OSError:
            return  # the process has ended, which ``receive`` reports

    def receive(self, timeout: float) -> dict[str, Any] | None:
        try:
            return self._rows.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
