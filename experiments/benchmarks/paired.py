"""Time several forms (implementations) of a computation in one process, one after the other in alternating order."""

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
    """Compile the step of a game, and return a function that computes one step and returns its time in seconds.

    Args:
      game: the game.
      batch: the batch of every step, as ``Game.step`` accepts it.
      seed: seed of the initial state.
    """
    state = jax.jit(game.init)(jax.random.key(seed))
    step = jax.jit(lambda state, batch: game.step(state, batch), donate_argnums=0).lower(state, batch).compile()
    return call_timer(lambda state, _: step(state, batch), state)


def call_timer(call: Callable[[Any, int], tuple[Any, Any]], state: Any, calls: int = 1, steps: int = 1) -> Callable:
    """Return a function that makes ``calls`` calls and returns the mean time of one step in seconds.

    The returned function is called three times in advance, so that compilation is not timed.

    Args:
      call: function ``(state, i) -> (next state, metrics)``, where ``i`` is the index of the call, from 0 to ``calls -
        1``.
      state: the initial state.
      calls: number of calls that the returned function makes.
      steps: total number of steps that the ``calls`` calls compute. The measured time is divided by it.
    """

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
    """Time all forms in each round, in alternating order, and print a table that compares them with the first form.

    The table lists the median time of each form, and the median of the ratios to the first form within a round. These
    ratios stay reliable when the speed of the machine changes during the measurement.

    Args:
      timers: maps the name of each form to a function that runs it and returns its time in seconds.
      rounds: number of rounds.
    """
    names = list(timers)
    first = names[0]
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            times[name].append(timers[name]())
    title = f"{system.hardware()}, jax {system.versions()['jax']}"
    table = Table("form", "ms per step", f"form / {first}", "5 % to 95 %", f"{first} / form", title=title)
    base = np.array(times[first])
    for name in names:
        ratios = np.array(times[name]) / base
        low, high = np.quantile(ratios, [0.05, 0.95])
        milliseconds = 1e3 * np.median(times[name])
        cells = f"{milliseconds:.2f}", f"{np.median(ratios):.2f}", f"{low:.2f} to {high:.2f}", np.median(1 / ratios)
        table.add_row(name, *cells[:3], f"{cells[3]:.3f}")
    Console().print(table)
