"""What a run tells: ``metrics.jsonl``, the truth; TensorBoard; and a person at a terminal."""

# Protobuf makes the classes of its modules as it imports them.
# pyright: reportAttributeAccessIssue=false

import contextlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.style import Style
from rich.text import Text
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2

from jaxgan.core.lazy import Lazy
from jaxgan.version import __version__

PLAIN_LINES_EVERY = 2.0  # seconds, of a run
READING_LINES_EVERY = 10.0  # seconds, of an evaluation


class Diverged(Exception):
    """A term, or a leaf of the state, is NaN or infinite."""


def rows(first: int, count: int, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics of ``count`` steps from ``first`` on, on the host, as numbers, ``step`` first.

    Of a population each is a list with a number for each member. A lazy term is there only where it was due.

    Args:
      first: the first step.
      count: how many.
      metrics: by name, [at least count], or [at least count, members].
    """
    columns = {}
    for name, values in metrics.items():
        due = np.ones(count, bool)
        if isinstance(values, Lazy):
            due = np.asarray(values.due).reshape(len(values.due), -1)[:count, 0]
            values = values.value
        columns[name] = due, np.asarray(values)[:count].tolist()
    return [
        {"step": first + i, **{name: values[i] for name, (due, values) in columns.items() if due[i]}}
        for i in range(count)
    ]


def diverged(row: Mapping[str, Any]) -> dict[int, str]:
    """The members, 0 for a single game, one of whose numbers is null or not finite: which, in words."""
    found: dict[int, str] = {}
    # The sum and the gradient follow from a term: name the term where there is one.
    for name in sorted(row, key=lambda name: name.endswith(("/loss", "/grad_norm"))):
        values = row[name] if isinstance(row[name], list) else [row[name]]
        for i, value in enumerate(values):
            if value is None or not math.isfinite(value):
                player, _, term = name.partition("/")
                found.setdefault(i, f"player {player!r}, term {term!r} is {value}")
    return found


def without(members: Collection[int], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with NaN for these members: a share of NaNs that are above zero is a number, and says nothing."""
    if not members:
        return row
    kept = lambda values: [math.nan if i in members else x for i, x in enumerate(values)]  # noqa: E731
    return {name: kept(values) if isinstance(values, list) else values for name, values in row.items()}


def middle(value: Any) -> float | None:
    """A number itself; of members' numbers the mean, without those that are not finite; None where none is."""
    values = [x for x in (value if isinstance(value, list) else [value]) if x is not None and math.isfinite(x)]
    return sum(values) / len(values) if values else None


class MetricsFile:
    """``metrics.jsonl``: one object a step, appended; and the same in TensorBoard's files.

    ``last`` is the row that it begins after, None for a new file.

    It holds no clock, so that a run that was interrupted writes what one that was not would have, to the byte.
    How fast it went is in ``speed.jsonl``.
    """

    def __init__(self, directory: Path, step: int):
        """Continue after ``step``: later lines, of a run that was killed, are cut off."""
        self.path = directory / "metrics.jsonl"
        self.last = cut_after(self.path, step)
        cut_after(directory / "speed.jsonl", step)
        self._file = self.path.open("a", encoding="utf-8")
        self._speed = (directory / "speed.jsonl").open("a", encoding="utf-8")
        cut_after(directory / "diagnosis.jsonl", step)
        self._diagnosis = (directory / "diagnosis.jsonl").open("a", encoding="utf-8")
        self._board = _Board(directory / "tensorboard", step)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a step's row; of a population, TensorBoard gets the mean."""
        self._file.write(json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False) + "\n")
        self._board.write(row)

    def write_speed(self, step: int, images_per_second: float) -> None:
        self._speed.write(json.dumps({"step": step, "images_per_second": round(images_per_second, 1)}) + "\n")

    def write_diagnosis(self, row: Mapping[str, Any]) -> None:
        self._diagnosis.write(json.dumps({name: _finite(value) for name, value in row.items()}) + "\n")

    def flush(self) -> None:
        """Give every line to the operating system: from then on a killed process loses none."""
        self._file.flush()
        self._speed.flush()
        self._diagnosis.flush()
        self._board.flush()

    def close(self) -> None:
        self._file.close()
        self._speed.close()
        self._diagnosis.close()
        self._board.close()


def _finite(value: Any) -> Any:
    """JSON has no NaN: null stands for a number of a member that diverged."""
    if isinstance(value, list):
        return [_finite(x) for x in value]
    return value if isinstance(value, str) or math.isfinite(value) else None


