"""The file of ``train --config``: settings and options by name, in YAML or JSON; or the config.json of a run."""

import argparse
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.cli import suggestions
from jaxgan.cli.fields import Field
from jaxgan.cli.flags import VALUES, Mistake, convert


def read_config_file(path: Path, fields: Sequence[Field]) -> dict[str, Any]:
    """The values that a file gives to fields, by name.

    Raises:
      Mistake: the file cannot be read, or a name or a value in it is wrong.
    """
    by_name = {field.name: field for field in fields if field.name != "config"}
    return {name: _value(path, by_name, name, value) for name, value in _read(path).items()}


def _read(path: Path) -> dict[str, Any]:
    import yaml  # here, because few commands need it

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML; no object is made
    except OSError as error:
        raise Mistake(f"--config {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise Mistake(f"--config {path}{line} is neither YAML nor JSON.") from None
    if not isinstance(content, dict):
        raise Mistake(f"--config {path} has to hold settings by name, as in batch_size: 64.")
    if isinstance(content.get("config"), dict) and isinstance(content.get("experiment"), str):  # a run's config.json
        from jaxgan.experiment.settings_file import rename_settings  # here, because it imports JAX

        options = content.get("options")
        settings = rename_settings(content["config"], content["experiment"])
        content = {**(options if isinstance(options, dict) else {}), **settings}
    return {str(name).replace("-", "_"): value for name, value in content.items()}


def _value(path: Path, fields: Mapping[str, Field], name: str, value: Any) -> Any:
    field = fields.get(name)
    if field is None:
        near = suggestions.closest(name, fields)
        mend = f"; did you mean {near}?" if near else "."
        raise Mistake(f"--config {path}: {reprlib.repr(name)[1:-1]} is no setting of this experiment{mend}")
    if value is None and field.is_optional:
        return None
    is_list = isinstance(value, list)
    items = value if is_list and field.is_tuple else [value]
    is_bool = isinstance(value, bool)
    fits = field.is_tuple == is_list and not any(isinstance(item, dict | list) for item in items)
    if not fits or is_bool != (field.type == "bool"):
        wanted = "a list" if field.is_tuple else VALUES.get(field.type, "true or false")
        raise Mistake(f"--config {path}: {name} takes {wanted}, got {reprlib.repr(value)}.")
    if is_bool:
        return value
    try:
        values = [convert(field, str(item)) for item in items]
    except argparse.ArgumentTypeError as error:
        raise Mistake(f"--config {path}: {name} {error}") from None
    return values if field.is_tuple else values[0]
