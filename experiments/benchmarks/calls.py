"""What a step costs by how it is called: alone or ten at once, under jit or pmap, one game or eight.

python -m experiments.benchmarks.calls toy mlp
JAX_NUM_CPU_DEVICES=2 python -m experiments.benchmarks.calls toy   # the population on two devices

Each form runs in turn, in one process, in alternating order; a population's step is one of all its members.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.games import CASES, Case, Name, build
from experiments.benchmarks.paired import race, timed
from jaxgan import parallel
from jaxgan.core import axis
from jaxgan.games.population import Population
from jaxgan.training.steps import MAX_STEPS_PER_CALL

MEMBERS, EXAMPLES = 8, 2000


def main(games: tyro.conf.Positional[tuple[Name, ...]], rounds: int = 51) -> None:
    """Compare, and print.

    Args:
      games: which.
      rounds: each times every form once, for ten steps.
    """
    for name in games:
        print(name)
        race(forms(CASES[name]), rounds)


def forms(case: Case) -> dict[str, Callable[[], float]]:
    """By name, functions that take ten steps and return the seconds of one."""
    game, on = build(case), parallel.devices(1)
    population, spread = Population(game, MEMBERS), parallel.devices()
    rng = np.random.default_rng(0)
    data = rng.normal(size=(EXAMPLES, *case.shape)).astype(np.float32)
    size = case.batch * game.batch_multiple
    one, ten, of_all = (
        rng.integers(EXAMPLES, size=shape, dtype=np.int32)
        for shape in ((size,), (MAX_STEPS_PER_CALL, size), (MAX_STEPS_PER_CALL, size, MEMBERS))
    )
    picked = lambda data, rows: data[rows]  # noqa: E731
    how: dict[str, Any] = {"prepare": picked, "resident": data}
    resident = jnp.asarray(data)
    plain = jax.jit(lambda state, data, rows: game.step(state, picked(data, rows)), donate_argnums=0)
    state = lambda: game.init(jax.random.key(0))  # noqa: E731
    states = lambda: population.init(jax.random.split(jax.random.key(0), MEMBERS))  # noqa: E731
    replicated = lambda: parallel.replicate(state(), on)  # noqa: E731
    shared = lambda: parallel.share_out(states(), spread)  # noqa: E731
    spread_over_one = {"in_axes": (None, None, 0), "out_axes": None, "devices": on, "donate_argnums": 0}
    mapped = jax.pmap(lambda state, data, rows: game.step(state, picked(data, rows)), axis.NAME, **spread_over_one)
    together = parallel.pmap(game, on, **how, max_steps=MAX_STEPS_PER_CALL)
    members = parallel.members(population, spread, **how, max_steps=MAX_STEPS_PER_CALL)
    return {
        "jit": timed(lambda state, _: plain(state, resident, one), state(), MAX_STEPS_PER_CALL, MAX_STEPS_PER_CALL),
        "pmap": timed(
            lambda state, _: mapped(state, resident, one[None]), replicated(), MAX_STEPS_PER_CALL, MAX_STEPS_PER_CALL
        ),
        "ten a call": timed(lambda state, _: together(state, ten), replicated(), 1, MAX_STEPS_PER_CALL),
        f"{MEMBERS} games, ten a call": timed(lambda state, _: members(state, of_all), shared(), 1, MAX_STEPS_PER_CALL),
    }


if __name__ == "__main__":
    tyro.cli(main)
