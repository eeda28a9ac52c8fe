"""Kill runs at random moments with SIGKILL, and compare the finished runs with uninterrupted ones.

Each run is killed several times before it is left to finish. The moments are uniform over the time of an uninterrupted
run, so a kill can hit the start of the process, the compilation, the training, the writing of a checkpoint and the
report. The first run of each experiment starts with an empty cache of compiled programs, and the others start with the
cache that the runs before them have filled.
"""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.programs import Program

COUNT = 100  # kills, over all experiments
KILLS_PER_RUN = 5
# Each experiment has a state of another kind: BatchNorm, the path-length mean and ADA, a pool of images and two data
# orders, one player, and no moving statistics.
EXPERIMENTS = ("gan", "dcgan", "vae", "cyclegan", "stylegan2")
STEPS = 150
OPTIONS = ("--checkpoint-every", "5", "--sample-every", "50")


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return "" if hasattr(signal, "SIGKILL") else "SIGKILL exists only on POSIX systems."


def run(count: int, seed: int, folder: Path, experiments: tuple[str, ...] = EXPERIMENTS) -> Iterator[Case]:
    """Yield one case for each kill, and one for each finished run.

    Args:
      count: number of kills over all experiments. Kills of programs that had already ended are not counted.
      seed: seed of the moments.
      folder: directory for the runs.
      experiments: the experiments, which share the kills.
    """
    for i, experiment in enumerate(experiments):
        share = count // len(experiments) + (i < count % len(experiments))
        if share:
            yield from _kill_experiment(experiment, share, random.Random(f"{seed} {experiment}"), folder / experiment)


def _kill_experiment(experiment: str, kills: int, rng: random.Random, folder: Path) -> Iterator[Case]:
    program = Program(experiment, folder, STEPS, OPTIONS)
    whole, durations = folder / "whole", []
    for run_dir in (folder / "first", whole):  # the second run finds its programs compiled, as most killed ones do
        start = time.monotonic()
        output = program.run(program.train_flags(run_dir), folder / "log")
        durations.append(time.monotonic() - start)
        if output.code != 0:
            yield Case(f"{experiment}, uninterrupted", "did not run", True, output.text)
            return
    found = runs.differences(folder / "first", whole)
    if found:  # no comparison is possible on a machine that does not repeat itself
        yield Case(f"{experiment}, two uninterrupted runs", "differs", True, "; ".join(found))
        return
    shutil.rmtree(folder / "first")
    number = 0
    while kills > 0:
        number += 1
        broken = folder / f"run{number}"
        if number == 1:
            program.forget_compiled()
        done = 0
        for kill in range(min(KILLS_PER_RUN, kills)):
            is_compiled = number > 1 or kill > 0
            moment = rng.uniform(0, durations[is_compiled])
            phase = _kill_after(program, broken, moment, folder / "log")
            if phase == "ended":
                break
            done += 1
            yield Case(f"{experiment}, run {number}, kill {kill + 1} after {moment:.2f} s", f"killed {phase}")
        kills -= done
        output = program.run(program.train_flags(broken), folder / "log")
        yield _compare(f"{experiment}, run {number}, killed {done} times", output, whole, broken)


def _kill_after(program: Program, run_dir: Path, seconds: float, log: Path) -> str:
    """Start a run and kill it after some seconds. Return its phase at this moment, or "ended" if it had ended."""
    process = program.start(program.train_flags(run_dir), log)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGSTOP)  # the phase does not change while it is determined
        phase = find_phase(run_dir, log)
        process.kill()
        process.wait()
        return phase
    return "ended"


def find_phase(run_dir: Path, log: Path) -> str:
    """Return what a run is doing, from its output and from the files of its directory."""
    printed = log.read_text(errors="replace")
    if "saved at step" in printed:
        return "at the end"
    if "compiling the training step" not in printed:
        return "at the start"
    if "compiled in" not in printed:
        return "while compiling"
    return "while writing a checkpoint" if unfinished_checkpoints(run_dir) else "while training"


def unfinished_checkpoints(run_dir: Path) -> list[Path]:
    """Return the directories of the checkpoints that are being written, or that a killed process did not finish."""
    folder = run_dir / "checkpoints"
    found = list(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if not path.name.isdigit()]


def _compare(name, output, whole, broken) -> Case:
    if output.code != 0 or output.has_traceback:
        return Case(name, "did not finish", True, output.text)
    found = runs.differences(whole, broken)
    if found:
        return Case(name, "finished, but differs", True, "; ".join(found))
    shutil.rmtree(broken)
    return Case(name, "finished, bitwise equal")