class _Board:
    """TensorBoard's event files, one event a step.

    Not by tensorboardX's SummaryWriter: its thread dies of a full disk without a word, and the run then waits for
    it for ever.
    """

    def __init__(self, directory: Path, step: int):
        directory.mkdir(exist_ok=True)
        self._events = EventsWriter(str(directory / "events"), f".{step}")
        if step:  # what was written after this step, before the run was killed, is not to be shown
            again = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._events.write_event(event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=again))

    def write(self, row: Mapping[str, Any]) -> None:
        means = {name: middle(value) for name, value in row.items() if name != "step"}
        scalars = [summary_pb2.Summary.Value(tag=n, simple_value=v) for n, v in means.items() if v is not None]
        summary = summary_pb2.Summary(value=scalars)
        self._events.write_event(event_pb2.Event(wall_time=time.time(), step=row["step"], summary=summary))

    def flush(self) -> None:
        self._events.flush()

    def close(self) -> None:
        self._events.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of ``metrics.jsonl``; a line that was cut short or damaged is left out."""
    if not path.exists():
        return []
    rows = []
    with path.open("rb") as file:
        for line in file:
            row = _row(line)
            if row is not None:
                rows.append(row)
    return rows


def _row(line: bytes) -> dict[str, Any] | None:
    """A line's object; None for one that was cut short or damaged."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def cut_after(path: Path, step: int) -> dict[str, Any] | None:
    """Cut off what comes after a step; the last row that is left."""
    if not path.exists():
        return None
    end, last = 0, None
    with path.open("rb") as file:
        for line in file:
            row = _row(line)
            if row is None or row["step"] > step:
                break
            end, last = end + len(line), row
    os.truncate(path, end)
    return last


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read the output has gone; the run goes on, and is silent."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Progress: a live bar at a terminal, plain lines elsewhere."""

    def __init__(self, steps: int, start: int, batch_size: int, quiet: bool = False):
        self._console = _Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._steps, self._batch_size, self._quiet = steps, batch_size, quiet
        self._last = (time.perf_counter(), start)
        self._bar = None
        if self._console.is_terminal and not quiet:
            columns = [BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn()]
            self._bar = Progress(*columns, console=self._console, refresh_per_second=4)
            self._task = self._bar.add_task("", total=steps, completed=start, told="compiling")
            self._bar.start()

    def say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(text, markup=False)

    def show(self, row: Mapping[str, Any], wrong: str = "") -> float | None:
        """Show a step, and what is wrong, unless the last was shown just now; the images per second since that one."""
        now, (then, step) = time.perf_counter(), self._last
        if now - then < (0.25 if self._bar else PLAIN_LINES_EVERY):
            return None
        rate = (row["step"] - step) * self._batch_size / (now - then)
        self._last = (now, row["step"])
        told = f"{rate:,.0f} images/s  {summary(row)}{f'  !! {wrong}' if wrong else ''}"
        if self._bar:
            self._bar.update(self._task, completed=row["step"], told=told)
        else:
            left = (self._steps - row["step"]) * self._batch_size / max(rate, 1e-9)
            self.say(f"step {row['step']}/{self._steps}  {told}  {duration(left)} left")
        return rate

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def picture(self, image: np.ndarray) -> None:
        """A picture, uint8 [H, W, C], in half blocks; left out where it does not fit or is not seen."""
        if self._console.is_terminal and image.shape[1] <= self._console.width and not self._quiet:
            self._console.print(half_blocks(image))


@contextlib.contextmanager
def reading() -> Iterator[Callable[[str, int, int], None]]:
    """Within, shows on standard error how many images of a set are seen: call it with the set's name, those, and all.

    Live bars at a terminal, which go when it ends; elsewhere now and then a line.
    """
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    columns = [BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()]
    tasks: dict[str, Any] = {}
    last = time.perf_counter()

    def progress(name: str, seen: int, of: int) -> None:
        nonlocal last
        if console.is_terminal:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of)
            bars.update(tasks[name], completed=seen)
        elif time.perf_counter() - last >= READING_LINES_EVERY:
            last = time.perf_counter()
            print(f"{name}: {seen:,} of {of:,} seen", file=sys.stderr, flush=True)

    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield progress


def summary(row: Mapping[str, Any]) -> str:
    """Losses, and the discriminator's accuracy, in a line; of a population, the means."""
    row = {name: mean for name, value in row.items() if (mean := middle(value)) is not None}
    parts = [f"{name} {value:.3f}" for name, value in row.items() if name.endswith("/loss")]
    for player in {name.partition("/")[0]: None for name in row}:
        real, fake = row.get(f"{player}/accuracy_real"), row.get(f"{player}/accuracy_fake")
        if real is not None and fake is not None:
            parts.append(f"{player} right on reals {real:.0%}, fakes {fake:.0%}")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """``1:02:03``, or ``2:03`` below an hour."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def half_blocks(image: np.ndarray) -> Text:
    """A picture as text: two rows of pixels in a row of characters."""
    pixels = np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.full_like(pixels[:1], 255)])
    text = Text()
    for above, below in zip(pixels[::2], pixels[1::2]):
        for a, b in zip(above, below):
            text.append("\u2580", Style(color=f"rgb({a[0]},{a[1]},{a[2]})", bgcolor=f"rgb({b[0]},{b[1]},{b[2]})"))
        text.append("\n")
    return text


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    others = ("jax", "jaxlib", "flax", "optax", "numpy")
    python = platform.python_version()
    return {"jaxgan": __version__, "python": python, **{name: metadata.version(name) for name in others}}


def hardware() -> str:
    """The devices, in words: ``2 x cpu``."""
    kinds = [device.device_kind for device in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpuinfo() -> list[str]:
    """What the system says of its processors, line by line; nothing where it does not say."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
