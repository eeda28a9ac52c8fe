"""The training loop: everything around ``Game.step`` that is not pure."""

import contextlib
import dataclasses
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from jaxgan import parallel, sampling
from jaxgan.data import Arrays, Batches, Source, as_float, stream
from jaxgan.data.source import size_in_bytes
from jaxgan.game import Game, State
from jaxgan.training import logging
from jaxgan.training.checkpoint import Checkpoints
from jaxgan.training.experiment import Experiment, PixelScore
from jaxgan.training.logging import Diverged

LOOK_EVERY = 10  # steps between looks at metrics and signals: each look waits for the device
GRID = 64  # images of a sample grid
RESIDENT_BYTES = 2**30  # data up to this size lives on the devices


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run is made; none of these changes its result."""

    run_dir: str | None = None
    """Where everything is written; runs/<experiment> if not given. A run that is there is resumed."""
    fresh: bool = False
    """Remove the run that is there and start over."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    sample_every: int = 500
    """Steps between sample grids."""
    devices: int | None = None
    """How many of the devices to use; all if not given."""
    parallel: Literal["pmap", "shard_map"] = "pmap"
    """How the step is spread over them. Runs on several hosts take shard_map."""
    coordinator: str | None = None
    """On several hosts: host:port of process 0, or auto where the cluster says."""
    processes: int | None = None
    """On several hosts: how many processes."""
    process: int | None = None
    """On several hosts: which of them this is, from 0."""
    profile: int = 0
    """Trace this many steps with jax.profiler, into <run-dir>/profile."""
    quiet: bool = False
    """Say nothing but errors."""

    def __post_init__(self):
        for name in ("checkpoint_every", "sample_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} {getattr(self, name)}: at least 1")
        if self.profile < 0:
            raise ValueError(f"--profile {self.profile}: a number of steps")
        if self.run_dir == "":
            raise ValueError("--run-dir is empty; name a directory")
        if self.coordinator is None and (self.processes is not None or self.process is not None):
            raise ValueError("--processes and --process need --coordinator: host:port of process 0, or auto")


class Interrupted(Exception):
    """A signal ended the run, whole and saved."""

    def __init__(self, number: int):
        self.number = number


