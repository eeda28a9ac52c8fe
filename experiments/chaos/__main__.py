"""Kill, damage and mislead runs on purpose, and count what they survive.

    python -m experiments.chaos                                   # every trial; see docs/reliability.md for the time
    python -m experiments.chaos --trial kills --count 20 --seed 0

A trial attacks small runs of the experiments, which are the same programs that users start. Each attack is a case. The
trials are:

    kills      kill -9 at random moments; the finished run must be bitwise equal to an uninterrupted one
    damage     each file of each checkpoint and of the run emptied, halved, deleted or with a flipped bit
    disks      file systems of 2, 4 and 8 MB that become full (requires root on Linux)
    signals    SIGINT, SIGTERM, SIGHUP and SIGUSR1 in five phases of a run
    hosts      two processes on this machine, each of which is killed once
    mutations  3,000 changed files of every kind that jaxgan reads
    malicious  files that were made to execute code, to fill the memory or to never end

Counts are printed as the program runs. Each case is written to results.jsonl in the output directory as soon as it is
known. The exit code is 0 if no case failed, and 1 otherwise. The directories of failed trials are kept there.
"""

import importlib
import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Literal, TextIO, get_args

import tyro

from experiments.chaos import machine
from jaxgan.cli.errors import ending_quietly

Trial = Literal["kills", "damage", "disks", "signals", "hosts", "mutations", "malicious"]
_SECONDS_BETWEEN_LINES = 10.0  # seconds between two printed lines of counts


def main(
    trial: tuple[Trial, ...] = get_args(Trial), count: int | None = None, seed: int = 0, out: str = "chaos"
) -> None:
    """Run the trials one after the other.

    Args:
      trial: trials to run. By default, all trials.
      count: number of cases of each trial. By default, each trial has the number of docs/reliability.md.
      seed: seed of all random choices. The same seed repeats the same attacks; the moments of kills depend on the speed
        of the machine, too.
      out: directory for the results and for the runs, which need up to 200 MB.
    """
    if count is not None and count < 1:
        sys.exit(f"error: --count must be at least 1, got {count}.")
    if seed < 0:
        sys.exit(f"error: --seed must be at least 0, got {seed}.")
    folder = Path(out).absolute()
    modules = {name: importlib.import_module(f"experiments.chaos.{name}") for name in trial}
    # Everything is checked before the first trial, because the last one may start an hour later.
    missing = {name: reason for name, module in modules.items() if (reason := module.missing(folder))}
    for name, reason in missing.items():
        print(f"{name}: skipped. {reason}", flush=True)
    if len(missing) == len(modules):
        sys.exit(2)
    folder.mkdir(parents=True, exist_ok=True)
    print(machine.describe(), flush=True)
    rows, start = [], time.monotonic()
    with (folder / "results.jsonl").open("w", encoding="utf-8") as results:
        _write(results, machine=machine.describe(), seed=seed, skipped=missing)
        for name, module in modules.items():
            if name not in missing:
                rows.append((name, _run(name, module, count, seed, folder, results)))
    print(f"\n{machine.describe()}; {(time.monotonic() - start) / 60:.0f} minutes\n\n{_format_table(rows, missing)}")
    if any(failed for _, (_, failed, _) in rows):
        print(f"The failed cases are in {folder / 'results.jsonl'}.")
        sys.exit(1)


def _run(
    name: str, module: ModuleType, count: int | None, seed: int, folder: Path, results: TextIO
) -> tuple[Counter, int, float]:
    """Run a trial. Return the number of cases of each outcome, the number of failed cases, and the time in seconds."""
    work = folder / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    outcomes, failed, start = Counter(), 0, time.monotonic()
    last_line = start
    for case in module.run(module.COUNT if count is None else count, seed, work):
        outcomes[case.outcome] += 1
        failed += case.failed
        now = time.monotonic()
        _write(results, trial=name, **case._asdict(), seconds=round(now - start, 1))
        if case.failed:
            print(f"{name}: FAILED: {case.name}: {case.outcome}\n{case.detail}", flush=True)
        if now - last_line > _SECONDS_BETWEEN_LINES:
            last_line = now
            print(f"{name}: {outcomes.total()} cases: {_format_counts(outcomes)}", flush=True)
    seconds = time.monotonic() - start
    print(
        f"{name}: {outcomes.total()} cases in {seconds:.0f} s: {_format_counts(outcomes)}; {failed} failed", flush=True
    )
    if not failed:
        shutil.rmtree(work)
    return outcomes, failed, seconds


def _write(results: TextIO, **row: object) -> None:
    results.write(json.dumps(row) + "\n")
    results.flush()


def _format_counts(outcomes: Counter) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.most_common())


def _format_table(rows: list[tuple[str, tuple[Counter, int, float]]], missing: dict[str, str]) -> str:
    """Return a table in Markdown with one row for each trial."""
    lines = ["| trial | cases | outcomes | failed | minutes |", "|---|---|---|---|---|"]
    for name, (outcomes, failed, seconds) in rows:
        cells = [name, f"{outcomes.total():,}", _format_counts(outcomes), str(failed), f"{seconds / 60:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| {name} | skipped | {reason} | | |" for name, reason in missing.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    with ending_quietly():
        tyro.cli(main, description=__doc__)
