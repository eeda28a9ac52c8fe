"""What a run trains: a single game, or a population of games.

The settings ``population`` and ``sweep`` decide which. ``population`` is the number of seeds, counted from ``seed``;
``sweep`` lists settings with the values that members take, as in ``("learning_rate=1e-4,4e-4",)``. There is one member
for every combination of values and seed.
"""

import abc
import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import parallel
from jaxgan.core import system
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.data.source import hold_out
from jaxgan.experiment.dp_training import make_private
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.experiment.settings import Settings
from jaxgan.games.population import Population, member

MAX_POPULATION = 4096  # seeds


def list_member_settings(config: Settings) -> list[dict[str, Any]]:
    """The settings in which each member differs, ``seed`` first; an empty list for a single game.

    Raises:
      ValueError: a setting cannot vary or has no values, or ``population`` is out of its range.
    """
    varied: dict[str, list[float]] = {}
    for text in config.sweep:
        name, values = _parse_variation(text, config)
        if name in varied:
            raise ValueError(f"`sweep` names {name} twice; give all its values at once, separated by commas.")
        varied[name] = values
    population = config.population
    if not 1 <= population <= MAX_POPULATION:
        raise ValueError(f"`population` must be between 1 and {MAX_POPULATION:,}, got {population}.")
    if config.seed + population > 2**32:
        raise ValueError(f"`population` needs seeds below 2**32, got {population} seeds from {config.seed} on.")
    seeds = range(config.seed, config.seed + population)
    if len(seeds) == 1 and not varied:
        return []
    return [
        {"seed": seed, **dict(zip(varied, values))} for values in itertools.product(*varied.values()) for seed in seeds
    ]


def _parse_variation(text: str, config: Settings) -> tuple[str, list[float]]:
    """A setting's name and values, of ``"learning_rate=1e-4,4e-4"``."""
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    floats = [field.name for field in dataclasses.fields(config) if isinstance(getattr(config, field.name), float)]
    can_vary = [field for field in floats if not field.startswith("dp_")]
    if name not in can_vary:
        raise ValueError(
            f"`sweep` got {text!r}, but {name!r} cannot vary, because all members share one compiled program; "
            f"the settings that can vary are {', '.join(can_vary)}."
        )
    try:
        return name, [float(value) for value in values.split(",")]
    except ValueError:
        raise ValueError(
            f"`sweep` takes numbers that are separated by commas, as in {name}=1e-4,4e-4; got {text!r}."
        ) from None


def use_cores(config: Settings) -> None:
    """Make one virtual CPU device per core if a population is trained, unless JAX_NUM_CPU_DEVICES sets the number."""
    is_set = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    is_set = is_set or jax.config.jax_num_cpu_devices != -1  # pyright: ignore
    if len(list_member_settings(config)) > 1 and not is_set:
        try:
            jax.config.update("jax_num_cpu_devices", system.cores())
        except RuntimeError:  # JAX is in use already
            return


def make_run(config: Settings, experiment: Experiment, build: Build) -> "TrainingRun":
    """The run that the settings describe: a ``SingleRun``, or a ``PopulationRun`` if they vary something.

    Args:
      config: the experiment's settings.
      experiment: ``build(config)``.
      build: makes an experiment of settings; a population calls it again for the settings of its members.

    Raises:
      ValueError: the settings contradict each other, or the experiment.
    """
    if config.num_held_out:
        source, held_out = hold_out(experiment.source, config.num_held_out)
        experiment = dataclasses.replace(experiment, source=source, held_out=held_out)
    members = list_member_settings(config)
    if not members:
        return SingleRun(experiment, config)
    if config.dp_noise_multiplier:
        raise ValueError(
            "`dp_noise_multiplier` cannot be used with a population, because each member would spend privacy of its "
            "own."
        )
    # A population is not private: this checks that the settings of private training are left at their defaults.
    return PopulationRun(make_private(experiment, config), config, build, members)


class TrainingRun(abc.ABC):
    """What a run trains, seen as a list of members: a single game has one.

    Attributes:
      experiment: the experiment; its games are private if the settings ask for that.
      game: what is trained, a ``Game`` or a wrapper such as a ``Population``.
      keys: the argument of ``game.init``.
      init: ``game.init``, compiled.
      seeds: for each member the seed of its data's order.
      member_settings: for each member the settings in which it differs; empty for a single game.
      is_population: whether states and metrics have an axis of members.
    """

    is_population: bool

    def __init__(
        self,
        experiment: Experiment,
        game: GameLike,
        keys: jax.Array,
        seeds: tuple[int, ...],
        member_settings: list[dict[str, Any]],
    ):
        self.experiment = experiment
        self.game = game
        self.keys = keys
        self.init = jax.jit(game.init)
        self.seeds = seeds
        self.member_settings = member_settings

    @abc.abstractmethod
    def devices(self, count: int | None) -> list[parallel.Device]:
        """The devices to train on: at most ``count``, or all that can be used.

        Raises:
          ValueError: there are fewer, or they cannot share the work evenly.
        """

    @abc.abstractmethod
    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        """Check that the devices share a batch evenly; raises ``ValueError`` if not."""

    @abc.abstractmethod
    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        """The state on the devices; ``method`` is ``pmap`` or ``shard_map``."""

    @abc.abstractmethod
    def compile_step(self, step: int, devices: Sequence[parallel.Device], method: str, **how: Any) -> parallel.Step:
        """The compiled step of the game that is played at ``step``; ``how`` is passed on to ``jaxgan.parallel``."""

    @abc.abstractmethod
    def join_batches(self, batches: Sequence[Any]) -> Any:
        """One step's batch, made of the batch of each member."""

    @abc.abstractmethod
    def member_states(self, state: State) -> list[State]:
        """The state of each member on one device or on the host, to draw samples with."""

    @abc.abstractmethod
    def probe_state(self, state: State) -> State:
        """The state as ``monitoring.probe.Probe`` takes it."""

    @abc.abstractmethod
    def member_name(self, i: int) -> str:
        """A member's name in messages; empty for a single game."""


