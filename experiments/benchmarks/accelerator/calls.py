"""Compare one training step per call with ten, and jit with pmap; see ``experiments.benchmarks.calls``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.benchmarks import calls
from experiments.benchmarks.accelerator.context import Context
from experiments.benchmarks.games import CASES

ROUNDS = 15  # maximum number of rounds; in each round, every form computes ten steps


def measure(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the milliseconds per step of each form.

    Args:
      detail: name of a game in ``experiments.benchmarks.games``.
      context: what all measurements have in common.
      seconds: number of seconds for all measurements.
    """
    timers = calls._forms(CASES["toy" if context.small else detail])
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(1 if context.small else ROUNDS):
        for name, timer in timers.items():
            times[name].append(1e3 * timer())
        if sum(map(sum, times.values())) * 10 / 1e3 > seconds:
            break
    for name, found in times.items():
        yield {"form": name, "step_ms": float(np.median(found))}
