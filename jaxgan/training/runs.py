"""Provide one interface for runs that train a single game and for runs that train a population of games.

A population is a set of games that are trained by one vmapped step. The games are called the members of the population.
The members differ in their seeds and in the settings that the user varies. The setting ``population`` is the number of
seeds, which are consecutive and start at the setting ``seed``. The setting ``sweep`` lists the values of each varied
setting, as in ``("learning_rate=1e-4,4e-4",)``. The population has one member for each combination of a seed and of one
value for each varied setting.
"""

import abc
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import parallel
from jaxgan.core import system
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.experiment.dp_training import make_private
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.experiment.settings import CommonSettings
from jaxgan.games.population import Population, member
from jaxgan.games.remat import Rematerialized

# Options of XLA's CPU backend for a function that is executed once. The initialisation of the default dcgan is compiled
# in a third of the time, and its result is the same to the bit. At level 0, the result would differ.
QUICK_TO_COMPILE = {"xla_backend_optimization_level": 1}
MAX_POPULATION = 4096  # maximum number of seeds of a population


def list_member_settings(config: CommonSettings) -> list[dict[str, Any]]:
    """Return the settings in which the members of a population differ.

    Args:
      config: the experiment's settings.

    Returns:
      For each member, a dictionary from settings to values, with ``seed`` first. For a single game, an empty list.

    Raises:
      ValueError: if a setting in ``sweep`` cannot vary, is listed twice or has no values, or if ``population`` is out
        of its range.
    """
    varied: dict[str, list[float]] = {}
    for text in config.sweep:
        name, values = _parse_variation(text, config)
        if name in varied:
            raise ValueError(f"`sweep` contains {name} twice. List all its values together, separated by commas.")
        varied[name] = values
    population = config.population
    if not 1 <= population <= MAX_POPULATION:
        raise ValueError(f"`population` must be between 1 and {MAX_POPULATION:,}, got {population}.")
    if config.seed + population > 2**32:
        raise ValueError(
            f"`population` requires that all seeds are below 2**32, got {population} seeds starting at {config.seed}."
        )
    seeds = range(config.seed, config.seed + population)
    if len(seeds) == 1 and not varied:
        return []
    return [
        {"seed": seed, **dict(zip(varied, values))} for values in itertools.product(*varied.values()) for seed in seeds
    ]


def _parse_variation(text: str, config: CommonSettings) -> tuple[str, list[float]]:
    """Return the name and the values of a varied setting, such as ``"learning_rate=1e-4,4e-4"``."""
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    floats = [field.name for field in dataclasses.fields(config) if isinstance(getattr(config, field.name), float)]
    can_vary = [field for field in floats if not field.startswith("dp_")]
    if name not in can_vary:
        raise ValueError(
            f"`sweep` got {text!r}, but {name!r} cannot vary between members, because all members share one compiled "
            f"program. The settings that can vary are {', '.join(can_vary)}."
        )
    try:
        return name, [float(value) for value in values.split(",")]
    except ValueError:
        raise ValueError(
            f"`sweep` must contain numbers that are separated by commas, as in {name}=1e-4,4e-4, got {text!r}."
        ) from None


def use_cores(config: CommonSettings) -> None:
    """Create one virtual CPU device per core if a population is trained.

    This function has no effect if the environment variable JAX_NUM_CPU_DEVICES or XLA_FLAGS sets the number of CPU
    devices, or if JAX was used before.

    Args:
      config: the settings of the run.
    """
    is_set = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    is_set = is_set or jax.config.jax_num_cpu_devices != -1  # pyright: ignore
    if len(list_member_settings(config)) > 1 and not is_set:
        try:
            jax.config.update("jax_num_cpu_devices", system.cores())
        except RuntimeError:  # JAX has initialised its devices already
            return


