"""Print the progress and the messages of a run, and show pictures in the terminal."""

import collections
import contextlib
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.style import Style
from rich.text import Text

from jaxgan.core.text import printable, say
from jaxgan.monitoring.metrics_file import finite_mean

BAR_EVERY = 0.25  # seconds between updates of the live progress bar of a run
PLAIN_LINES_EVERY = 2.0  # seconds between progress lines of a run, if the output is not a terminal
PATIENCE = 1.0  # seconds that an operation may take before a message about it is printed
HALF_BLOCK = "\u2580"  # the character that shows two pixels
BAR_WIDTH = 12  # width of the progress bar in characters
LINES_OF_ESTIMATE = 10  # number of the latest progress lines from which the remaining time is estimated
LINES_OF_TEXT = 16  # number of lines of a text that are shown in the place of a picture
READING_LINES_EVERY = 10.0  # seconds between progress lines of an evaluation, if the output is not a terminal


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Discard further output if the program that reads the pipe has exited, so that the run continues."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Shows the progress of a run: a live progress bar in a terminal, plain lines if the output is a pipe or a file.

    The measurement of the number of examples per second and of the remaining time begins at the last ``restart``. The
    time inside ``paused`` is excluded.

    Args:
      steps: the last step.
      start: the step that the run starts or resumes after.
      quiet: whether to print nothing.
      noun: the plural noun for examples, as in "40 images/s".
    """

    def __init__(self, steps: int, start: int, quiet: bool = False, noun: str = "images"):
        self._console = _Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._steps, self._step, self._quiet, self._noun = steps, start, quiet, noun
        # The time in seconds, the step and the number of examples, at the start and at each of the latest lines.
        self._shown = collections.deque([(time.perf_counter(), start, 0)], maxlen=LINES_OF_ESTIMATE)
        self._bar, self._text = None, ""
        if self._console.is_terminal and not quiet:
            columns = [BarColumn(BAR_WIDTH), MofNCompleteColumn(), TextColumn("{task.fields[text]}", markup=False)]
            self._bar = Progress(*columns, console=self._console, refresh_per_second=4)
            self._task = self._bar.add_task("", total=steps, completed=start, text="")
            self._bar.start()

    def say(self, text: str) -> None:
        """Print a line. It appears above the progress bar.

        Args:
          text: the line, without a newline at its end.
        """
        if not self._quiet:
            self._console.print(printable(text), markup=False, soft_wrap=not self._console.is_terminal)

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Show the name of the work in a ``with`` block in the progress bar.

        Without a progress bar, print the name on a line if the work takes longer than ``PATIENCE``.

        Args:
          text: the name of the work, such as "saving a checkpoint".
        """
        if self._bar:
            self._bar.update(self._task, text=text)
        with waiting(text, say_nothing if self._bar else self.say):
            yield
        if self._bar:
            self._bar.update(self._task, text=self._text)

    @contextlib.contextmanager
    def compiling(self, text: str) -> Iterator[None]:
        """Show that the work in a ``with`` block is a compilation, and print its time after the block.

        Args:
          text: the name of the work, such as "compiling the training step".
        """
        start = time.perf_counter()
        if self._bar:
            self._bar.update(self._task, text=text)
        else:
            self.say(text)
        yield
        if self._bar:
            self._bar.update(self._task, text=self._text)
        self.say(f"compiled in {format_seconds(time.perf_counter() - start)}")

    @contextlib.contextmanager
    def paused(self, text: str) -> Iterator[None]:
        """Show the name of the work in a ``with`` block as ``busy`` does, and exclude its time from the measured speed.

        Args:
          text: the name of the work, such as "evaluating".
        """
        start = time.perf_counter()
        with self.busy(text):
            yield
        seconds = time.perf_counter() - start
        self._shown = collections.deque([(then + seconds, *rest) for then, *rest in self._shown], LINES_OF_ESTIMATE)

    def restart(self, step: int, examples: int) -> None:
        """Start a new measurement of the speed.

        Args:
          step: number of steps that were taken so far.
          examples: number of examples that were read so far.
        """
        self._shown.clear()
        self._shown.append((time.perf_counter(), step, examples))

    def show(self, row: Mapping[str, Any], examples: int, problems: str = "") -> float | None:
        """Show the metrics of a step, unless another step was shown a short time before. Always show the last step.

        Args:
          row: the metrics of the step.
          examples: number of examples that were read so far, summed over the members of a population.
          problems: the current problems of the training, as ``TrainingMonitor.summary`` returns them.

        Returns:
          The number of examples per second since the previous step that was shown; None if this step was not shown, or
          if too little time has passed since the previous one for a measurement.
        """
        self._step = row["step"]
        now, (then, step, examples_then) = time.perf_counter(), self._shown[-1]
        is_due = now - then >= (BAR_EVERY if self._bar else PLAIN_LINES_EVERY)
        is_last = self._step == self._steps
        if self._step == step or not (is_due or is_last):
            return None
        seconds = max(now - then, 1e-9)
        rate, left = (examples - examples_then) / seconds, self._seconds_left(now)
        if is_due:
            self._shown.append((now, self._step, examples))
        self._print_progress(rate if is_due else None, left, summarize(row), problems)
        return rate if is_due else None

    def _seconds_left(self, now: float) -> float:
        """Estimate the remaining time in seconds from the mean time of a step since the oldest stored progress line."""
        then, step, _ = self._shown[0]
        return (self._steps - self._step) * (now - then) / max(self._step - step, 1)

    def _print_progress(self, rate: float | None, left: float, metrics: Sequence[str], problems: str) -> None:
        speed = [] if rate is None else [f"{rate:,.0f} {self._noun}/s"]
        if left:
            speed.append(f"{format_duration(left)} left")
        if problems:
            speed.append(f"problem: {problems}")
        parts = [*speed, *metrics]
        count = f"{self._step}/{self._steps}"
        if self._bar:
            room = self._console.width - BAR_WIDTH - len(count) - 2
            self._text = printable(fit(parts, room))
            self._bar.update(self._task, completed=self._step, text=self._text)
        else:
            self.say(fit([f"step {count}", *parts], terminal_width()))

    def close(self) -> None:
        """Stop updating the progress bar, and leave it at the last step that was trained.

        Messages can still be printed afterwards.
        """
        if self._bar:
            self._bar.update(self._task, completed=self._step, text=self._text)
            self._bar.stop()
            self._bar = None

    def picture(self, image: np.ndarray | str) -> None:
        """Show a picture if the output is a terminal.

        Args:
          image: a text, of which the first 16 lines are shown; or pixels, uint8 [H, W, C], which are shown if the
            terminal has at least W columns and can show half blocks.
        """
        if isinstance(image, str):
            if self._console.is_terminal:
                for line in image.splitlines()[:LINES_OF_TEXT]:
                    self.say(line[: self._console.width])
            return
        fits = image.shape[1] <= self._console.width and _can_draw(self._console.encoding)
        if self._console.is_terminal and fits and not self._quiet:
            self._console.print(half_blocks(image))


