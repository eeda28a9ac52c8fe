"""The description of a run that is printed in place of training."""

import dataclasses
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from jaxgan.core import system
from jaxgan.data import Batches
from jaxgan.experiment.experiment import parameter_counts
from jaxgan.training.runs import TrainingRun
from jaxgan.training.steps import Steps, prepare


def print_description(run: TrainingRun, config: Any, steps: Steps) -> None:
    """Print the settings of a run, its networks, and the memory and FLOPs of a step; nothing is trained.

    Args:
      run: what would be trained.
      config: its settings.
      steps: the run's compiled steps.
    """
    experiment, game = run.experiment, run.game
    state = jax.eval_shape(game.init, run.keys)
    size = config.batch_size * game.batch_multiple
    batch = run.join_batches([Batches(experiment.source, size, seed)[0] for seed in run.seeds])
    step = jax.jit(lambda state, batch: game.step(state, prepare(None, batch)))
    compiled = step.lower(state, batch).compile()
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    table = Table("setting", "value", title="settings")
    for field in dataclasses.fields(config):
        table.add_row(field.name, str(getattr(config, field.name)))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"data        {len(experiment.source):,} examples of {experiment.source.name}")
    if run.is_population:
        console.print(f"population  {len(run.seeds)} members; what follows is of all together")
    for net, count in parameter_counts(state).items():
        console.print(f"network {net:<4}{count:,} parameters")
    arrays = jax.tree.leaves(jax.eval_shape(_with_raw_key, state))
    size_of_state = sum(x.size * x.dtype.itemsize for x in arrays)
    console.print(f"state       {size_of_state / 1e6:,.1f} MB: parameters, optimizers, statistics, averages")
    if memory:
        console.print(f"memory      {memory.temp_size_in_bytes / 1e6:,.1f} MB more during a step")
    console.print(f"step        {cost.get('flops', float('nan')) / 1e9:,.3f} GFLOP, as XLA counts them")
    console.print(f"hardware    {system.hardware()}")


def _with_raw_key(state):
    return state.replace(key=jax.random.key_data(state.key))
