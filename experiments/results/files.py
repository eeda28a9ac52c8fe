"""The format of the files of results: one JSON file in this folder for each measured result.

``FIELDS`` and ``NESTED`` list the fields of a file. The name of a file consists of the experiment, a hyphen and one or
two words that describe the data and the settings.
"""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.cli import experiment_files
from jaxgan.core.json_files import TYPE_NAMES, read_json

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SIGNIFICANT_DIGITS = 4  # of scores

NUMBER = (int, float)
OPTIONAL_NUMBER = (int, float, type(None))
OPTIONAL_TEXT = (str, type(None))

# The fields of a result and the types of their values.
FIELDS: dict[str, tuple[type, ...]] = {
    "experiment": (str,),
    "preset": OPTIONAL_TEXT,  # the preset in the command; null for a command without a preset
    "command": (str,),  # the exact command that trained the run
    "data": (dict,),
    "hardware": (dict,),
    "versions": (dict,),
    "seed": (int,),
    "steps": (int,),
    "time": (dict,),
    "scores": (list,),
    "date": (str,),  # the day of the measurement, such as 2026-11-30
    "picture": OPTIONAL_TEXT,  # path of a sample grid of this run, relative to the repository
    "note": OPTIONAL_TEXT,  # one sentence that the table shows below the scores
}
NESTED: dict[str, dict[str, tuple[type, ...]]] = {
    "data": {"name": (str,), "examples": (int, type(None)), "resolution": OPTIONAL_TEXT},
    "hardware": {"name": (str,), "cores": (int, type(None))},
    "versions": {"jax": (str,), "python": OPTIONAL_TEXT},
    "time": {"clock_seconds": OPTIONAL_NUMBER, "processor_seconds": OPTIONAL_NUMBER},
}
# A score. Its value is a number, or a list of the lowest and the highest number among several seeds.
SCORE: dict[str, tuple[type, ...]] = {"name": (str,), "value": (int, float, list), "protocol": (dict,)}
# The protocol of a score: the number of samples, the features that were compared (null for metrics that compare no
# features), and the data that the samples were compared with.
PROTOCOL: dict[str, tuple[type, ...]] = {"count": (int, type(None)), "features": OPTIONAL_TEXT, "data": (str,)}


def read_results(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return a dictionary from names to the results in a folder, in the order of the table.

    Raises:
      ValueError: if a file is not a valid result.
    """
    results = {}
    for path in folder.glob("*.json"):
        result = read_json(path)
        check_result(result, str(path))
        results[path.stem] = result

    def order(name: str) -> tuple[str, bool, str]:
        result = results[name]
        has_flags = result["command"] != f"jaxgan train {result['experiment']}"
        return result["experiment"], has_flags, name

    return {name: results[name] for name in sorted(results, key=order)}


def check_result(result: Any, name: str) -> None:
    """Check the fields of a result and the types of their values.

    Args:
      result: the content of a JSON file.
      name: name of the file, which error messages contain.

    Raises:
      ValueError: if a field is missing, unknown or has a value of the wrong type.
    """
    _check_fields(result, FIELDS, name)
    for field, types in NESTED.items():
        _check_fields(result[field], types, f"{name}: `{field}`")
    if result["experiment"] not in experiment_files.names():
        raise ValueError(
            f"{name}: `experiment` must be one of {', '.join(experiment_files.names())}, got {result['experiment']!r}."
        )
    try:
        datetime.date.fromisoformat(result["date"])
    except ValueError:
        raise ValueError(f"{name}: `date` must be a date such as 2026-11-30, got {result['date']!r}.") from None
    if not result["scores"]:
        raise ValueError(f"{name}: `scores` must contain at least one score.")
    for i, score in enumerate(result["scores"]):
        where = f"{name}: `scores[{i}]`"
        _check_fields(score, SCORE, where)
        _check_fields(score["protocol"], PROTOCOL, f"{where}: `protocol`")
        value = score["value"]
        if isinstance(value, list) and not (len(value) == 2 and all(isinstance(x, NUMBER) for x in value)):
            raise ValueError(f"{where}: `value` must be a number, or the lowest and the highest number, got {value}.")


def _check_fields(value: Any, types: Mapping[str, tuple[type, ...]], name: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {value!r}.")
    missing = [field for field in types if field not in value]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}.")
    unknown = [field for field in value if field not in types]
    if unknown:
        raise ValueError(f"{name} has the unknown fields {', '.join(unknown)}; allowed are {', '.join(types)}.")
    for field, allowed in types.items():
        if not isinstance(value[field], allowed) or isinstance(value[field], bool):
            expected = " or ".join(TYPE_NAMES[each] for each in allowed)
            raise ValueError(f"{name}: `{field}` must be {expected}, got {value[field]!r}.")


def write_result(result: Mapping[str, Any], path: Path) -> None:
    """Write a result as JSON.

    Raises:
      ValueError: if the result is not valid.
    """
    check_result(result, str(path))
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
