"""Where the files of a run's data lie: recorded as absolute paths, so that the run can be read from any directory."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS = ("data", "data_a", "test_data", "test_data_a")  # those that may name files
PREFIXES = ("stacked:", "tiles:")  # which may stand before a path, see ``jaxgan.data.load``


def find_data_paths(config: Any) -> dict[str, str]:
    """The absolute paths of the files that settings name, by the setting.

    Settings that name other data, such as ``digits``, or files that are not there, are left out.
    """
    paths = {name: _split(value)[1] for name, value in _given(config).items()}
    return {name: os.path.abspath(path) for name, path in paths.items() if Path(path).exists()}


def locate_data(config: Any, paths: Mapping[str, str]) -> Any:
    """The settings with recorded paths in the place of those that are not there from the working directory.

    Args:
      config: settings as they were typed.
      paths: what ``find_data_paths`` returned when the run was made.

    Raises:
      ValueError: files are at neither of the two places.
    """
    found = {}
    for name, value in _given(config).items():
        prefix, typed = _split(value)
        if name not in paths or Path(typed).exists():
            continue
        if not Path(paths[name]).exists():
            raise ValueError(
                f"`{name}` {value}: the run's pictures are not at {paths[name]} any more; bring them back, or put a "
                "link in their place."
            )
        found[name] = prefix + paths[name]
    return dataclasses.replace(config, **found)


def _given(config: Any) -> dict[str, str]:
    values = {name: getattr(config, name, None) for name in SETTINGS}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _split(value: str) -> tuple[str, str]:
    """The prefixes of a setting, and what stands after them.

    >>> _split("stacked:tiles:photos"), _split("photos")
    (('stacked:tiles:', 'photos'), ('', 'photos'))
    """
    prefix = next((prefix for prefix in PREFIXES if value.startswith(prefix)), "")
    if not prefix:
        return "", value
    others, path = _split(value.removeprefix(prefix))
    return prefix + others, path