@contextlib.contextmanager
def waiting(text: str, say: Callable[[str], None]) -> Iterator[None]:
    """Print a message if the work in a ``with`` block takes longer than ``PATIENCE``.

    Args:
      text: the message.
      say: called with the message.
    """
    timer = threading.Timer(PATIENCE, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say_nothing(text: str) -> None:
    """Do nothing. Quiet runs call this function in place of ``print``.

    Args:
      text: the line that is not printed.
    """


@contextlib.contextmanager
def reading() -> Iterator[Callable[..., None]]:
    """Show the progress of an evaluation on standard error in a ``with`` block.

    The context manager yields the function ``progress(name, seen, total, counted="examples")``. Call this function with
    the name of a set of examples, the number of examples that were processed, and their total number. For a
    computation that consists of steps, pass the numbers of steps and ``counted="steps"``; for a download, ``"bytes"``.
    In a terminal, each name has a live bar, which is removed at the end. Otherwise, a line is printed every
    ``READING_LINES_EVERY`` seconds and before the first step.
    """
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    columns = [
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    ]
    tasks: dict[str, Any] = {}
    last = time.perf_counter()

    def progress(name: str, seen: int, total: int, counted: Literal["examples", "steps", "bytes"] = "examples") -> None:
        nonlocal last
        if console.is_terminal:
            if name not in tasks:
                tasks[name] = bars.add_task(printable(name), total=total)
            bars.update(tasks[name], completed=seen)
            return
        is_first_step = counted == "steps" and not seen
        if is_first_step or time.perf_counter() - last >= READING_LINES_EVERY:
            last = time.perf_counter()
            done = {"examples": "processed", "bytes": "bytes downloaded"}
            count = f"step {seen:,} of {total:,}" if counted == "steps" else f"{seen:,} of {total:,} {done[counted]}"
            say(f"{name}: {count}", sys.stderr)

    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield progress


def summarize(row: Mapping[str, Any]) -> list[str]:
    """Format the losses and the accuracies of discriminators for the progress line.

    For a population, the texts contain the means over the members.

    Args:
      row: dictionary from names to the metrics of a step. For a population, each metric is a list with one number per
        member.
    """
    row = {name: mean for name, value in row.items() if (mean := finite_mean(value)) is not None}
    parts = [f"{name} {value:.3f}" for name, value in row.items() if name.endswith("/loss")]
    for player in dict.fromkeys(name.partition("/")[0] for name in row):
        real, fake = row.get(f"{player}/accuracy_real"), row.get(f"{player}/accuracy_fake")
        if real is not None and fake is not None:
            parts += [f"{player}/accuracy_real {real:.0%}", f"{player}/accuracy_fake {fake:.0%}"]
    return parts


def fit(parts: Sequence[str], width: float) -> str:
    """Join the first parts that fit into a line. The first part is always included.

    >>> fit(["step 10/100", "40 images/s", "d/loss 1.250"], 30)
    'step 10/100  40 images/s'

    Args:
      parts: the parts of the line, the most important part first.
      width: the number of characters that fit into the line.
    """
    line, *others = parts or [""]
    for part in others:
        if len(line) + 2 + len(part) > width:
            break
        line += "  " + part
    return line


def terminal_width() -> float:
    """Return the number of columns of the process's terminal, even if the output is piped.

    If the process has no terminal, the result is infinity.
    """
    if "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            return os.get_terminal_size(stream.fileno()).columns  # pyright: ignore[reportOptionalMemberAccess]
    return math.inf


def format_seconds(seconds: float) -> str:
    """Format a time with one decimal if it is below 10 seconds, such as ``0.4 s`` and ``35 s``."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def format_duration(seconds: float) -> str:
    """Format a time as ``1:02:03``, or as ``2:03`` if it is below an hour.

    Args:
      seconds: the time in seconds. Fractions of a second are dropped.
    """
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _can_draw(encoding: str) -> bool:
    """Return whether an encoding has the character that ``half_blocks`` draws with."""
    try:
        HALF_BLOCK.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def half_blocks(image: np.ndarray) -> Text:
    """Convert a uint8 image of shape [H, W, C] to coloured text. Each line of text shows two rows of pixels."""
    pixels = np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.full_like(pixels[:1], 255)])
    text = Text()
    for above, below in zip(pixels[::2], pixels[1::2]):
        for a, b in zip(above, below):
            text.append(HALF_BLOCK, Style(color=f"rgb({a[0]},{a[1]},{a[2]})", bgcolor=f"rgb({b[0]},{b[1]},{b[2]})"))
        text.append("\n")
    return text
