"""Read the file that is passed as ``train --config``.

The file maps names of settings and options to their values, in YAML or JSON. It can also be the config.json of a run.
"""

import argparse
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.cli import suggestions
from jaxgan.cli.fields import Field
from jaxgan.cli.flags import VALUES, Mistake, convert
from jaxgan.core.files import read_limited

MAX_BYTES = 2**20  # maximum size of the file; the settings of an experiment need 2**12


def read_config_file(path: Path, fields: Sequence[Field]) -> dict[str, Any]:
    """Return a dictionary from field names to the values in a file.

    Args:
      path: the file.
      fields: the fields of the command ``train``.

    Raises:
      Mistake: if the file cannot be read, a name in it is unknown, or a value is not allowed.
    """
    by_name = {field.name: field for field in fields if field.name != "config"}
    return {name: _value(path, by_name, name, value) for name, value in _read(path).items()}


def _read(path: Path) -> dict[str, Any]:
    import yaml  # not at the top, because most commands do not need it

    try:
        # JSON is a subset of YAML. safe_load does not create Python objects that the file names.
        content = yaml.safe_load(read_limited(path, MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise Mistake(f"--config {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" The error is in line {where.line + 1}." if where else ""
        raise Mistake(f"--config {path} is neither valid YAML nor valid JSON.{line}") from None
    if not isinstance(content, dict):
        raise Mistake(f"--config {path} must map names of settings to values, as in batch_size: 64.")
    if isinstance(content.get("config"), dict) and isinstance(content.get("experiment"), str):  # a run's config.json
        from jaxgan.experiment.settings_file import rename_settings  # not at the top, because it imports JAX

        options = content.get("options")
        settings = rename_settings(content["config"], content["experiment"])
        content = {**(options if isinstance(options, dict) else {}), **settings}
    return {str(name).replace("-", "_"): value for name, value in content.items()}


def _value(path: Path, fields: Mapping[str, Field], name: str, value: Any) -> Any:
    field = fields.get(name)
    if field is None:
        similar = suggestions.closest(name, fields)
        fix = f" Did you mean {similar}?" if similar else ""
        raise Mistake(f"--config {path}: This experiment has no setting {reprlib.repr(name)[1:-1]}.{fix}")
    if value is None and field.is_optional:
        return None
    is_list = isinstance(value, list)
    items = value if is_list and field.is_tuple else [value]
    is_bool = isinstance(value, bool)
    fits = field.is_tuple == is_list and not any(isinstance(item, dict | list) for item in items)
    if not fits or is_bool != (field.type == "bool"):
        allowed = "a list" if field.is_tuple else VALUES.get(field.type, "true or false")
        raise Mistake(f"--config {path}: {name} must be {allowed}, got {reprlib.repr(value)}.")
    if is_bool:
        return value
    try:
        values = [convert(field, str(item)) for item in items]
    except argparse.ArgumentTypeError as error:
        raise Mistake(f"--config {path}: {name} {error}") from None
    return values if field.is_tuple else values[0]
