"""Who is trained in a run: one game, or a population, and what each member has of its own.

An experiment's settings may have ``population``, how many seeds from ``seed`` on, and ``vary``, settings of which
members have different values: ``("learning_rate=1e-4,4e-4",)``. There is a member for every choice of values and seed.
"""

import dataclasses
import itertools
import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import parallel
from jaxgan.core import system
from jaxgan.core.game import State
from jaxgan.data.source import hold_out
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.experiment.private_run import made_private
from jaxgan.games.population import Population, member

MOST = 4096  # seeds


def listed_members(config: Any) -> list[dict[str, Any]]:
    """What each member has of its own, ``seed`` and the settings that vary; a single game's is an empty list.

    Raises:
      ValueError: a setting is not one that can vary, or has no values.
    """
    varied = {}
    for text in getattr(config, "vary", ()):
        name, values = _parsed(text, config)
        if name in varied:
            raise ValueError(f"--vary {name}: named twice; give all its values at once, separated by commas")
        varied[name] = values
    population = getattr(config, "population", 1)
    if not 1 <= population <= MOST or config.seed + population > 2**32:
        raise ValueError(f"--population {population}: from 1 to {MOST:,}, of seeds below 2**32")
    seeds = range(config.seed, config.seed + population)
    if len(seeds) == 1 and not varied:
        return []
    return [
        {"seed": seed, **dict(zip(varied, values))} for values in itertools.product(*varied.values()) for seed in seeds
    ]


def _parsed(text: str, config: Any) -> tuple[str, list[float]]:
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    floats = [field.name for field in dataclasses.fields(config) if isinstance(getattr(config, field.name), float)]
    numbers = [field for field in floats if not field.startswith("private_")]
    if name not in numbers:
        raise ValueError(f"--vary {text}: {name!r} cannot vary within one program; what can: {', '.join(numbers)}")
    try:
        return name, [float(value) for value in values.split(",")]
    except ValueError:
        raise ValueError(f"--vary {text}: want numbers, separated by commas: {name}=1e-4,4e-4") from None


def use_cores(config: Any) -> None:
    """Make as many virtual CPU devices as cores, for a population; unless JAX_NUM_CPU_DEVICES says how many."""
    told = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if len(listed_members(config)) > 1 and jax.config.jax_num_cpu_devices == -1 and not told:  # pyright: ignore
        try:
            jax.config.update("jax_num_cpu_devices", system.cores())
        except RuntimeError:  # JAX is in use
            return


def cast(config: Any, experiment: Experiment, build: Build) -> "One | Many":
    """Whom the settings ask for."""
    if getattr(config, "held_out", 0):
        source, held = hold_out(experiment.source, config.held_out)
        experiment = dataclasses.replace(experiment, source=source, held_out=held)
    members = listed_members(config)
    if members and getattr(config, "private_noise", 0):
        raise ValueError("--private-noise: of one run; each member of a population would spend privacy of its own")
    return Many(made_private(experiment, config), config, build, members) if members else One(experiment, config)


