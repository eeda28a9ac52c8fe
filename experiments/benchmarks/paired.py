"""Times steps of one game in several forms, in turn, in one process."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxgan.core import system
from jaxgan.core.game import Game


def step_timer(game: Game, batch: Any, seed: int = 0) -> Callable[[], float]:
    """A function that takes one step of the game, compiled now, and returns its seconds."""
    state = jax.jit(game.init)(jax.random.key(seed))
    step = jax.jit(lambda state, batch: game.step(state, batch), donate_argnums=0).lower(state, batch).compile()
    return call_timer(lambda state, _: step(state, batch), state)


def call_timer(call: Callable[[Any, int], tuple[Any, Any]], state: Any, calls: int = 1, steps: int = 1) -> Callable:
    """A function that makes ``calls`` calls, ``call(state, i)``, which take ``steps``, and returns a step's seconds."""

    def run() -> float:
        nonlocal state
        start = time.perf_counter()
        metrics = None
        for i in range(calls):
            state, metrics = call(state, i)
        jax.block_until_ready((state, metrics))
        return (time.perf_counter() - start) / steps

    for _ in range(3):
        run()
    return run


def race(timers: dict[str, Callable[[], float]], rounds: int) -> None:
    """Time them in alternating order, and print them against the first.

    Times are medians; a ratio is the median of the ratios of each round, so that a machine whose speed drifts does no
    harm.
    """
    names = list(timers)
    first = names[0]
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            times[name].append(timers[name]())
    title = f"{system.hardware()}, jax {system.versions()['jax']}"
    table = Table("form", "ms a step", f"form / {first}", "5 % to 95 %", f"{first} / form", title=title)
    base = np.array(times[first])
    for name in names:
        ratios = np.array(times[name]) / base
        low, high = np.quantile(ratios, [0.05, 0.95])
        milliseconds = 1e3 * np.median(times[name])
        cells = f"{milliseconds:.2f}", f"{np.median(ratios):.2f}", f"{low:.2f} to {high:.2f}", np.median(1 / ratios)
        table.add_row(name, *cells[:3], f"{cells[3]:.3f}")
    Console().print(table)
