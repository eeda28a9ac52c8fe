"""Send the signals of users and schedulers to a run in five phases.

The phases are: the start of the process, the compilation, the training between two checkpoints, the writing of a
checkpoint, and the end of the run. After the signal, the process must end by itself without a traceback. A run that had
begun to train must save its state. The run that is finished later must be bitwise equal to an uninterrupted one.
"""

import itertools
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.kills import find_phase
from experiments.chaos.programs import Output, Program, finish

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
PHASES = ("at the start", "while compiling", "while training", "while writing a checkpoint", "at the end")
COUNT = len(SIGNALS) * len(PHASES)
EXPERIMENT = "gan"
STEPS = 400
OPTIONS = ("--checkpoint-every", "20", "--sample-every", "200")
LONGEST_STOP = 60.0  # seconds within which a process must end after the signal


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    unknown = [name for name in SIGNALS if not hasattr(signal, name)]
    return f"This system has no {' and no '.join(unknown)}." if unknown else ""


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each signal and phase.

    Args:
      count: number of cases. If it is smaller than the number of signals times phases, a random selection is tried.
      seed: seed of the selection.
      folder: directory for the runs.
    """
    program, whole = Program(EXPERIMENT, folder, STEPS, OPTIONS), folder / "whole"
    output = program.run(program.train_flags(whole), folder / "log")
    if output.code != 0:
        yield Case("the uninterrupted run", "did not run", True, output.text)
        return
    cases = list(itertools.product(SIGNALS, PHASES))
    for name, phase in random.Random(f"{seed} signals").sample(cases, min(count, len(cases))):
        broken = folder / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        yield _send(program, signal.Signals[name], phase, whole, broken, folder / "log")


def _send(program: Program, number: signal.Signals, phase: str, whole: Path, broken: Path, log: Path) -> Case:
    name = f"{number.name} {phase}"
    flags = program.train_flags(broken)
    process = program.start(flags, log)
    reached = _wait_for_phase(process, phase, broken, log)
    if reached:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
    stopped = finish(process, log, LONGEST_STOP)
    if not reached:
        return Case(name, "phase not reached", True, stopped.text)
    if stopped.code is None:
        return Case(name, "hang", True, stopped.text)
    allowed = (0, 128 + number) if phase == "at the end" else (128 + number,)
    if stopped.has_traceback or stopped.code not in allowed:
        return Case(name, f"exit code {stopped.code}", True, stopped.text)
    saved = "saved at step" in stopped.text
    if phase != "at the start" and not saved:
        return Case(name, "not saved", True, stopped.text)
    return _finish(program, name, "saved, then resumed" if saved else "ended before the first step", whole, broken, log)


def _finish(program: Program, name: str, outcome: str, whole: Path, broken: Path, log: Path) -> Case:
    """Finish the run, and return the case with this outcome if the run equals the uninterrupted one."""
    output: Output = program.run(program.train_flags(broken), log)
    if output.code != 0 or output.has_traceback:
        return Case(name, "could not be resumed", True, output.text)
    found = runs.differences(whole, broken)
    if found:
        return Case(name, "resumed, but differs", True, "; ".join(found))
    return Case(name, f"{outcome}, bitwise equal")


def _wait_for_phase(process: subprocess.Popen, phase: str, run_dir: Path, log: Path) -> bool:
    """Stop a process with SIGSTOP when it is in a phase. Return False if the process ended before."""
    while process.poll() is None:
        if _may_be_in(phase, run_dir, log):
            process.send_signal(signal.SIGSTOP)
            if find_phase(run_dir, log) == phase:
                return True
            process.send_signal(signal.SIGCONT)
        time.sleep(0.002)
    return False


def _may_be_in(phase: str, run_dir: Path, log: Path) -> bool:
    """Return whether the process is in the phase. At the start, wait until jaxgan has printed its first line."""
    return find_phase(run_dir, log) == phase and (phase != "at the start" or log.stat().st_size > 0)
