"""The training loop: everything around ``Game.step`` that is not pure."""

import contextlib
import dataclasses
import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from jaxgan import media, parallel
from jaxgan.core import system
from jaxgan.core.state import State
from jaxgan.experiment.experiment import SHEET_COLUMNS
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.monitoring import diagnostics, metrics_file
from jaxgan.monitoring.diagnostics import TrainingMonitor
from jaxgan.monitoring.metrics_file import Diverged
from jaxgan.monitoring.probe import Probe
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.runs import TrainingRun, to_host
from jaxgan.training.steps import TOGETHER, Steps

LOOK_EVERY = TOGETHER  # steps between looks at metrics and signals
GRID = 64  # images of a sample grid
CALL_SECONDS = 1.0  # that a call is to take at most, so that signals are heard


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
    evaluate_every: int | None = None
    """Steps between evaluations, each with a checkpoint, of which the best is kept. Not given: none, and the best is
    what a quick distance on coarse pixels says."""
    metrics: tuple[str, ...] | None = None
    """Of evaluations, as for evaluate; the best checkpoint is the first one's. Not given: fid."""
    features: str | None = None
    """Of evaluations, as for evaluate: classifier, or inception-2048 and so on with --weights."""
    weights: str | None = None
    """Of evaluations: Inception's file."""
    evaluate_count: int | None = None
    """Samples of an evaluation; as many as there are data, at most 50,000, if not given."""
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
        for name in ("checkpoint_every", "sample_every", "evaluate_every"):
            steps = getattr(self, name)
            if steps is not None and steps < 1:
                raise ValueError(f"--{name.replace('_', '-')} {steps}: at least 1")
        for name in ("metrics", "features", "weights", "evaluate_count"):
            if getattr(self, name) is not None and self.evaluate_every is None:
                raise ValueError(f"--{name.replace('_', '-')} is of evaluations: ask for --evaluate-every too")
        if self.evaluate_count is not None and self.evaluate_count < 2:
            raise ValueError(f"--evaluate-count {self.evaluate_count}: at least 2")
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


