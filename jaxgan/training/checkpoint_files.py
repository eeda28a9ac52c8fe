"""Read and write the directory of a checkpoint. Only this module uses Orbax.

A directory of checkpoints contains one directory per checkpoint, which is named after its step and contains:

state/      A flat mapping from names to the leaves of the training state, stored as host arrays. The mapping does not
            depend on the devices, so one device can read a checkpoint that eight devices or two hosts saved.
checksums/  The SHA-256 of each leaf, because Orbax reads damaged bytes without an error.
metrics/    The score of the checkpoint.

Orbax writes a checkpoint under a temporary name and renames it at the end, so a checkpoint is either complete or
missing. The scores and the checksums are JSON files, which are read without Orbax.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxgan.core.json_files import JsonError, read_json

PARTS = ("state", "checksums", "metrics")  # a directory with at least one of these parts is a checkpoint
TEMPORARY = ".orbax-checkpoint-tmp"  # part of the names that Orbax gives to checkpoints that are not complete
NO_SCORE = 1e30  # stored in place of a missing score, because JSON has no infinity; larger (worse) than every score

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax logs a line for each file


class Score(NamedTuple):
    """The score of a checkpoint.

    Attributes:
      value: the score. Lower is better. ``NO_SCORE`` for a checkpoint without a score.
      by: an identifier of the method that computed the score. Older versions of jaxgan stored none.
    """

    value: float = NO_SCORE
    by: str = "pixels"


def find_steps(directory: Path) -> list[int]:
    """Return the steps of the checkpoints in a directory, oldest first, and an empty list if it does not exist."""
    return sorted(int(path.name) for path in _entries(directory) if _is_checkpoint(path))


def find_strays(directory: Path) -> list[Path]:
    """Return the entries of a directory that are neither checkpoints nor hidden nor temporary."""
    return [
        path
        for path in _entries(directory)
        if not _is_checkpoint(path) and not path.name.startswith(".") and TEMPORARY not in path.name
    ]


def remove_unfinished(directory: Path) -> None:
    """Remove the checkpoints that a killed process was writing or deleting.

    Args:
      directory: the directory of the checkpoints.
    """
    for path in _entries(directory):
        if TEMPORARY in path.name:
            shutil.rmtree(path, ignore_errors=True)


def remove(directory: Path, step: int) -> None:
    """Delete a checkpoint. It gets a temporary name first, so that a killed process leaves no damaged checkpoint.

    Args:
      directory: the directory of the checkpoints.
      step: the step of the checkpoint.
    """
    beside = directory / f"{step}{TEMPORARY}-removed"
    (directory / str(step)).rename(beside)
    shutil.rmtree(beside)


def write(directory: Path, step: int, leaves: Mapping[str, np.ndarray], score: Score) -> None:
    """Write a checkpoint. On several hosts, all processes must call this function.

    Args:
      directory: the directory of the checkpoints.
      step: the step of the checkpoint, which must not exist.
      leaves: dictionary from names to the leaves of the state.
      score: the score of the checkpoint.
    """
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(dict(leaves)),
        checksums=ocp.args.JsonSave(checksums(leaves)),
        metrics=ocp.args.JsonSave({"score": score.value, "by": score.by}),
    )
    handler = ocp.CompositeCheckpointHandler(
        state=ocp.StandardCheckpointHandler(),
        checksums=ocp.JsonCheckpointHandler(),
        metrics=ocp.JsonCheckpointHandler(filename="metrics"),
    )
    try:
        with ocp.Checkpointer(handler) as checkpointer:
            checkpointer.save(directory.absolute() / str(step), args=items)
    except Exception:
        if is_first_process():
            remove_unfinished(directory)  # it may fill the disk
        raise


def read_score(directory: Path, step: int) -> Score:
    """Return the score of a checkpoint.

    Args:
      directory: the directory of the checkpoints.
      step: the step of the checkpoint.

    Raises:
      JsonError: if the file of the score is damaged or missing.
    """
    path = directory / str(step) / "metrics" / "metrics"
    try:
        found = read_json(path, {"score": float, "by?": str}, fix="")
    except FileNotFoundError:
        raise JsonError(f"{path} is missing.") from None
    value = float(found["score"])
    return Score(value if np.isfinite(value) else NO_SCORE, found.get("by", "pixels"))


def read_leaves(directory: Path, step: int) -> dict[str, np.ndarray]:
    """Return the leaves of a checkpoint as a dictionary from names to arrays, after verifying their checksums.

    Args:
      directory: the directory of the checkpoints.
      step: the step of the checkpoint.

    Raises:
      Exception: if the checkpoint is damaged. Orbax and TensorStore raise many types of errors.
    """
    path = directory.absolute() / str(step)
    expected = read_json(path / "checksums" / "metadata", {str: str}, fix="")
    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
        restored = checkpointer.restore(path / "state", args=ocp.args.StandardRestore())
    leaves = {name: np.asarray(leaf) for name, leaf in restored.items()}
    actual = checksums(leaves)
    wrong = [name for name in expected | actual if expected.get(name) != actual.get(name)]
    if wrong:
        raise ValueError(f"{len(wrong)} leaves, among them {wrong[0]}, do not match their checksums")
    if (np.unique(leaves.get("step", step)) != step).any():
        raise ValueError(f"it contains the state of step {leaves['step'].max()}")
    return leaves


def checksums(leaves: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return a dictionary from the name of each leaf to the SHA-256 of its dtype, shape and bytes.

    Args:
      leaves: dictionary from names to the arrays of a state.
    """

    def digest(x):
        header = f"{x.dtype.name}{list(x.shape)}".encode()
        return hashlib.sha256(header + np.ascontiguousarray(x).tobytes()).hexdigest()

    return {name: digest(leaf) for name, leaf in leaves.items()}


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _is_checkpoint(path: Path) -> bool:
    is_step = path.name.isdecimal() and path.name == str(int(path.name))
    return is_step and path.is_dir() and any((path / part).exists() for part in PARTS)


def is_first_process() -> bool:
    """Return whether this process removes and moves files, if a run has several processes."""
    return jax.process_index() == 0
