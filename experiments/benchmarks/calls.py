"""Compare ways to call the compiled step of a game: one or ten steps per call, jit or pmap, one or eight games.

    python -m experiments.benchmarks.calls toy mlp
    JAX_NUM_CPU_DEVICES=2 python -m experiments.benchmarks.calls toy  # trains the eight games on two virtual devices
    JAX_NUM_CPU_DEVICES=4 python -m experiments.benchmarks.calls toy --several-devices  # pmap against shard_map

These ways are called forms. All forms run in one process, in alternating order. The eight games form a population: one
vmapped step trains them together. Times are milliseconds per step. For the population, this is the time of one step of
all eight games.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.games import CASES, Case, Name, build
from experiments.benchmarks.paired import call_timer, race
from jaxgan import parallel
from jaxgan.core import axis
from jaxgan.games.population import Population
from jaxgan.training.steps import MAX_STEPS_PER_CALL

_MEMBERS = 8  # number of games in the population
_EXAMPLES = 2000  # number of examples in the data set from which batches are selected


def main(games: tyro.conf.Positional[tuple[Name, ...]], rounds: int = 51, several_devices: bool = False) -> None:
    """Compare the ways to call a step, and print a table for each game.

    Args:
      games: games to time.
      rounds: number of rounds. In each round, every form computes ten steps.
      several_devices: compare ``pmap`` and ``shard_map``, which share the batch among all devices, and no other forms.
    """
    for name in games:
        print(f"{name}, {len(parallel.devices())} devices" if several_devices else name)
        race(_forms_on_all_devices(CASES[name]) if several_devices else _forms(CASES[name]), rounds)


def _forms_on_all_devices(case: Case) -> dict[str, Callable[[], float]]:
    """Return the forms that share a batch among all devices, as ``_forms`` does."""
    game, on, steps = build(case), parallel.devices(), MAX_STEPS_PER_CALL
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(steps, case.batch * game.batch_multiple, *case.shape)).astype(np.float32)
    state = game.init(jax.random.key(0))

    def timer(spread: Callable, max_steps: int | None) -> Callable[[], float]:
        step, calls = spread(game, on, max_steps=max_steps), 1 if max_steps else steps
        return call_timer(
            lambda state, i: step(state, batch if max_steps else batch[i]), parallel.replicate(state, on), calls, steps
        )

    return {
        f"{spread.__name__}, {'ten steps' if max_steps else 'one step'} per call": timer(spread, max_steps)
        for max_steps in (None, steps)
        for spread in (parallel.pmap, parallel.shard_map)
    }


def _forms(case: Case) -> dict[str, Callable[[], float]]:
    """Return a dictionary from forms to functions that compute ten steps and return the mean seconds per step."""
    game, device = build(case), parallel.devices(1)
    population, devices = Population(game, _MEMBERS), parallel.devices()
    rng = np.random.default_rng(0)
    data = rng.normal(size=(_EXAMPLES, *case.shape)).astype(np.float32)
    size, steps = case.batch * game.batch_multiple, MAX_STEPS_PER_CALL

    def draw_rows(*shape):
        return rng.integers(_EXAMPLES, size=shape, dtype=np.int32)

    def pick(data, rows):
        return data[rows]

    def step(state, data, rows):
        return game.step(state, pick(data, rows))

    def new_state():
        return game.init(jax.random.key(0))

    def new_replica():
        return parallel.replicate(new_state(), device)

    one, ten, of_members = draw_rows(size), draw_rows(steps, size), draw_rows(steps, size, _MEMBERS)
    resident = jnp.asarray(data)
    jitted = jax.jit(step, donate_argnums=0)
    pmap_options = {"in_axes": (None, None, 0), "out_axes": None, "devices": device, "donate_argnums": 0}
    mapped = jax.pmap(step, axis.NAME, **pmap_options)
    options: dict[str, Any] = {"prepare": pick, "resident": data, "max_steps": steps}
    ten_steps = parallel.pmap(game, device, **options)
    members = parallel.members(population, devices, **options)
    member_states = parallel.share_out(population.init(jax.random.split(jax.random.key(0), _MEMBERS)), devices)
    return {
        "jit": call_timer(lambda state, _: jitted(state, resident, one), new_state(), steps, steps),
        "pmap": call_timer(lambda state, _: mapped(state, resident, one[None]), new_replica(), steps, steps),
        "ten steps per call": call_timer(lambda state, _: ten_steps(state, ten), new_replica(), 1, steps),
        f"{_MEMBERS} games, ten steps per call": call_timer(
            lambda state, _: members(state, of_members), member_states, 1, steps
        ),
    }


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
