"""Store fewer activations during a step, and compute them again for the gradient: rematerialisation.

The gradient of a network needs the activations of its layers. ``recompute`` splits the program of a network into
segments where few bytes are in use, such as between two blocks. It stores only the arrays that pass from one segment to
a later one. The other activations of a segment are computed again when the gradient reaches the segment. This takes
the time of a second forward pass, and the result is the same up to rounding. The split needs no change in the network:
it works for any network, and does not change its parameters. Derivatives of higher orders, such as the gradient of R1,
recompute activations too. ``jaxgan.games.remat`` has the wrapper that activates this for the step of a game.

``jax.checkpoint`` is not used, because it saves almost no memory on CPUs. Its recomputation is ordered by
``jax.lax.optimization_barrier``, which XLA's CPU backend removes before it orders the operations. The backend then
recomputes all segments at once. Here, the recomputation uses the gradient that reaches the segment as an operand.
"""

import contextlib
import contextvars
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Jaxpr, Literal

_MAX_SEGMENTS = 32
_active: contextvars.ContextVar[bool] = contextvars.ContextVar("remat", default=False)


@contextlib.contextmanager
def active(is_active: bool = True) -> Iterator[None]:
    """Recompute the activations of all networks that are called inside the ``with`` statement.

    Args:
      is_active: False stores all activations inside the ``with`` statement.
    """
    token = _active.set(is_active)
    try:
        yield
    finally:
        _active.reset(token)


def recompute(function: Callable[[], Any]) -> Any:
    """Return ``function()``. Inside ``active``, its gradient computes the activations of each segment again.

    Args:
      function: a function without arguments that calls a network and returns a pytree of arrays.
    """
    if not _active.get():
        return function()
    closed, shapes = jax.make_jaxpr(function, return_shape=True)()
    jaxpr, values = closed.jaxpr, dict(zip(closed.jaxpr.constvars, closed.consts))
    segments = _split(jaxpr)
    with active(False):
        for i, segment in enumerate(segments):
            run = _evaluator(segment)
            # The gradient of the last segment is computed directly after the segment itself.
            if i < len(segments) - 1:
                earlier = [n for n, v in enumerate(segment.invars) if v not in jaxpr.constvars]
                run = _recomputed(run, earlier or range(len(segment.invars)))
            values |= zip(segment.outvars, run(*[values[v] for v in segment.invars]))
    outputs = [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars]
    return jax.tree.unflatten(jax.tree.structure(shapes), outputs)


def _evaluator(jaxpr: Jaxpr) -> Callable:
    return lambda *args: jax.core.eval_jaxpr(jaxpr, (), *args)


def _recomputed(function: Callable, tied: Sequence[int]) -> Callable:
    """Return a function that computes ``function``, whose gradient stores nothing but the arguments.

    Args:
      function: a function from arrays to a sequence of arrays.
      tied: indices of the arguments that the recomputation reads only after the gradient has reached the function.
    """

    @jax.custom_vjp
    def call(*args):
        return function(*args)

    def forward(*args):
        # Indices are stored as keys, because all leaves of the residuals must be arrays.
        perturbed = {i: () for i, x in enumerate(args) if x.perturbed}
        values = [x.value for x in args]
        # Not `function`, which a derivative of a higher order would differentiate with all its activations.
        return call(*values), (values, perturbed)

    def backward(residuals, cotangents):
        values, perturbed = residuals
        reached = [j for j, x in enumerate(cotangents) if not isinstance(x, SymbolicZero)]

        def pull_back(*args):
            args, cotangents = list(args[: len(values)]), args[len(values) :]
            for i in tied:
                args[i] = _after(args[i], cotangents)

            def outputs(moving):
                everything = function(*[moving.get(i, x) for i, x in enumerate(args)])
                return [everything[j] for j in reached]

            (grads,) = jax.vjp(outputs, {i: args[i] for i in perturbed})[1](list(cotangents))
            return list(grads.values())

        grads = _recomputed(pull_back, tied)(*values, *[cotangents[j] for j in reached])
        by_index = dict(zip(perturbed, grads))
        return tuple(by_index.get(i) for i in range(len(values)))

    call.defvjp(forward, backward, symbolic_zeros=True)
    return call


