"""Record the absolute paths of a run's data, so that commands find the data from any working directory."""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
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


def locate_data(config: Any, paths: Mapping[str, str], *, may_be_missing: bool = False) -> Any:
    """Replace the paths in the settings by the absolute paths that a run recorded, where these exist.

    If the data are no longer at a recorded path, for example because the run and its data were moved together, the path
    in the setting is used.

    Args:
      config: the settings as the user typed them.
      paths: the result of ``find_data_paths`` when the run was started.
      may_be_missing: whether to leave a setting unchanged if neither path exists.

    Raises:
      ValueError: if neither the recorded path nor the path in the setting exists.
    """
    found = {}
    for name, value in _given(config).items():
        prefix, typed = _split(value)
        if name not in paths:
            continue
        if Path(paths[name]).exists():
            found[name] = prefix + paths[name]
        elif not Path(typed).exists() and not may_be_missing:
            raise ValueError(
                f"`{name}` {value} could not be found, and the run's data is no longer at {paths[name]}. Move the data "
                f"back, or resume the run with `{name}` set to their new place."
            )
    return dataclasses.replace(config, **found)


def is_same_place(one: str, other: str, recorded: str | None = None) -> bool:
    """Return whether two values of a setting name the same file or folder, as ``photos``, ``photos/`` and a link to it.

    Args:
      one: the value in a run's record.
      other: the value to compare with it.
      recorded: the absolute path that the run recorded for its value; None if it recorded no path.
    """
    (prefix, path), (other_prefix, other_path) = _split(one), _split(other)
    places = {os.path.realpath(place) for place in (path, recorded) if place is not None}
    return prefix == other_prefix and Path(other_path).exists() and os.path.realpath(other_path) in places


def list_folders(config: Any, recorded: Mapping[str, str], run: Path) -> list[str]:
    """Return the folders that contain the data of a run and the run, to hide them in files that leave this machine.

    Relative paths within the working directory are left out.

    Args:
      config: the settings of the run.
      recorded: the result of ``find_data_paths`` when the run was started.
      run: the directory of the run.
    """
    paths = [
        *recorded.values(),
        *(_split(value)[1] for value in _given(config).values()),
        str(run),
        str(run.absolute()),
    ]
    outside = [path for path in paths if os.path.isabs(path) or path.startswith(("..", "~"))]
    folders = {os.path.dirname(path.rstrip(os.sep)) for path in outside}
    return sorted(folders - {"", os.path.abspath(os.sep)})


def hide_folders(value: Any, folders: Iterable[str]) -> Any:
    """Replace folders by ``...`` in each string of a value that JSON can represent.

    >>> hide_folders({"data": "tiles:/home/anna/photos", "steps": 3}, ["/home/anna"])
    {'data': 'tiles:.../photos', 'steps': 3}

    Args:
      value: the value.
      folders: the result of ``list_folders``.
    """
    if isinstance(value, Mapping):
        return {name: hide_folders(x, folders) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [hide_folders(x, folders) for x in value]
    longest_first = sorted(folders, key=len, reverse=True)
    if not isinstance(value, str) or not longest_first:
        return value
    separators = re.escape(os.sep + "/")
    return re.sub(rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest_first))})[{separators}]", ".../", value)


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
