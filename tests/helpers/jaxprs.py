"""Inspect traced programs (jaxprs)."""

import math
from collections.abc import Iterator
from typing import Any

import jax.extend.core


def equations(program: Any) -> Iterator[Any]:
    """Yield all equations of a traced program, and the equations of the programs inside them.

    Args:
      program: the result of ``jax.make_jaxpr(...)(...)``.
    """
    for equation in getattr(program, "jaxpr", program).eqns:
        yield equation
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from equations(inner)


def branches(program: Any) -> list[Any]:
    """Return all branches (``jax.lax.cond``) of a traced program.

    Args:
      program: the result of ``jax.make_jaxpr(...)(...)``.
    """
    return [equation for equation in equations(program) if equation.primitive.name == "cond"]


def returned_bytes(equation: Any) -> int:
    """Return the size in bytes of all arrays that an equation returns."""
    return sum(math.prod(v.aval.shape) * v.aval.dtype.itemsize for v in equation.outvars)
