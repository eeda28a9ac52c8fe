"""Check numbers and arrays while a step is traced.

A setting that differs between the members of a population is a tracer. The value of a tracer is unknown while a step is
traced. It can be computed with, but not compared in Python.
"""

from typing import Any

import jax.numpy as jnp
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


def check_at_least(name: str, value: Any, least: float, hint: str = "") -> None:
    """Raise a ``ValueError`` if a number is below ``least`` or NaN. The value of a tracer is not checked.

    >>> check_at_least("gamma", -1.0, 0)
    Traceback (most recent call last):
    ValueError: `gamma` must be at least 0, got -1.0.

    Args:
      name: the name of the argument, for the error message.
      value: the number.
      least: the smallest allowed number.
      hint: a sentence that ends the error message.
    """
    if not is_traced(value) and not value >= least:
        raise ValueError(f"`{name}` must be at least {least:g}, got {value}. {hint}".rstrip())


def check_above(name: str, value: Any, limit: float) -> None:
    """Raise a ``ValueError`` unless a number is above ``limit``. The value of a tracer is not checked.

    >>> check_above("threshold", 0.0, 0)
    Traceback (most recent call last):
    ValueError: `threshold` must be above 0, got 0.0.

    Args:
      name: the name of the argument, for the error message.
      value: the number.
      limit: the number below all allowed numbers.
    """
    if not is_traced(value) and not value > limit:
        raise ValueError(f"`{name}` must be above {limit:g}, got {value}.")


def require_floats(**arrays: Any) -> None:
    """Raise a ``TypeError`` unless each argument is an array of real floating-point numbers.

    Differences of unsigned integers, such as pixels from 0 to 255, would wrap around without an error.

    Args:
      **arrays: the arrays, by the names of the arguments for the error message.
    """
    for name, x in arrays.items():
        if not hasattr(x, "shape") or not jnp.issubdtype(x.dtype, jnp.floating):
            got = f"{x.dtype}{list(x.shape)}" if hasattr(x, "shape") else type(x).__name__
            raise TypeError(
                f"`{name}` must be an array of floating-point numbers, got {got}. Convert it with "
                "jnp.asarray(x, jnp.float32). For images from 0 to 255, use jaxgan.data.normalize."
            )
