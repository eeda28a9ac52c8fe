"""Kill one process of a run on two hosts, which are two processes on this machine.

The other process must end by itself with one sentence. Both processes are then started again with the same commands.
The finished run must be bitwise equal to an uninterrupted one on two hosts.
"""

import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.programs import Output, Program, finish

COUNT = 2  # each process is killed once
EXPERIMENT = "gan"
STEPS = 600
OPTIONS = ("--checkpoint-every", "50", "--sample-every", "200", "--parallel", "shard_map")
LONGEST_END = 150.0  # seconds within which the survivor must end


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return "" if hasattr(signal, "SIGKILL") else "SIGKILL exists only on POSIX systems."


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each killed process.

    Args:
      count: number of kills. The processes take turns.
      seed: seed of the moments of the kills.
      folder: directory for the runs.
    """
    program = Program(EXPERIMENT, folder, STEPS, OPTIONS, {"JAX_NUM_CPU_DEVICES": "1"})
    whole = folder / "whole"
    outputs = [finish(process, log) for process, log in _start_both(program, whole, folder)]
    if any(output.code != 0 for output in outputs):
        yield Case("the uninterrupted run", "did not run", True, "\n".join(output.text for output in outputs))
        return
    rng = random.Random(f"{seed} hosts")
    for number in range(count):
        broken = folder / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        yield _kill(program, number % 2, rng.uniform(0, 1), whole, broken, folder)


def _kill(program: Program, killed: int, fraction: float, whole: Path, broken: Path, folder: Path) -> Case:
    """Kill a process after it has taken a fraction of the steps, and judge what the other process does."""
    started = _start_both(program, broken, folder)
    step = int(fraction * STEPS)
    name = f"process {killed} killed near step {step}"
    while _newest_step(broken) <= step and all(process.poll() is None for process, _ in started):
        time.sleep(0.005)
    started[killed][0].kill()
    start = time.monotonic()
    survivor = finish(*started[1 - killed], LONGEST_END)
    seconds = time.monotonic() - start
    started[killed][0].wait()
    if survivor.code is None:
        return Case(name, f"the survivor did not end within {LONGEST_END:.0f} s", True, survivor.text)
    if not survivor.is_one_sentence:
        return Case(name, f"the survivor ended with exit code {survivor.code}", True, survivor.text)
    outputs: list[Output] = [finish(process, log) for process, log in _start_both(program, broken, folder)]
    if any(output.code != 0 or output.has_traceback for output in outputs):
        return Case(name, "could not be resumed", True, "\n".join(output.text for output in outputs))
    found = runs.differences(whole, broken)
    if found:
        return Case(name, "resumed, but differs", True, "; ".join(found))
    return Case(name, "survivor ended with one sentence, resumed bitwise equal", detail=f"{seconds:.0f} s")


def _start_both(program: Program, run_dir: Path, folder: Path) -> list[tuple[subprocess.Popen, Path]]:
    """Start the two processes of a run. Return each process and the file with its output."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    flags = [*program.train_flags(run_dir), "--coordinator", coordinator, "--num-processes", "2"]
    logs = [folder / f"log{i}" for i in range(2)]
    return [(program.start([*flags, "--process-id", str(i)], log), log) for i, log in enumerate(logs)]


def _newest_step(run_dir: Path) -> int:
    """Return the number of steps in metrics.jsonl, or -1 before the first one."""
    path = run_dir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") - 1 if path.exists() else -1
