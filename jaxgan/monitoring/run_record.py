"""Read the ``config.json`` of a run, and check the types of its entries.

This module does not import JAX, so that the command line can read the name of an experiment quickly.
"""

import re
from collections.abc import Mapping
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
    "data?": {**EXAMPLES, "conditional?": bool, "paths?": {str: str}, "test?": EXAMPLES},
    "settings_sha256?": str,
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


def advice_without_record(path: Path) -> str:
    """Return sentences that say how to use a directory without a valid ``config.json``; "" if it has nothing of a run.

    The first sentence begins with a space.

    Args:
      path: the directory.
    """
    run = next((parent for parent in path.parents[:2] if (parent / "config.json").is_file()), None)
    if run:
        return f" It is inside of a run. Pass {run} instead."
    if not any((path / "checkpoints").glob("*")):
        return ""
    return (
        " Its checkpoints are only usable with the config.json of their run. Restore this file. If it is lost, train "
        "the same experiment with the same settings in another directory, and copy the config.json of that run."
    )


def program_of(record: Mapping[str, Any]) -> str:
    """Return the command that started a run; empty if it is not known.

    A message can recommend the command. The record of a malicious run could name any command, so the result is empty
    unless the command starts ``jaxgan train`` or a Python program.

    Args:
      record: the content of the run's ``config.json``.
    """
    program = record.get("program", f"jaxgan train {record['experiment']}")  # older versions did not record it
    return program if re.fullmatch(r"jaxgan train \w+|python (-m )?[\w./ -]+", program) else ""


def summarize_privacy(record: Mapping[str, Any]) -> str:
    """Return the privacy loss of a differentially private run as sentences, or "" for other runs.

    >>> summarize_privacy({"privacy": {"planned": {"summary": "epsilon 8"}, "done": {"summary": "epsilon 3"}}})
    'epsilon 3'

    Args:
      record: the contents of ``config.json``.
    """
    privacy = record.get("privacy") or {}
    spent = privacy.get("done") or privacy.get("planned") or {}
    return str(spent.get("summary") or spent.get("told") or "")  # earlier versions wrote the key "told"
