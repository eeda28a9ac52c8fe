"""Floating-point operations of a traced function: matrix products and convolutions, two for each multiplication.

Other operations are few beside these and are not counted. The zeros that a transposed convolution puts between the
rows of its input are not counted either; those of padding are. Of the branches of a conditional, only the last one is
counted, which is the default of ``lax.platform_dependent``, so a count does not depend on the machine. The body of a
``while`` loop, whose number of turns is not known, is counted once.

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
    """A context in which operations are counted under a name, by ``count_by_scope``."""
    return jax.named_scope(f"layer[{name}]")


def count(program: ClosedJaxpr) -> int:
    """Floating-point operations of a function that ``jax.make_jaxpr`` has traced."""
    return sum(count_by_scope(program).values())


def count_by_scope(program: ClosedJaxpr) -> dict[str, int]:
    """Floating-point operations by the name of the innermost ``scope``; outside of all by an empty name."""
    counts: dict[str, int] = collections.Counter()
    for name, operations in _operations(program.jaxpr, "", 1):
        counts[name] += operations
    return dict(counts)


def _operations(program: Jaxpr, outer: str, times: int) -> Iterator[tuple[str, int]]:
    """The scope and the operations of each product and convolution, in a function that runs so many times."""
    for equation in program.eqns:
        # Names inside a nested function are relative to it.
        name = [outer, *_SCOPE.findall(str(equation.source_info.name_stack))][-1]
        operations = _own_operations(equation)
        if operations:
            yield name, times * operations
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        for inner in _inner_programs(equation):
            yield from _operations(inner, name, times * turns)


def _inner_programs(equation: Any) -> list[Jaxpr]:
    """The functions inside an operation; of a conditional the last branch."""

    def is_program(x):
        return isinstance(x, Jaxpr | ClosedJaxpr)

    leaves = jax.tree.leaves(list(equation.params.values()), is_leaf=is_program)
    programs = [x.jaxpr if isinstance(x, ClosedJaxpr) else x for x in leaves if is_program(x)]
    return programs[-1:] if equation.primitive.name == "cond" else programs


def _own_operations(equation: Any) -> int:
    """Twice the multiplications of a matrix product or a convolution; 0 of anything else."""
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
