"""Settings from JSON: those of older runs too."""

import dataclasses
import functools
import sys
from collections.abc import Mapping
from typing import Any


def settings(values: Mapping[str, Any], config_class: type, where: Any, experiment: str) -> Any:
    """Settings from JSON, as ``config_class``. Of those that are missing, today's defaults, which is told on stderr.

    Raises:
      ValueError: there are some that the experiment does not have; the message says ``where``.
    """
    defaults = dataclasses.asdict(config_class())
    unknown = values.keys() - defaults.keys()
    if unknown:
        raise ValueError(f"{where}: settings that {experiment} does not have: {', '.join(sorted(unknown))}")
    missing = [f"{name} {_told(default)}" for name, default in defaults.items() if name not in values]
    if missing:
        told = f"an older jaxgan wrote it, without {', '.join(missing)}; add there what it was trained with"
        _warn(f"{where}: {told}")
    return config_class(**{name: tuple(x) if isinstance(x, list) else x for name, x in values.items()})


@functools.cache
def _warn(text: str) -> None:
    """Once: a run reads its record before it traces, and again when nobody else can write it."""
    print(f"warning: {text}", file=sys.stderr)


def _told(value: Any) -> str:
    """A setting as it is said on the command line."""
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
