"""Check numbers that can be tracers, because they are settings that differ between the members of a population.

The value of a tracer is unknown while a step is traced. It can be computed with, but not compared in Python.
"""

import math
from typing import Any

from jax.core import Tracer


def is_traced(value: Any) -> bool:
    """Return whether a number is a tracer, so that Python code cannot compare its value."""
    return isinstance(value, Tracer)


def refuse_traced(name: str, value: Any) -> None:
    """Raise a ``TypeError`` if a number is a tracer.

    Args:
      name: the name of the argument, for the error message.
      value: the number.
    """
    if is_traced(value):
        raise TypeError(
            f"`{name}` must be a Python number, got a traced value. It cannot differ between the members of a "
            "population. Train a separate game for each value."
        )


def check_between(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False, hint: str = ""
) -> None:
    """Raise a ``ValueError`` unless a number is between two limits. The value of a tracer is not checked.

    >>> check_between("gamma", -1.0, 0)
    Traceback (most recent call last):
    ValueError: `gamma` must be at least 0, got -1.0.

    Args:
      name: the name of the argument, for the error message.
      value: the number. NaN is never allowed.
      low, high: the smallest and the largest allowed number.
      above: whether ``low`` itself is not allowed.
      hint: a sentence that the error message ends with.
    """
    if is_traced(value) or ((low < value if above else low <= value) and value <= high):
        return
    least = f"above {low:g}" if above else f"at least {low:g}"
    allowed = least if high == math.inf else f"{least} and at most {high:g}" if above else f"between {low:g} and {high:g}"
    raise ValueError(f"`{name}` must be {allowed}, got {value}.{' ' + hint if hint else ''}")