def train(experiment: Experiment, config: Any, options: Options, path: Path, name: str) -> None:
    """Train until ``config.steps``, from the newest checkpoint under ``path`` if there is one.

    Args:
      experiment: from ``build(config)``.
      config: has ``steps``, ``batch_size`` and ``seed``.
      options: how.
      path: the run's directory, which no other run writes: see ``RunDirectory``.
      name: the experiment's, which samples are signed with.

    Raises:
      Diverged: a term or the state is no longer finite; the last good checkpoint is kept.
      Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    on = parallel.devices(options.devices)
    checkpoints = Checkpoints(path / "checkpoints", say=_say(options))
    state = jax.jit(experiment.game.init)(jax.random.key(config.seed))
    restored = checkpoints.restore(state)
    state = state if restored is None else restored
    start = int(state.step)
    terminal = logging.Terminal(config.steps, start, config.batch_size, options.quiet or jax.process_index() > 0)
    if restored is not None:
        terminal.say(f"resumed from step {start}")
    elif (path / "metrics.jsonl").exists():
        terminal.say("no checkpoint: starting again from step 0")
    if start >= config.steps:
        terminal.say(f"nothing to do: the run is at step {start} of {config.steps}; --steps may grow")
    run = _Run(experiment, config, options, path, name, checkpoints, terminal)
    try:
        with _signals() as received:
            run.train(parallel.replicate(state, on, local=options.parallel == "pmap"), start, on, received)
    finally:
        terminal.close()
        run.close()
        checkpoints.close()


class _Run:
    """What the loop writes to. One method a concern, ``train`` first."""

    def __init__(self, experiment, config, options, path, name, checkpoints, terminal):
        self.experiment, self.config, self.options, self.path, self.name = experiment, config, options, path, name
        self.checkpoints, self.terminal = checkpoints, terminal
        self.writer = jax.process_index() == 0
        self.file: logging.MetricsFile | None = None
        self.profiling = False
        self.pending: list[tuple[int, Any]] = []
        self.sample = experiment.sampler()
        self.score = PixelScore(experiment, config.seed)
        self.grid_latents = experiment.latents(sampling.sample_keys(config.seed, GRID))

    def train(self, state: State, start: int, on, received) -> None:
        config, options = self.config, self.options
        if self.writer:
            self.file = logging.MetricsFile(self.path, start)
        if start == 0:
            self.save_grid(state, 0)
        step_of = _steps(self.experiment, options, on)
        game_at = self.experiment.game_at or (lambda step: self.experiment.game)
        most = self.experiment.game.batch_multiple
        batches = _batches(self.experiment.source, config, most, start)
        saved, stop = start, 0
        for step, batch in enumerate(batches, start + 1):
            game = game_at(step - 1)
            batch = jax.tree.map(lambda x, k=game.batch_multiple: x[: len(x) * k // most], batch)
            with self.profiled(step - start):
                state, metrics = step_of(game)(state, batch)
            self.pending.append((step, metrics))
            last = step == config.steps
            due = {"sample": step % options.sample_every == 0, "save": step % options.checkpoint_every == 0}
            alone = jax.process_count() == 1  # several agree, so they ask each other at set steps
            if step % LOOK_EVERY == 0 or last or any(due.values()) or (alone and received):
                self.look()
                stop = parallel.largest(received[0] if received else 0)
                if due["sample"] or last:
                    self.save_grid(state, step)
                if due["save"] or last or stop:
                    self.save(state)
                    saved = step
                if stop:
                    break
        self.checkpoints.wait()
        if saved > start:
            self.terminal.say(f"saved at step {saved}")
        if stop and saved < config.steps:
            raise Interrupted(stop)

    def look(self) -> None:
        """Bring metrics to the host, check them, write them, show the last."""
        row = None
        try:
            for step, metrics in jax.device_get(self.pending):
                row = logging.on_host(step, metrics)
                if self.file:
                    self.file.write(row)
        finally:
            self.pending.clear()
            if self.file:
                self.file.flush()
        if row:
            rate = self.terminal.show(row)
            if rate and self.file:
                self.file.write_speed(row["step"], rate)

    def save(self, state: State) -> None:
        """A checkpoint; only of a state that is finite, and after the metrics up to it are on disk."""
        for path, leaf in jax.tree_util.tree_flatten_with_path((state.params, state.stats))[0]:
            if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating) and not np.isfinite(np.asarray(leaf)).all():
                where = jax.tree_util.keystr(path[1:], simple=True, separator=".")
                raise Diverged(f"step {int(state.step)}: {where} is no longer finite")
        self.checkpoints.save(state, self.score(_on_one(state)))

    def save_grid(self, state: State, step: int) -> None:
        if not self.writer:
            return
        samples = self.sample(_on_one(state), self.grid_latents)
        if samples.ndim != 4 and samples.shape[1:] != (2,):
            return  # nothing that can be seen
        image = sampling.grid(samples)
        scale = max(1, 256 // image.shape[0])
        path = self.path / "samples" / f"step_{step:07}.png"
        path.parent.mkdir(exist_ok=True)
        if image.shape[-1] in (1, 3, 4):
            sampling.save(path, image, signature(self.name), scale=scale)
        if step == self.config.steps:
            self.terminal.close()
            self.terminal.picture(image)

    @contextlib.contextmanager
    def profiled(self, done: int):
        """Trace ``--profile`` steps, once compiled and warm."""
        first, count = 10, self.options.profile
        if count and done == first + 1:
            jax.profiler.start_trace(self.path / "profile")
            self.profiling = True
        yield
        if count and done == first + count:
            self.look()  # waits for the last of them
            self.stop_profile()

    def stop_profile(self) -> None:
        if self.profiling:
            jax.profiler.stop_trace()
            self.profiling = False
            self.terminal.say(f"profile in {self.path / 'profile'}")

    def close(self) -> None:
        """Whatever ended the run."""
        self.stop_profile()
        if self.file:
            self.file.close()


def signature(name: str) -> str:
    """What made a sample: ``jaxgan 0.1.0 dcgan``."""
    return f"jaxgan {logging.versions()['jaxgan']} {name}"


def prepare(resident: dict[str, jax.Array] | None, batch: Any) -> dict[str, jax.Array]:
    """The batch as the game sees it: picked from resident data by row, if there is any; as floats."""
    return as_float(batch if resident is None else {name: array[batch] for name, array in resident.items()})


def is_resident(source: Source) -> bool:
    """Whether all examples live on the devices, and a batch is the numbers of its rows."""
    return isinstance(source, Arrays) and size_in_bytes(source) <= RESIDENT_BYTES


def _steps(experiment: Experiment, options: Options, on) -> Callable[[Game], parallel.Step]:
    """The compiled step of each game, made when it is first met."""
    source = experiment.source
    resident = None
    if isinstance(source, Arrays) and is_resident(source):
        labels = {} if source.labels is None else {"label": source.labels}
        resident = parallel.replicate({"image": source.images, **labels}, on, local=options.parallel == "pmap")
    spread = parallel.pmap if options.parallel == "pmap" else parallel.shard_map
    compiled: dict[Game, parallel.Step] = {}

    def step_of(game: Game) -> parallel.Step:
        if game not in compiled:
            compiled[game] = spread(game, on, prepare=prepare, resident=resident)
        return compiled[game]

    return step_of


def _batches(source, config, turns: int, start: int) -> Iterator[Any]:
    """This process's rows of each global batch: ``config.batch_size`` for each turn of a step."""
    size = config.batch_size * turns
    batches = Batches(source, size, config.seed, parallel.rows(size))
    if is_resident(source):
        return (batches.indices(step) for step in range(start, config.steps))
    return stream(batches, start, config.steps)


def _on_one(state: State) -> State:
    """The state as this process's first device has it: for sampling, which is not spread."""
    return jax.tree.map(lambda x: x.addressable_data(0), state)


def _say(options: Options):
    return (lambda text: None) if options.quiet or jax.process_index() else print


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that came; at a second one of a kind the process ends as it would have."""
    received: list[int] = []

    def handler(number, frame):
        received.append(number)
        signal.signal(number, before[number])

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, old in before.items():
            signal.signal(number, old)
