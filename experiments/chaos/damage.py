"""Damage each file of each checkpoint of a run, and each other file of the run, and use the run afterwards.

A damage empties a file, cuts it in half, deletes it, or flips a bit at one of five random places. After each damage,
the commands of a user run: ``inspect`` and ``sample`` for the damaged checkpoint, ``inspect --best``, and ``resume``
for one more step. The resumed run must be bitwise equal to an undamaged one, whichever checkpoint it was restored from.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.chaos import runs
from experiments.chaos.case import Case
from experiments.chaos.programs import Output, Program, use_cache_here

COUNT = 10_000  # more than a run has, so that all damages are tried
EXPERIMENT = "gan"
STEPS = 60  # the monitor of the training writes its first row at step 50
OPTIONS = ("--checkpoint-every", "30", "--sample-every", "60")
FLIPS = 5  # places in each file at which a bit is flipped
IGNORED = (".lock",)  # empty; a run locks it and does not read it

# Outcomes that keep the promises, from the best to the worst for the user.
NO_EFFECT = "no effect"
REPORTED = "reported, and the run continued"
REFUSED = "refused in one sentence"
UNDETECTABLE = "changed a character of a text file"


def missing(folder: Path) -> str:
    """Return why this trial cannot run on this machine; an empty text if it can."""
    return ""


def run(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Yield one case for each damage.

    Args:
      count: number of damages. If the run has more files and damages, a random selection is tried.
      seed: seed of the selection and of the places of the flipped bits.
      folder: directory for the runs.
    """
    use_cache_here(folder / "compiled")
    healthy = HealthyRun(folder)
    files = sorted(path.relative_to(healthy.path) for path in healthy.path.rglob("*") if path.is_file())
    cases = [(file, damage) for file in files if file.name not in IGNORED for damage in DAMAGES]
    rng = random.Random(f"{seed} damage")
    if count < len(cases):
        cases = sorted(rng.sample(cases, count))
    for file, damage in cases:
        damaged = folder / "copy"
        shutil.copytree(healthy.path, damaged)
        DAMAGES[damage](damaged / file, rng)
        yield healthy.compare(f"{file}, {damage}", file, damaged)
        shutil.rmtree(damaged)


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _halve(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _delete(path: Path, rng: random.Random) -> None:
    path.unlink()


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "emptied": _empty,
    "halved": _halve,
    "deleted": _delete,
    **{f"bit {i + 1} flipped": _flip for i in range(FLIPS)},
}


class HealthyRun:
    """A run without damage, and what the commands print for it.

    Args:
      folder: directory for the run and for its continuation.
    """

    def __init__(self, folder: Path):
        self.path, self._continued = folder / "healthy", folder / "continued"
        self._program = Program(EXPERIMENT, folder, STEPS, OPTIONS)
        trained = self._program.run_here(*self._program.train_flags(self.path))
        if trained.code != 0:
            raise RuntimeError(f"The run to damage could not be trained:\n{trained.text}")
        self._steps = list(runs.read_checksums(self.path))
        self._inspected = {step: self._run("inspect", self.path, "--step", step).text for step in self._steps}
        self._best = self._run("inspect", self.path, "--best").text
        shutil.copytree(self.path, self._continued)
        self._resume(self._continued)
        self._leaves = runs.read_checksums(self._continued, newest=True)

    def compare(self, name: str, file: Path, damaged: Path) -> Case:
        """Use a damaged copy of this run, and return the case.

        Args:
          name: the name of the case.
          file: the damaged file, relative to the run's directory.
          damaged: the directory of the damaged copy.
        """
        step = int(file.parts[1]) if file.parts[0] == "checkpoints" else self._steps[-1]
        read, problems = self._read(damaged, step)
        resumed, more = self._continue(damaged, file)
        problems += more
        outcome = REFUSED if REFUSED in (read, resumed) and resumed != REPORTED else resumed
        return Case(name, problems[0].partition("\n")[0] if problems else outcome, bool(problems), "\n".join(problems))

    def _read(self, damaged: Path, step: int) -> tuple[str, list[str]]:
        """Read a checkpoint as users do. Return the outcome and the broken promises with the programs' outputs."""
        problems = []
        inspected = self._run("inspect", damaged, "--step", step)
        if inspected.code == 0 and inspected.text != self._inspected[step]:
            problems.append(f"SILENTLY WRONG: inspect\n{inspected.text}")
        best = self._run("inspect", damaged, "--best")
        if best.code == 0 and not best.text.endswith(self._best) and "score" not in best.text:
            problems.append(f"SILENTLY WRONG: inspect --best\n{best.text}")
        refused = {"inspect": inspected, "inspect --best": best}
        if inspected.code != 0:  # otherwise the arrays are right, and so are the samples
            out = damaged.parent / "samples.npz"
            refused["sample"] = self._run("sample", damaged, "--step", step, "--count", 2, "--out", out)
            if refused["sample"].code == 0:
                problems.append(f"SILENTLY WRONG: sample\n{refused['sample'].text}")
        for command, output in refused.items():
            if output.code != 0 and not output.is_one_sentence:
                problems.append(f"NOT ONE SENTENCE: {command}\n{output.text}")
        return (NO_EFFECT if inspected.code == 0 else REFUSED), problems

    def _continue(self, damaged: Path, file: Path) -> tuple[str, list[str]]:
        """Resume the run. Return the outcome and the broken promises with the program's output."""
        output = self._resume(damaged)
        if output.code != 0:
            if not output.is_one_sentence:
                return REFUSED, [f"NOT ONE SENTENCE: resume\n{output.text}"]
            # Without its settings, a run cannot be resumed. Any other damage must not lock it.
            return REFUSED, [] if file.name == "config.json" else [f"LOCKED: resume\n{output.text}"]
        if output.has_traceback:
            return REPORTED, [f"TRACEBACK: resume\n{output.text}"]
        if runs.read_checksums(damaged, newest=True) != self._leaves:
            return REPORTED, [f"SILENTLY WRONG: resume\n{output.text}"]
        different = [name for name in runs.EQUAL_FILES if not _equal(self._continued / name, damaged / name)]
        unreported = [name for name in different if name not in output.text]
        if unreported == [str(file)] and _is_readable(damaged / file):
            return UNDETECTABLE, []
        if unreported:
            return REPORTED, [f"SILENTLY WRONG: {', '.join(unreported)}\n{output.text}"]
        return (REPORTED if different or _names(output, file) else NO_EFFECT), []

    def _resume(self, run_dir: Path) -> Output:
        return self._run("resume", run_dir, "--steps", STEPS + 1)

    def _run(self, command: str, run_dir: Path, *flags: object) -> Output:
        return self._program.run_here(command, "--run-dir", run_dir, *flags)


def _names(output: Output, file: Path) -> bool:
    """Return whether a message names the checkpoint of a file, or the file itself."""
    name = f"heckpoint {file.parts[1]}" if file.parts[0] == "checkpoints" else file.name
    last_lines = ("samples: ", "report: ", "more samples: ")  # these name files of every run
    return any(name in line for line in output.text.splitlines() if not line.startswith(last_lines))


def _equal(a: Path, b: Path) -> bool:
    return a.exists() == b.exists() and (not a.exists() or a.read_bytes() == b.read_bytes())


def _is_readable(path: Path) -> bool:
    """Return whether each line of a file is a valid JSON object."""
    try:
        return all(isinstance(json.loads(line), dict) for line in path.read_bytes().splitlines())
    except ValueError:
        return False
