"""Store the memory of a probe beside the checkpoints of a run, so that a resumed run continues its diagnosis exactly.

A probe compares a state with the states at the previous two probes, see ``jaxgan.monitoring.probe``. The file
``monitor/<step>.npz`` contains the arrays that it needs to continue after the checkpoint of this step.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.core.files import naming, replacing

FOLDER = "monitor"  # the folder of the files in the directory of a run


def write_memory(path: Path, step: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the memory of a probe.

    Args:
      path: the directory of the run.
      step: the step of the checkpoint that the memory belongs to.
      arrays: dictionary from names to arrays, as ``Probe.memory`` returns it.

    Raises:
      OSError: if the file cannot be written.
    """
    file = _file(path, step)
    file.parent.mkdir(exist_ok=True)
    with naming(file), replacing(file) as out:
        np.savez(out, **dict(arrays))  # pyright: ignore[reportArgumentType]


def read_memory(path: Path, step: int) -> dict[str, np.ndarray] | None:
    """Return the memory of a probe as a dictionary from names to arrays, or None if no memory was stored.

    Args:
      path: the directory of the run.
      step: the step of the checkpoint that the memory belongs to.

    Raises:
      ValueError: if the file is damaged.
      OSError: if the file cannot be read.
    """
    file = _file(path, step)
    return read_npz(file, compressed=False) if file.exists() else None


def remove_memories(path: Path, keep: Collection[int]) -> None:
    """Remove the files that belong to no checkpoint.

    Args:
      path: the directory of the run.
      keep: the steps of the files that are not removed.
    """
    names = {_file(path, step).name for step in keep}
    for file in (path / FOLDER).glob("*.npz*"):
        if file.name not in names:
            file.unlink(missing_ok=True)


def _file(path: Path, step: int) -> Path:
    return path / FOLDER / f"{step}.npz"