class One:
    """A single game.

    Attributes:
      game: what is trained: a ``Game`` or a ``Population``.
      init: ``game.init``, compiled.
      keys: what it takes.
      seeds: of the order of each member's data.
      told: what each has of its own, for the run's record; of a single game nothing.
      shape: what a batch's arrays have after the examples and before an example's own shape.
    """

    shape: tuple[int, ...] = ()

    def __init__(self, experiment: Experiment, config: Any):
        self.experiment = made_private(experiment, config)
        self.game, self.keys = self.experiment.game, jax.random.key(config.seed)
        self.init = jax.jit(self.game.init)
        self.seeds, self.told = (config.seed,), []

    def devices(self, count: int | None) -> list[parallel.Device]:
        """Those to train on, of all or of the ``count`` asked for."""
        return parallel.devices(count)

    def check_divides(self, batch_size: int, on: Sequence[parallel.Device]) -> None:
        """``ValueError`` unless a batch is dealt evenly to the devices."""
        if batch_size % len(on):
            told = parallel.nearest(batch_size, len(on))
            raise ValueError(f"--batch-size {batch_size}: it does not divide over {len(on)} devices; use {told}")

    def place(self, state: State, on: Sequence[parallel.Device], form: str) -> State:
        return parallel.replicate(state, on, local=form == "pmap")

    def step(self, step: int, on: Sequence[parallel.Device], form: str, **how: Any) -> parallel.Step:
        """The compiled step of the game at ``step``."""
        spread = parallel.pmap if form == "pmap" else parallel.shard_map
        return spread(self.experiment.at(step), on, **how)

    def batch(self, own: Sequence[Any]) -> Any:
        """A step's batch, from each member's."""
        return own[0]

    def states(self, state: State) -> list[State]:
        """Each member's own, as this process's first device or the host has it: for sampling, which is not spread."""
        return [jax.tree.map(lambda x: x.addressable_data(0) if isinstance(x, jax.Array) else x, state)]

    def probed(self, state: State) -> State:
        """The state as ``probe.Probe`` takes it."""
        return self.states(state)[0]

    def name(self, i: int) -> str:
        """For messages; empty for a single game."""
        return ""


class Many(One):
    """The members of a population, spread over devices."""

    def __init__(self, experiment: Experiment, config: Any, build: Build, members: list[dict[str, Any]]):
        self.experiment, self._config, self._build, self.told = experiment, config, build, members
        self.seeds = tuple(own["seed"] for own in members)
        self.keys = jnp.stack([jax.random.key(seed) for seed in self.seeds])
        self.shape = (len(members),)
        names = [name for name in members[0] if name != "seed"]
        self._settings = {name: np.array([own[name] for own in members], np.float32) for name in names}
        for own in members if names else ():  # a value that is out of its range is met here
            self._varied(**{name: own[name] for name in names})
        self.game = self._population(0)
        self.init = jax.jit(self.game.init)

    def devices(self, count: int | None) -> list[parallel.Device]:
        if jax.process_count() > 1:
            raise ValueError("a population runs on one host; start one on each, with other seeds")
        on, size = parallel.devices(count), len(self.seeds)
        fitting = [n for n in range(1, len(on) + 1) if size % n == 0]
        if count and count not in fitting:
            raise ValueError(
                f"--devices {count} do not share {size} members evenly; use {' or '.join(map(str, fitting))}"
            )
        return on[: fitting[-1]]

    def check_divides(self, batch_size: int, on: Sequence[parallel.Device]) -> None:
        """Each member has a whole batch, on one device."""

    def place(self, state: State, on: Sequence[parallel.Device], form: str) -> State:
        return parallel.share_out(state, on)

    def step(self, step: int, on: Sequence[parallel.Device], form: str, **how: Any) -> parallel.Step:
        return parallel.members(self._population(step), on, **how)

    def batch(self, own: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *xs: np.stack(xs, 1), *own)

    def states(self, state: State) -> list[State]:
        whole = jax.tree.map(on_host, state)
        return [member(whole, i) for i in range(len(self.seeds))]

    def probed(self, state: State) -> State:
        return state

    def name(self, i: int) -> str:
        return f"member {i} ({', '.join(f'{name} {value:g}' for name, value in self.told[i].items())})"

    def _population(self, step: int) -> Population:
        size, game = len(self.seeds), self.experiment.at(step)
        if not self._settings:
            return Population(game, size)
        return Population(game, size, lambda **settings: self._varied(**settings).at(step), self._settings)

    def _varied(self, **settings: Any) -> Experiment:
        return self._build(dataclasses.replace(self._config, vary=(), **settings), self.experiment.source)


def on_host(x: Any) -> Any:
    """An array, or keys, on the host."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(np.asarray(jax.random.key_data(x))), impl=jax.random.key_impl(x))
    return np.asarray(x)
