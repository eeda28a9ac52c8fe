"""Read the ``config.json`` of a run, and check the types of its entries.

This module does not import JAX, so that the command line can read the name of an experiment quickly.
"""

from pathlib import Path
from typing import Any

from jaxgan.core.json_files import read_json

# The form of a description of examples; see jaxgan.data.description. Older versions wrote only the first three entries.
EXAMPLES = {
    "examples?": int,
    "shape?": [int],
    "classes?": [str],
    "name?": str,
    "arrays?": {str: list},
    "unpaired?": bool,
    "inputs?": int,
    "hash?": {"sha256": str, "examples": int, "decoder": str},
}
# The form of config.json; see jaxgan.core.json_files. Older versions of jaxgan wrote only the first two entries.
FORM = {
    "experiment": str,
    "config": dict,
    "data?": {**EXAMPLES, "paths?": {str: str}, "test?": EXAMPLES},
    "members?": [dict],
    "versions?": {str: str},
    "hardware?": str,
    "program?": str,
    "options?": dict,
    "privacy?": dict,
}


def read_record(path: Path) -> dict[str, Any]:
    """Return the content of the ``config.json`` of a run.

    Args:
      path: the directory of the run.

    Raises:
      FileNotFoundError: if the directory has no ``config.json``.
      ValueError: if the file cannot be read or is damaged.
    """
    fix = "Restore it from a backup, or choose another directory."
    return read_json(path / "config.json", FORM, fix=fix)
