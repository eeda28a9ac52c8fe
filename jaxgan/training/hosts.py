"""Compare the code, the settings and the data of the processes of a run on several hosts."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import parallel
from jaxgan.core import system
from jaxgan.data import Source
from jaxgan.experiment.settings_file import without_secrets
from jaxgan.monitoring.data_paths import SETTINGS

PACKAGE = Path(__file__).parents[1]
COMPARED_EXAMPLES = 64  # number of examples of the data that the processes compare


def describe(experiment: str, config: Any) -> dict[str, str]:
    """Return what must be equal in all processes before they connect, as a dictionary from names to digests.

    The paths of the data are left out, because the data can be in another folder on each host.

    Args:
      experiment: the name of the experiment.
      config: the settings.
    """
    settings = without_secrets(dataclasses.asdict(config))
    installed = {f"the version of {name}": version for name, version in system.versions().items()}
    return {
        "the experiment": experiment,
        **installed,
        "the code of jaxgan": _digest_code(),
        **{f"the setting {name}": _digest(repr(x).encode()) for name, x in settings.items() if name not in SETTINGS},
    }


def check_data(source: Source) -> None:
    """Check that all processes read the same data. All processes of a run must call this function.

    Args:
      source: the data of this process.

    Raises:
      ValueError: if the number of examples, their shape, the classes, or one of 64 examples differ.
    """
    if jax.process_count() == 1:
        return
    digest = hashlib.sha256(f"{len(source)} {source.shape} {source.classes}".encode())
    count = min(len(source), COMPARED_EXAMPLES)
    for name, values in sorted(source.read(np.linspace(0, len(source) - 1, count).astype(int)).items()):
        digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
    different = parallel.find_different(digest.digest())
    if different:
        processes = " and ".join(map(str, different))
        raise ValueError(
            f"`data` differs between process 0 and process {processes}: the number of examples, their order, their "
            "shape, the classes or the examples themselves. Copy the same data to all hosts."
        )


def _digest_code() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
