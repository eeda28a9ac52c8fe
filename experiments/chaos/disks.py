"""Fill the disk of a run at different moments, free it, and continue the run.

The run directory is on a file system of 2, 4 or 8 MB in memory. Most of it is taken by another file, and the remaining
space is too small for the run by a random amount. So the disk becomes full while config.json, metrics, samples, a
checkpoint or the report is written. The program must end with exit code 1 and one sentence. After the other file is
deleted and the file system is enlarged, the same command must finish the run, and the run must be bitwise equal to an
uninterrupted one.
"""

import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.programs import Program

COUNT = 15
MEGABYTES = (2, 4, 8)
ENOUGH = 64  # size in MB at which the run is finished
EXPERIMENT = "gan"
STEPS = 60
OPTIONS = ("--checkpoint-every", "10", "--sample-every", "20")
MOST_LINES = 15  # lines that a program prints at most, so that the error is not lost among messages of libraries


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    fix = "It needs Linux and root, for example in a virtual machine."
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("mount") is None:
        return f"This trial mounts file systems in memory. {fix}"
    try:
        _mount(folder / "try", 2)
    except OSError as error:
        return f"A file system in memory cannot be mounted: {error}. {fix}"
    _unmount(folder / "try")
    return ""


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each full disk.

    Args:
      count: number of full disks. The sizes take turns.
      seed: seed of the free space.
      folder: directory for the runs.
    """
    program, whole, disk = Program(EXPERIMENT, folder, STEPS, OPTIONS), folder / "whole", folder / "disk"
    output = program.run(program.train_flags(whole), folder / "log")
    if output.code != 0:
        yield Case("the uninterrupted run", "did not run", True, output.text)
        return
    needed = sum(path.stat().st_size for path in whole.rglob("*"))
    rng = random.Random(f"{seed} disks")
    for megabytes in itertools.islice(itertools.cycle(MEGABYTES), count):
        free = rng.randrange(min(needed, megabytes * 2**20))
        _mount(disk, megabytes)
        try:
            yield _fill(program, f"{megabytes} MB, {free:,} bytes free", disk, free, whole, folder / "log")
        finally:
            _unmount(disk)


def _fill(program: Program, name: str, disk: Path, free: int, whole: Path, log: Path) -> Case:
    other, run_dir = disk / "other", disk / "run"
    with other.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)
    stopped = program.run(program.train_flags(run_dir), log)
    if stopped.code == 0:
        return Case(name, "report not written") if "could not be written" in stopped.text else Case(name, "fitted")
    if stopped.code != 1 or not stopped.is_one_sentence or len(stopped.text.splitlines()) > MOST_LINES:
        lines = len(stopped.text.splitlines())
        return Case(name, f"exit code {stopped.code} after {lines} lines", True, stopped.text)
    other.unlink()
    _mount(disk, ENOUGH, "remount")
    finished = program.run(program.train_flags(run_dir), log)
    if finished.code != 0 or finished.has_traceback:
        return Case(name, "did not continue", True, stopped.text + finished.text)
    found = runs.differences(whole, run_dir)
    if found:
        return Case(name, "continued, but differs", True, "; ".join(found))
    return Case(name, "one sentence, then continued, bitwise equal")


def _mount(path: Path, megabytes: int, *options: str) -> None:
    """Mount a file system in memory. Raise ``OSError`` if the system does not allow this."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join((*options, f"size={megabytes}m")), "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr.strip())


def _unmount(path: Path) -> None:
    subprocess.run(["umount", str(path)], check=True, capture_output=True)
    path.rmdir()
