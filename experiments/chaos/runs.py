"""Compare two runs: every array of every checkpoint to the bit, and every file that does not contain times."""

import json
from pathlib import Path
from typing import Any

from jaxgan.training.checkpoints import Checkpoints, checksums

# Files of a run that must be equal byte for byte. speed.jsonl, TensorBoard's files and the report contain times.
EQUAL_FILES = ("metrics.jsonl", "diagnosis.jsonl", "evaluations.jsonl")


def read_checksums(run_dir: Path, newest: bool = False) -> dict[int, dict[str, str]]:
    """Return a dictionary from the steps of a run's checkpoints to the SHA-256 of each leaf.

    Args:
      run_dir: the directory of the run.
      newest: whether to read only the newest checkpoint. By default, all checkpoints are read.
    """
    checkpoints = Checkpoints(run_dir / "checkpoints", read_only=True)
    try:
        steps = checkpoints.steps()
        return {step: checksums(checkpoints.read(step)) for step in (steps[-1:] if newest else steps)}
    finally:
        checkpoints.close()


def differences(whole: Path, broken: Path) -> list[str]:
    """Return the differences between an uninterrupted run and a run that was interrupted and finished.

    Args:
      whole: the directory of the uninterrupted run.
      broken: the directory of the other run.
    """
    found = []
    expected, actual = read_checksums(whole), read_checksums(broken)
    if list(expected) != list(actual):
        found.append(f"the checkpoints are of the steps {list(actual)} instead of {list(expected)}")
    for step in expected.keys() & actual.keys():
        leaves = [name for name in expected[step] | actual[step] if expected[step].get(name) != actual[step].get(name)]
        if leaves:
            found.append(f"{len(leaves)} leaves of checkpoint {step} differ, among them {leaves[0]}")
    for name in sorted({*EQUAL_FILES, *_names(whole, "samples"), *_names(broken, "samples")}):
        a, b = (_content(folder / name) for folder in (whole, broken))
        if a != b:
            found.append(f"{name} differs{_first_difference(a, b)}")
    if _settings(whole) != _settings(broken):
        found.append("the settings in config.json differ")
    leftovers = sorted(path.name for path in (broken / "checkpoints").iterdir() if not path.name.isdigit())
    if leftovers or (broken / "damaged").exists():
        found.append(f"there are left-over files: {', '.join(leftovers) or 'damaged/'}")
    return found


def _names(run_dir: Path, folder: str) -> list[str]:
    return [str(path.relative_to(run_dir)) for path in (run_dir / folder).rglob("*") if path.is_file()]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _first_difference(expected: bytes | None, actual: bytes | None) -> str:
    if expected is None or actual is None:
        return ", because it is missing in " + ("the uninterrupted run" if expected is None else "the other run")
    pairs = enumerate(zip(expected.splitlines(), actual.splitlines()), 1)
    line = next((number for number, (a, b) in pairs if a != b), None)
    return f" in line {line}" if line else f": it has {len(actual)} bytes instead of {len(expected)}"


def _settings(run_dir: Path) -> Any:
    record = json.loads((run_dir / "config.json").read_text())
    return record["experiment"], record["config"], record["data"]
