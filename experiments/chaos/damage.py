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
STEPS = 12
OPTIONS = ("--checkpoint-every", "4", "--sample-every", "6")
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
    """A run without damage, and what the commands print and write for it.

    Args:
      folder: directory for the run and for the outputs of the commands.
    """

    def __init__(self, folder: Path):
        self.path, self._out, self._continued = folder / "healthy", folder / "samples.npz", folder / "continued"
        self._program = Program(EXPERIMENT, folder, STEPS, OPTIONS)
        trained = self._program.run_here(*self._program.train_flags(self.path))
        if trained.code != 0:
            raise RuntimeError(f"The run to damage could not be trained:\n{trained.text}")
        self.steps = list(runs.read_checksums(self.path))
        self._expected = {step: self._use(self.path, step) for step in self.steps}
        self._best = self._run("inspect", self.path, "--best").text
        shutil.copytree(self.path, self._continued)
        self._resume(self._continued)
        self._continued_leaves = runs.read_checksums(self._continued, newest=True)

    def compare(self, name: str, file: Path, damaged: Path) -> Case:
        """Use a damaged copy of this run, and return the case.

        Args:
          name: the name of the case.
          file: the damaged file, relative to the run's directory.
          damaged: the directory of the damaged copy.
        """
        problems, refused = [], False
        is_checkpoint = file.parts[0] == "checkpoints"
        for step in [int(file.parts[1])] if is_checkpoint else self.steps[-1:]:
            for command, (expected, actual) in zip(
                ("inspect", "sample"), zip(self._expected[step], self._use(damaged, step))
            ):
                if actual.code == 0 and actual.text != expected.text:
                    problems.append(f"SILENTLY WRONG: {command}\n{actual.text}")
                elif actual.code != 0 and not actual.is_one_sentence:
                    problems.append(f"TRACEBACK: {command}\n{actual.text}")
                refused = refused or actual.code != 0
        best = self._run("inspect", damaged, "--best")
        if best.has_traceback or (best.code != 0 and not best.is_one_sentence):
            problems.append(f"TRACEBACK: inspect --best\n{best.text}")
        elif best.code == 0 and not best.text.endswith(self._best) and "score" not in best.text:
            problems.append(f"SILENTLY WRONG: inspect --best\n{best.text}")
        resumed = self._resume(damaged)
        outcome = self._judge_resumed(resumed, file, damaged, problems)
        if refused and outcome == NO_EFFECT:
            outcome = REFUSED
        if problems:
            outcome = problems[0].partition("\n")[0]
        return Case(name, outcome, bool(problems), "\n".join(problems))

    def _judge_resumed(self, resumed: Output, file: Path, damaged: Path, problems: list[str]) -> str:
        """Return the outcome of the command ``resume``, and append its failures to ``problems``."""
        if resumed.has_traceback:
            problems.append(f"TRACEBACK: resume\n{resumed.text}")
        elif resumed.code != 0:
            if file.name != "config.json":  # without the settings, a run cannot be resumed
                problems.append(f"LOCKED: resume\n{resumed.text}")
            elif not resumed.is_one_sentence:
                problems.append(f"NOT ONE SENTENCE: resume\n{resumed.text}")
            return REFUSED
        elif runs.read_checksums(damaged, newest=True) != self._continued_leaves:
            problems.append(f"SILENTLY WRONG: resume, parameters\n{resumed.text}")
        different = [name for name in runs.EQUAL_FILES if not _equal(self._continued / name, damaged / name)]
        unreported = [name for name in different if name not in resumed.text]
        if unreported == [file.name] and _is_readable(damaged / file):
            return UNDETECTABLE
        if unreported:
            problems.append(f"SILENTLY WRONG: resume, {', '.join(unreported)}\n{resumed.text}")
        return REPORTED if "is damaged" in resumed.text or different else NO_EFFECT

    def _use(self, run_dir: Path, step: int) -> tuple[Output, Output]:
        """Return the outputs of ``inspect`` and ``sample`` for a checkpoint, with the bytes of the samples."""
        self._out.unlink(missing_ok=True)
        inspected = self._run("inspect", run_dir, "--step", step)
        code, text = self._run("sample", run_dir, "--step", step, "--count", 2, "--out", self._out)
        if code == 0:
            text = self._out.read_bytes().hex()
        return inspected, Output(code, text)

    def _resume(self, run_dir: Path) -> Output:
        return self._run("resume", run_dir, "--steps", STEPS + 1)

    def _run(self, command: str, run_dir: Path, *flags: object) -> Output:
        return self._program.run_here(command, "--run-dir", run_dir, *flags)


def _equal(a: Path, b: Path) -> bool:
    return a.exists() == b.exists() and (not a.exists() or a.read_bytes() == b.read_bytes())


def _is_readable(path: Path) -> bool:
    """Return whether each line of a file is a valid JSON object."""
    try:
        return all(isinstance(json.loads(line), dict) for line in path.read_bytes().splitlines())
    except ValueError:
        return False