def _after(x: jax.Array, others: Sequence[jax.Array]) -> jax.Array:
    """Return ``x``, in a form that XLA cannot compute with before ``others`` are computed."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x
    x, others = jax.lax.optimization_barrier((x, others))
    number = sum(other.ravel()[0].astype(jnp.float32) for other in others)
    always = (number < 0) | (number >= 0) | jnp.isnan(number)  # XLA does not simplify this
    return jnp.where(jax.lax.stop_gradient(always), x, 0)


def _split(jaxpr: Jaxpr) -> list[Jaxpr]:
    """Split a program into segments with the smallest estimated memory, stored arrays plus the largest segment."""
    costs = [sum(_bytes(v) for v in equation.outvars) for equation in jaxpr.eqns]
    crossing = _crossing_bytes(jaxpr)
    candidates = []
    for count in range(1, _MAX_SEGMENTS + 1):
        cuts = _cuts(costs, crossing, sum(costs) / count)
        ends = [0, *cuts, len(costs)]
        largest = max(sum(costs[a:b]) for a, b in itertools.pairwise(ends))
        candidates.append((sum(crossing[cut] for cut in cuts) + largest, len(cuts), ends))
    ends = min(candidates)[-1]
    return [_segment(jaxpr, a, b) for a, b in itertools.pairwise(ends)]


def _cuts(costs: list[int], crossing: list[int], limit: float) -> list[int]:
    """Return the indices before which to cut, so that segments have between about ``limit`` / 2 and ``limit`` bytes."""
    cuts, start = [], 0
    sizes = [0, *itertools.accumulate(costs)]
    for i in range(len(costs)):
        if sizes[i + 1] - sizes[start] > limit:
            fitting = [n for n in range(start + 1, i + 1) if sizes[n] - sizes[start] > limit / 2]
            if fitting:
                start = min(fitting, key=lambda n: (crossing[n], -n))
                cuts.append(start)
    return cuts


def _crossing_bytes(jaxpr: Jaxpr) -> list[int]:
    """Return, for each equation, the number of bytes that are computed before it and used from it on."""
    last = {v: i for i, equation in enumerate(jaxpr.eqns) for v in equation.invars if not isinstance(v, Literal)}
    last |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if not isinstance(v, Literal)}
    change = [0] * (len(jaxpr.eqns) + 2)
    for i, equation in enumerate(jaxpr.eqns):
        for v in equation.outvars:
            if v in last:
                change[i + 1] += _bytes(v)
                change[last[v] + 1] -= _bytes(v)
    crossing, total = [], 0
    for x in change:
        total += x
        crossing.append(total)
    return crossing


def _segment(jaxpr: Jaxpr, start: int, stop: int) -> Jaxpr:
    """Return the equations from ``start`` to ``stop`` as a program of their own."""
    equations = jaxpr.eqns[start:stop]
    computed = {v: None for equation in equations for v in equation.outvars}
    read = {v: None for equation in equations for v in equation.invars if not isinstance(v, Literal)}
    later = {v for equation in jaxpr.eqns[stop:] for v in equation.invars if not isinstance(v, Literal)}
    later |= {v for v in jaxpr.outvars if not isinstance(v, Literal)}
    return Jaxpr(
        constvars=[],
        invars=[v for v in read if v not in computed],
        outvars=[v for v in computed if v in later],
        eqns=equations,
        effects=jaxpr.effects,
        debug_info=jaxpr.debug_info.with_unknown_names(),
    )


def _bytes(v: Any) -> int:
    return math.prod(v.aval.shape) * v.aval.dtype.itemsize
