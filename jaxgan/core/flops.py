"""Count the floating-point operations of the matrix products and convolutions in a traced function.

Each multiplication of a product or a convolution counts as two operations, because an addition follows it. Other
operations are not counted, because they take little time in comparison. The counts follow these rules:

- A transposed convolution inserts zeros between the rows and columns of its input. Multiplications with these zeros are
  not counted. Multiplications with the zeros of padding are counted.
- Only the last branch of a conditional is counted. For ``lax.platform_dependent`` this is the default branch, so the
  count does not depend on the machine.
- The body of a ``while`` loop is counted once, because the number of its iterations is unknown.

    >>> import jax, jax.numpy as jnp
    >>> count(jax.make_jaxpr(jnp.dot)(jnp.ones((2, 3)), jnp.ones((3, 4))))
    48
"""

import collections
import math
import re
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

_SCOPE = re.compile(r"layer\[([^\]]*)\]")


def scope(name: str) -> Any:
    """Return a context manager that labels operations with a name, so that ``count_by_scope`` counts them separately.

    Args:
      name: the name of the scope, without square brackets.
    """
    return jax.named_scope(f"layer[{name}]")


def count(program: ClosedJaxpr) -> int:
    """Return the number of floating-point operations of a function that ``jax.make_jaxpr`` has traced.

    Args:
      program: the traced function, as ``jax.make_jaxpr(function)(*args)`` returns it.
    """
    return sum(count_by_scope(program).values())


def count_by_scope(program: ClosedJaxpr) -> dict[str, int]:
    """Return a dictionary from the name of each ``scope`` to its number of floating-point operations.

    An operation inside nested scopes counts for the innermost scope only. Operations outside of all scopes are counted
    under an empty name.

    Args:
      program: the traced function, as ``jax.make_jaxpr(function)(*args)`` returns it.
    """
    counts: dict[str, int] = collections.Counter()
    for name, operations in _operations(program.jaxpr, "", 1):
        counts[name] += operations
    return dict(counts)


def _operations(program: Jaxpr, outer: str, times: int) -> Iterator[tuple[str, int]]:
    """Yield the scope and the number of operations of each product and convolution in a function.

    Each number is multiplied by ``times``, because the function runs ``times`` times.
    """
    for equation in program.eqns:
        # The name stack of an equation inside a nested function begins at that function.
        name = [outer, *_SCOPE.findall(str(equation.source_info.name_stack))][-1]
        operations = _own_operations(equation)
        if operations:
            yield name, times * operations
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        for inner in _inner_programs(equation):
            yield from _operations(inner, name, times * turns)


def _inner_programs(equation: Any) -> list[Jaxpr]:
    """Return the functions inside an operation. For a conditional, return the last branch only."""

    def is_program(x):
        return isinstance(x, Jaxpr | ClosedJaxpr)

    leaves = jax.tree.leaves(list(equation.params.values()), is_leaf=is_program)
    programs = [x.jaxpr if isinstance(x, ClosedJaxpr) else x for x in leaves if is_program(x)]
    return programs[-1:] if equation.primitive.name == "cond" else programs


def _own_operations(equation: Any) -> int:
    """Return twice the number of multiplications of a matrix product or a convolution, and 0 for other operations."""
    if equation.primitive.name == "dot_general":
        contracted, _ = equation.params["dimension_numbers"]
        left, output = equation.invars[0].aval, equation.outvars[0].aval
        return 2 * output.size * math.prod(left.shape[axis] for axis in contracted[0])
    if equation.primitive.name == "conv_general_dilated":
        kernel, output = equation.invars[1].aval, equation.outvars[0].aval
        features = kernel.shape[equation.params["dimension_numbers"].rhs_spec[0]]
        products = output.size * kernel.size // features
        return 2 * products // math.prod(equation.params["lhs_dilation"])
    return 0