class SingleRun(TrainingRun):
    """Trains one game."""

    is_population = False

    def __init__(self, experiment: Experiment, config: Settings):
        experiment = make_private(experiment, config)
        super().__init__(experiment, experiment.game, jax.random.key(config.seed), (config.seed,), [])

    def devices(self, count: int | None) -> list[parallel.Device]:
        return parallel.devices(count)

    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        if batch_size % len(devices):
            nearest = parallel.nearest_multiples(batch_size, len(devices))
            raise ValueError(
                f"`batch_size` must be divisible by the number of devices, {len(devices)}, got {batch_size}; "
                f"use {nearest}."
            )

    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        return parallel.replicate(state, devices, local=method == "pmap")

    def compile_step(self, step: int, devices: Sequence[parallel.Device], method: str, **how: Any) -> parallel.Step:
        spread = parallel.pmap if method == "pmap" else parallel.shard_map
        return spread(self.experiment.at(step), devices, **how)

    def join_batches(self, batches: Sequence[Any]) -> Any:
        (batch,) = batches
        return batch

    def member_states(self, state: State) -> list[State]:
        def on_first_device(x):
            return x.addressable_data(0) if isinstance(x, jax.Array) else x

        return [jax.tree.map(on_first_device, state)]

    def probe_state(self, state: State) -> State:
        return self.member_states(state)[0]

    def member_name(self, i: int) -> str:
        return ""


class PopulationRun(TrainingRun):
    """Trains the members of a population, which are spread over the devices."""

    is_population = True

    def __init__(self, experiment: Experiment, config: Settings, build: Build, member_settings: list[dict[str, Any]]):
        self._config, self._build = config, build
        names = [name for name in member_settings[0] if name != "seed"]
        self._varied = {name: np.array([own[name] for own in member_settings], np.float32) for name in names}
        if names:  # building each member once finds values that are out of their range
            for own in member_settings:
                self._build_with(experiment, {name: own[name] for name in names})
        seeds = tuple(own["seed"] for own in member_settings)
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        # Of the game that has all players: the game of step 0 may have fewer.
        population = self._population(experiment, len(seeds), lambda experiment: experiment.game)
        super().__init__(experiment, population, keys, seeds, member_settings)

    def devices(self, count: int | None) -> list[parallel.Device]:
        if jax.process_count() > 1:
            raise ValueError("A population runs on one host; start one on each host, with different seeds.")
        devices, size = parallel.devices(count), len(self.seeds)
        fitting = [n for n in range(1, len(devices) + 1) if size % n == 0]
        if count and count not in fitting:
            raise ValueError(
                f"`devices` must share {size} members evenly, got {count}; use {' or '.join(map(str, fitting))}."
            )
        return devices[: fitting[-1]]

    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        """Any size is allowed: each member has its whole batch on one device."""

    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        return parallel.share_out(state, devices)

    def compile_step(self, step: int, devices: Sequence[parallel.Device], method: str, **how: Any) -> parallel.Step:
        population = self._population(self.experiment, len(self.seeds), lambda experiment: experiment.at(step))
        return parallel.members(population, devices, **how)

    def join_batches(self, batches: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *xs: np.stack(xs, 1), *batches)

    def member_states(self, state: State) -> list[State]:
        whole = jax.tree.map(to_host, state)
        return [member(whole, i) for i in range(len(self.seeds))]

    def probe_state(self, state: State) -> State:
        return state

    def member_name(self, i: int) -> str:
        return f"member {i} ({', '.join(f'{name} {value:g}' for name, value in self.member_settings[i].items())})"

    def _population(self, experiment: Experiment, size: int, game_of: Callable[[Experiment], GameLike]) -> Population:
        game = game_of(experiment)
        if not self._varied:
            return Population(game, size)

        def member_game(**settings: Any) -> GameLike:
            return game_of(self._build_with(experiment, settings))

        return Population(game, size, member_game, self._varied)

    def _build_with(self, experiment: Experiment, settings: dict[str, Any]) -> Experiment:
        return self._build(dataclasses.replace(self._config, sweep=(), **settings), experiment.source)


def to_host(x: Any) -> Any:
    """An array, or an array of keys, on the host."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(np.asarray(jax.random.key_data(x))), impl=jax.random.key_impl(x))
    return np.asarray(x)
