"""Kill runs at random moments with SIGKILL, and compare the finished runs with uninterrupted ones.

Each run is killed several times before it is left to finish. The moments are uniform over the time of an uninterrupted
run, so a kill can hit the start of the process, the compilation, the training, the writing of a checkpoint and the
report. The first killed run of small experiments starts with an empty cache of compiled programs. All other runs start
with the cache that the runs before them have filled.
"""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.programs import Program

COUNT = 100  # kills, over all experiments
KILLS_PER_RUN = 10
# Percentage of the kills that each experiment receives. Each has a state of another kind: plain networks, BatchNorm, a
# single player, a pool of images with two orders of the data, and the path-length mean with styles. The last two are
# restarted fewer times, because a process traces them for ten seconds.
EXPERIMENTS = {"gan": 24, "dcgan": 24, "vae": 24, "cyclegan": 14, "stylegan2": 14}
COMPILED_ANEW = ("gan", "dcgan", "vae")  # the other experiments compile for a minute
STEPS = 100
OPTIONS = ("--checkpoint-every", "5", "--sample-every", "50")


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return "" if hasattr(signal, "SIGKILL") else "SIGKILL exists only on POSIX systems."


def run(count: int, seed: int, folder: Path, experiments: Mapping[str, int] = EXPERIMENTS) -> Iterator[Case]:
    """Yield one case for each kill, and one for each finished run.

    Args:
      count: number of kills over all experiments. Kills of programs that had already ended are not counted.
      seed: seed of the moments.
      folder: directory for the runs.
      experiments: a dictionary from names of experiments to their shares of the kills.
    """
    done, given, total = 0, 0, sum(experiments.values())
    for experiment, share in experiments.items():
        given += share
        kills = count * given // total - done  # the rounded numbers add up to count
        done += kills
        if kills:
            yield from _kill_experiment(experiment, kills, random.Random(f"{seed} {experiment}"), folder / experiment)


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
        is_cold = number == 1 and experiment in COMPILED_ANEW
        if is_cold:
            program.forget_compiled()
        done = 0
        for kill in range(min(KILLS_PER_RUN, kills)):
            moment = rng.uniform(0, durations[0 if is_cold and kill == 0 else 1])
            start = time.monotonic()
            phase = _kill_after(program, broken, moment, folder / "log")
            if phase == "ended":  # the machine has become faster
                durations[1] = min(durations[1], time.monotonic() - start)
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
        return "ended"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGSTOP)  # the phase does not change while it is determined
        return find_phase(run_dir, log)
    finally:
        process.kill()
        process.wait()


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
