"""Record the absolute paths of a run's data, so that commands find the data from any working directory."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS = ("data", "data_a", "test_data", "test_data_a")  # settings that may contain a path
PREFIXES = ("stacked:", "tiles:")  # prefixes that may precede a path in these settings; see ``jaxgan.data.load``


def find_data_paths(config: Any) -> dict[str, str]:
    """Return the absolute paths of a run's data, as a dictionary from the names of settings to paths.

    The dictionary omits settings that refer to built-in data, such as ``digits``, and paths that do not exist.

    Args:
      config: the settings of a run, an instance of a ``Config``.
    """
    paths = {name: _split(value)[1] for name, value in _given(config).items()}
    return {name: os.path.abspath(path) for name, path in paths.items() if Path(path).exists()}


def locate_data(config: Any, paths: Mapping[str, str]) -> Any:
    """Replace the paths in the settings that do not exist in the working directory by the recorded absolute paths.

    Args:
      config: the settings as the user typed them.
      paths: the result of ``find_data_paths`` when the run was started.

    Raises:
      ValueError: if neither the typed nor the recorded path exists.
    """
    found = {}
    for name, value in _given(config).items():
        prefix, typed = _split(value)
        if name not in paths or Path(typed).exists():
            continue
        if not Path(paths[name]).exists():
            raise ValueError(
                f"`{name}` {value} could not be found, and the run's data is no longer at {paths[name]}. Move the data "
                "back, or create a link there."
            )
        found[name] = prefix + paths[name]
    return dataclasses.replace(config, **found)


def _given(config: Any) -> dict[str, str]:
    values = {name: getattr(config, name, None) for name in SETTINGS}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _split(value: str) -> tuple[str, str]:
    """Split the value of a setting into its prefixes and the rest.

    >>> _split("stacked:tiles:photos"), _split("photos")
    (('stacked:tiles:', 'photos'), ('', 'photos'))
    """
    prefix = next((prefix for prefix in PREFIXES if value.startswith(prefix)), "")
    if not prefix:
        return "", value
    others, path = _split(value.removeprefix(prefix))
    return prefix + others, path