def train(
    run: TrainingRun,
    config: Any,
    options: Options,
    path: Path,
    name: str,
    evaluator: Evaluator | None = None,
    steps: Steps | None = None,
) -> None:
    """Train until ``config.steps``, from the newest checkpoint under ``path`` if there is one.

    Args:
      run: what is trained; see ``jaxgan.training.runs.make_run``.
      config: has ``steps``, ``batch_size`` and ``seed``.
      options: how.
      path: the run's directory, which no other run writes: see ``RunDirectory``.
      name: the experiment's, which samples are signed with.
      evaluator: what ``--evaluate-every`` asks.
      steps: the run's, if they are traced already; ``options`` then no longer says on which devices.

    Raises:
      Diverged: a term or the state is no longer finite, in all members; the last good checkpoint is kept.
      Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    steps = steps or Steps(run, config, run.devices(options.devices), options.parallel)
    by = evaluator.by if evaluator else "pixels"
    checkpoints = Checkpoints(path / "checkpoints", by=by, say=_say(options))
    state = run.init(run.keys)
    restored = checkpoints.restore(state)
    state = state if restored is None else restored
    start, images = int(state.step), config.batch_size * len(run.seeds)
    terminal = Terminal(config.steps, start, images, options.quiet or jax.process_index() > 0)
    if restored is not None:
        terminal.say(f"resumed from step {start}")
    elif (path / "metrics.jsonl").exists():
        terminal.say("no checkpoint: starting again from step 0")
    if start >= config.steps:
        terminal.say(f"nothing to do: the run is at step {start} of {config.steps}; --steps may grow")
    loop = _Run(run, config, options, path, name, checkpoints, terminal, evaluator)
    placed = run.place(state, steps.on, steps.form)
    del state, restored  # a copy of all that is trained
    try:
        with _signals() as received:
            loop.train(placed, start, steps, received)
    finally:
        terminal.close()
        loop.close()
        checkpoints.close()


class _Run:
    """What the loop writes to. One method a concern, ``train`` first."""

    def __init__(self, run: TrainingRun, config, options: Options, path: Path, name, checkpoints, terminal, evaluator):
        self.run, self.config, self.options, self.path, self.name = run, config, options, path, name
        self.experiment, self.checkpoints, self.terminal = run.experiment, checkpoints, terminal
        self.writer = jax.process_index() == 0
        self.file: metrics_file.MetricsFile | None = None
        self.profiling = False
        self.pending: list[tuple[int, int, Any]] = []  # first step, count, metrics
        self.lost: set[int] = set()  # members that diverged
        self.looked, self.pace = time.perf_counter(), 1e-9  # when a look ended, and the seconds of a step before it
        self.sample = self.experiment.sampler()
        self.evaluator: Evaluator | None = evaluator
        self.score = PixelScore(self.experiment, config.seed)
        self.monitor: TrainingMonitor | None = None
        self.sheets = self.experiment.draw_sheets(config.seed) if self.experiment.display.sheets else lambda state: {}
        self.grid_latents = self.experiment.draw(config.seed, np.arange(GRID))

    def train(self, state: State, start: int, steps: Steps, received) -> None:
        config, options = self.config, self.options
        if self.writer:
            self.file = metrics_file.MetricsFile(self.path, start)
            self.monitor = self.make_monitor()
            if self.evaluator:
                self.evaluator.open(self.path / "evaluations.jsonl", start, self.terminal.say)
        if start == 0:
            self.save_grid(state, 0)
        else:
            self.lost = set(_broken(state, self.run))
            if self.file and self.file.last:
                self.lost |= set(metrics_file.diverged(self.file.last))
        batches = steps.batches(start)
        saved, stop, step = start, 0, start
        while step < config.steps:
            count = self.until_something_is_due(step, start, steps.together)
            with self.profiled(step - start, count):
                state, metrics = steps.at(step)(state, _stacked(itertools.islice(batches, count)))
            self.pending.append((step + 1, count, metrics))
            step += count
            last = step == config.steps
            due = {"sample": step % options.sample_every == 0, "save": self.is_saved(step)}
            alone = jax.process_count() == 1  # several agree, so they ask each other at set steps
            if self.monitor and step % diagnostics.EVERY == 0:
                self.monitor.watch(self.run.probe_state(state), step)
            if step % LOOK_EVERY == 0 or last or any(due.values()) or (alone and received):
                stop = parallel.largest(received[0] if received else 0)
                # While the devices compute the newest steps, what came before them is written down.
                self.look(ahead=0 if last or stop or any(due.values()) else 1)
                if alone and received and not stop:  # it came while the look waited
                    stop = received[0]
                    self.look()
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

    def make_monitor(self) -> TrainingMonitor | None:
        """Who watches the run; no one a private one, for what is told of reals would cost privacy."""
        if getattr(self.config, "dp_noise_multiplier", 0):
            return None
        run, seed = self.run, self.config.seed
        probe = Probe(self.experiment, seed, len(run.seeds) if run.is_population else None)
        known = metrics_file.read_metrics(self.path / "diagnosis.jsonl")
        return TrainingMonitor(probe, len(run.seeds), run.member_name, self.terminal.say, known)

    def is_saved(self, step: int) -> bool:
        return step % self.options.checkpoint_every == 0 or self.is_evaluated(step)

    def is_evaluated(self, step: int) -> bool:
        return self.options.evaluate_every is not None and step % self.options.evaluate_every == 0

    def until_something_is_due(self, step: int, start: int, together: int) -> int:
        """How many steps to take in one call, ``step`` being done: at most ``together``, all of one game."""
        options, at = self.options, self.experiment.at
        every = (LOOK_EVERY, options.sample_every, options.checkpoint_every, options.evaluate_every or LOOK_EVERY)
        stops = [n - step % n for n in every] + [self.config.steps - step, together]
        stops += [n - (step - start) for n in _profiled(options) if n > step - start] if options.profile else []
        stops += [max(1, int(CALL_SECONDS / self.pace))]
        most = min(stops)
        return next((n for n in range(1, most) if at(step + n) is not at(step)), most)

    def look(self, ahead: int = 0) -> None:
        """Bring metrics to the host, check them, write them, show the last; but not those of the newest calls."""
        ready, self.pending = self.pending[: len(self.pending) - ahead], self.pending[len(self.pending) - ahead :]
        row = None
        try:
            for first, count, metrics in ready:
                for found in metrics_file.rows(first, count, jax.device_get(metrics)):
                    self.lose(found["step"], metrics_file.diverged(found))
                    row = metrics_file.without(self.lost, found)
                    finding = self.monitor.see(row) if self.monitor else None
                    if self.file:
                        self.file.write(row)
                        if finding:
                            self.file.write_diagnosis(finding)
        finally:
            if self.file:
                self.file.flush()
        if row:
            now, steps = time.perf_counter(), sum(count for _, count, _ in ready)
            self.looked, self.pace = now, (now - self.looked) / steps
            rate = self.terminal.show(row, self.monitor.summary() if self.monitor else "")
            if rate and self.file:
                self.file.write_speed(row["step"], rate)

    def lose(self, step: int, found: dict[int, str]) -> None:
        """Members of a population may diverge, and the others go on; ``Diverged`` once none is left."""
        for i in sorted(found.keys() - self.lost):
            self.lost.add(i)
            if len(self.lost) == len(self.run.seeds):
                others = " of the last member" * (len(self.lost) > 1)
                raise Diverged(f"step {step}: {found[i]}{others}")
            self.terminal.say(f"step {step}: {self.run.member_name(i)} diverged, {found[i]}; the others go on")

    def save(self, state: State) -> None:
        """A checkpoint, if a member is finite, after the metrics up to it are on disk; scored by its best member."""
        state = jax.tree.map(to_host, state)  # the devices' own is used up by the next step
        step = int(state.step)
        self.lose(step, _broken(state, self.run))
        whole = {i: own for i, own in enumerate(self.run.member_states(state)) if i not in self.lost}

        def score() -> float:
            if self.evaluator is None:
                return min(map(self.score, whole.values()))
            return self.evaluator(step, whole, len(self.run.seeds)) if self.is_evaluated(step) else float("inf")

        self.checkpoints.save(state, score)

    def save_grid(self, state: State, step: int) -> None:
        """The sample grid, and the experiment's sheets, of a population its first member's."""
        if not self.writer:
            return
        states = self.run.member_states(state)
        grid = self.grid(states)
        if grid is not None:
            self.save_picture(grid, f"step_{step:07}")
        for name, images in self.sheets(states[0]).items():
            sheet = media.grid(np.nan_to_num(images), SHEET_COLUMNS)
            self.save_picture(sheet, f"step_{step:07}_{name}", beside_real=True)
        if step == self.config.steps and grid is not None:
            self.terminal.close()
            self.terminal.picture(grid)

    def save_picture(self, image: np.ndarray, name: str, *, beside_real: bool = False) -> None:
        """Among the run's samples, if its channels are those of a picture."""
        if image.shape[-1] not in (1, 3, 4):
            return
        path = self.path / "samples" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        scale = max(1, 256 // image.shape[0])
        media.save(path, image, signature(self.name), scale=scale, beside_real=beside_real)

    def grid(self, states: list[State]) -> np.ndarray | None:
        """Samples of the same latents as one image, of a population a row for each member; None of what is not seen.

        A conditional model's columns are its classes, where they are few.
        """
        classes = len(self.experiment.sampling.classes)
        row = classes if 1 < classes <= GRID // 4 else 8
        many = len(states) > 1 and len(self.experiment.source.shape) > 1
        count = row if many else GRID // row * row if classes else GRID
        z = jax.tree.map(lambda x: x[:count], self.grid_latents)
        samples = [self.experiment.display.view(self.sample(state, z)) for state in states]
        if samples[0].ndim == 4:
            return media.grid(np.nan_to_num(np.concatenate(samples)), columns=row if many or classes else None)
        if samples[0].shape[1:] == (2,):
            plots = np.stack([media.grid(points) for points in samples])
            return plots[0] if len(plots) == 1 else media.grid(plots / 127.5 - 1)
        return None

    @contextlib.contextmanager
    def profiled(self, done: int, count: int):
        """Trace ``--profile`` steps, once compiled and warm."""
        first, last = _profiled(self.options)
        if first == done < last:
            self.look()  # waits for the steps before
            jax.profiler.start_trace(self.path / "profile")
            self.profiling = True
        yield
        if self.profiling and done + count == last:
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
    return f"jaxgan {system.versions()['jaxgan']} {name}"


def _stacked(batches: Iterator[Any]) -> Any:
    return jax.tree.map(lambda *xs: np.stack(xs), *batches)


def _profiled(options: Options) -> tuple[int, int]:
    """Between which steps, counted from the run's start, ``--profile`` traces."""
    return LOOK_EVERY, LOOK_EVERY + options.profile


def _broken(state: State, run: TrainingRun) -> dict[int, str]:
    """The members, 0 for a single game, of whom a leaf of the state is not finite: which."""
    found: dict[int, str] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path((state.params, state.stats))[0]:
        if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating):
            finite = np.isfinite(np.asarray(leaf)).reshape(len(run.seeds), -1).all(1)
            where = jax.tree_util.keystr(path[1:], simple=True, separator=".")
            found |= {int(i): f"{where} is no longer finite" for i in np.flatnonzero(~finite) if i not in found}
    return found


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