def make_run(config: CommonSettings, experiment: Experiment, build: Build) -> "TrainingRun":
    """Return a ``PopulationRun`` if the settings describe a population, otherwise a ``SingleRun``.

    Args:
      config: the experiment's settings.
      experiment: the result of ``build(config)``.
      build: function that creates an experiment from settings. A population calls ``build`` again with the settings of
        its members.

    Raises:
      ValueError: if the settings contradict each other or the experiment.
    """
    if config.num_held_out:
        experiment = experiment.with_held_out(config.num_held_out)
    members = list_member_settings(config)
    if not members:
        return SingleRun(experiment, config)
    if config.dp_noise_multiplier:
        raise ValueError(
            "`dp_noise_multiplier` cannot be combined with a population, because every member would add to the total "
            "privacy loss. Train a single game."
        )
    # A population cannot be trained privately. This call only checks that all other settings of private training have
    # their default values.
    return PopulationRun(make_private(experiment, config), config, build, members)


class TrainingRun(abc.ABC):
    """A common interface to train a single game or a population.

    A single game is treated as a population of one member.

    Attributes:
      experiment: the experiment. If the settings require differential privacy, its games are trained with it.
      game: the game to train: a ``Game`` or a wrapper such as a ``Population``.
      keys: the PRNG key or keys to pass to ``game.init``.
      init: the compiled ``game.init``.
      seeds: for each member, the seed that determines the order of its examples.
      member_settings: for each member, a dictionary from the settings in which the members differ to the member's
        values; an empty list for a single game.
      is_population: whether the arrays of states and metrics have an axis for the members.
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
        self.init = jax.jit(game.init, compiler_options=QUICK_TO_COMPILE if jax.default_backend() == "cpu" else None)
        self.seeds = seeds
        self.member_settings = member_settings

    def state_shapes(self) -> State:
        """Return the result of ``init`` with a ``jax.ShapeDtypeStruct`` for each array, without compiling ``init``."""
        return self.init.eval_shape(self.keys)

    @abc.abstractmethod
    def devices(self, count: int | None) -> list[parallel.Device]:
        """Return the devices to train on.

        Args:
          count: number of devices; None for the largest possible number.

        Raises:
          ValueError: if there are too few devices, or if they cannot share the work evenly.
        """

    @abc.abstractmethod
    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        """Check that the devices can share a batch evenly.

        Args:
          batch_size: the setting ``batch_size``.
          devices: the devices to train on.

        Raises:
          ValueError: if the run trains a single game and the batch size is not a multiple of the number of devices.
        """

    @abc.abstractmethod
    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        """Return the state, copied to the devices.

        Args:
          state: a state on this host.
          devices: the devices to train on.
          method: the function of ``jaxgan.parallel`` that compiles the step, ``pmap`` or ``shard_map``.
        """

    @abc.abstractmethod
    def compile_step(
        self, step: int, devices: Sequence[parallel.Device], method: str, *, remat: bool = False, **how: Any
    ) -> parallel.Step:
        """Return the compiled step of the game that is trained at ``step``.

        Args:
          step: number of steps that the run has taken before this step.
          devices: the devices that share the work.
          method: ``pmap`` or ``shard_map``.
          remat: whether the step computes activations again instead of storing them.
          **how: further arguments for ``jaxgan.parallel``.
        """

    @abc.abstractmethod
    def join_batches(self, batches: Sequence[Any]) -> Any:
        """Return the batch of one step, joined from the batches of all members."""

    @abc.abstractmethod
    def member_states(self, state: State) -> list[State]:
        """Return the states of the members, from which samples are generated.

        The states of a population are on the host. The state of a single game is on one device, or on the host if
        ``state`` is on the host.
        """

    @abc.abstractmethod
    def probe_state(self, state: State) -> State:
        """Return the state in the form that ``monitoring.probe.Probe`` measures.

        For a population, this state has an axis for the members.
        """

    @abc.abstractmethod
    def member_name(self, i: int) -> str:
        """Return the name of a member for messages; an empty string for a single game.

        Args:
          i: the index of the member, starting at 0.
        """


class SingleRun(TrainingRun):
    """Trains one game.

    Args:
      experiment: the experiment to train.
      config: the settings of the run, including the seed and the settings of differential privacy.
    """

    is_population = False

    def __init__(self, experiment: Experiment, config: CommonSettings):
        experiment = make_private(experiment, config)
        super().__init__(experiment, experiment.game, jax.random.key(config.seed), (config.seed,), [])
        self._config = config

    def devices(self, count: int | None) -> list[parallel.Device]:
        return parallel.devices(count)

    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        if batch_size % len(devices):
            nearest = parallel.nearest_multiples(batch_size, len(devices))
            raise ValueError(
                f"`batch_size` must be divisible by the number of devices, {len(devices)}, got {batch_size}. "
                f"Use {nearest}."
            )

    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        return parallel.replicate(state, devices, local=method == "pmap")

    def compile_step(
        self, step: int, devices: Sequence[parallel.Device], method: str, *, remat: bool = False, **how: Any
    ) -> parallel.Step:
        spread = parallel.pmap if method == "pmap" else parallel.shard_map
        return spread(_wrap(self.experiment.at(step), self._config, remat), devices, **how)

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
    """Trains a population. The members are distributed over the devices.

    Args:
      experiment: the experiment that was built with the settings of ``config``.
      config: the settings that the members share.
      build: a function that creates the experiment from settings and data.
      member_settings: for each member, a dictionary from the settings in which the members differ to the member's
        values. It always contains ``seed``.
    """

    is_population = True

    def __init__(
        self, experiment: Experiment, config: CommonSettings, build: Build, member_settings: list[dict[str, Any]]
    ):
        self._config, self._build = config, build
        names = [name for name in member_settings[0] if name != "seed"]
        self._varied = {name: np.array([own[name] for own in member_settings], np.float32) for name in names}
        if names:  # building each member once raises an error for values that are out of their range
            for own in member_settings:
                self._build_with(experiment, {name: own[name] for name in names})
        seeds = tuple(own["seed"] for own in member_settings)
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        # The state must be initialised for all players. If the game changes during the run, the game of step 0 may have
        # fewer players than `experiment.game`.
        population = self._population(experiment, len(seeds), lambda experiment: experiment.game)
        super().__init__(experiment, population, keys, seeds, member_settings)

    def devices(self, count: int | None) -> list[parallel.Device]:
        if jax.process_count() > 1:
            raise ValueError(
                "A population cannot be distributed over several hosts. Start one population on each host, with "
                "different seeds."
            )
        devices, size = parallel.devices(count), len(self.seeds)
        fitting = [n for n in range(1, len(devices) + 1) if size % n == 0]
        if count and count not in fitting:
            raise ValueError(
                f"`devices` must divide the number of members, {size}, got {count}. "
                f"Use {' or '.join(map(str, fitting))}."
            )
        return devices[: fitting[-1]]

    def check_batch_size(self, batch_size: int, devices: Sequence[parallel.Device]) -> None:
        """Accept any batch size, because the complete batch of a member is on one device.

        Args:
          batch_size: the setting ``batch_size``.
          devices: the devices to train on.
        """

    def place(self, state: State, devices: Sequence[parallel.Device], method: str) -> State:
        return parallel.share_out(state, devices)

    def compile_step(
        self, step: int, devices: Sequence[parallel.Device], method: str, *, remat: bool = False, **how: Any
    ) -> parallel.Step:
        size = len(self.seeds)
        population = self._population(self.experiment, size, lambda ex: _wrap(ex.at(step), self._config, remat))
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
        try:
            return self._build(dataclasses.replace(self._config, sweep=(), **settings), experiment.source)
        except jax.errors.ConcretizationTypeError as error:
            raise depends_on_value(settings) from error


def _wrap(game: GameLike, config: CommonSettings, remat: bool) -> GameLike:
    """Return a game whose step is traced with the precision of the settings, and with or without ``Rematerialized``."""
    precise = config.precise(game)
    return Rematerialized(precise) if remat else precise


def depends_on_value(settings: Iterable[str]) -> ValueError:
    """Return the error that settings cannot vary between members, because they decide what Python code does.

    >>> str(depends_on_value(["n_critic"])).partition(",")[0]
    '`sweep` cannot vary n_critic in this experiment'

    Args:
      settings: the names of the settings.
    """
    return ValueError(
        f"`sweep` cannot vary {' or '.join(settings)} in this experiment, because its Python code depends on the "
        "value. Start a separate run for each value."
    )


def to_host(x: Any) -> Any:
    """Copy an array, or an array of PRNG keys, to the host.

    Args:
      x: an array of any shape.
    """
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(np.asarray(jax.random.key_data(x))), impl=jax.random.key_impl(x))
    return np.asarray(x)
