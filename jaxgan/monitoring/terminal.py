"""A run at a terminal: progress, messages, a picture."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.style import Style
from rich.text import Text

from jaxgan.monitoring.metrics_file import finite_mean

BAR_EVERY = 0.25  # seconds between updates of a run's live bar
PLAIN_LINES_EVERY = 2.0  # seconds between lines about a run, where there is no live bar
READING_LINES_EVERY = 10.0  # seconds between lines about an evaluation


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader of the output has gone; the run goes on without it."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Progress of a run: a live bar at a terminal, plain lines elsewhere.

    Args:
      steps: the last step.
      start: the step that the run starts or resumes after.
      batch_size: images in a step, of all members together.
      quiet: print nothing.
    """

    def __init__(self, steps: int, start: int, batch_size: int, quiet: bool = False):
        self._console = _Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._steps, self._batch_size, self._quiet = steps, batch_size, quiet
        self._last = (time.perf_counter(), start)
        self._bar = None
        if self._console.is_terminal and not quiet:
            columns = [BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn()]
            self._bar = Progress(*columns, console=self._console, refresh_per_second=4)
            self._task = self._bar.add_task("", total=steps, completed=start, text="compiling")
            self._bar.start()

    def say(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def show(self, row: Mapping[str, Any], wrong: str = "") -> float | None:
        """Show a step's metrics, unless a step was shown just before.

        Args:
          row: the metrics.
          wrong: what looks wrong, in a few words; empty if nothing does.

        Returns:
          The images per second since the last step that was shown; None if this one was not.
        """
        now, (then, step) = time.perf_counter(), self._last
        if now - then < (BAR_EVERY if self._bar else PLAIN_LINES_EVERY):
            return None
        rate = (row["step"] - step) * self._batch_size / (now - then)
        self._last = (now, row["step"])
        text = f"{rate:,.0f} images/s  {summarize(row)}"
        if wrong:
            text += f"  !! {wrong}"
        if self._bar:
            self._bar.update(self._task, completed=row["step"], text=text)
        else:
            left = (self._steps - row["step"]) * self._batch_size / max(rate, 1e-9)
            self.say(f"step {row['step']}/{self._steps}  {text}  {format_duration(left)} left")
        return rate

    def close(self) -> None:
        """End the live bar; messages can still be printed."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def picture(self, image: np.ndarray) -> None:
        """Show a picture, uint8 [H, W, C], if there is a terminal that is wide enough."""
        if self._console.is_terminal and image.shape[1] <= self._console.width and not self._quiet:
            self._console.print(half_blocks(image))


@contextlib.contextmanager
def reading() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error how many images of a set have been read, in a ``with`` block.

    The block gets ``progress(name, seen, total)``: the set's name, the number of images that are read, and of all. At a
    terminal each set has a live bar, which is removed at the end; elsewhere a line is printed now and then.
    """
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    columns = [BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()]
    tasks: dict[str, Any] = {}
    last = time.perf_counter()

    def progress(name: str, seen: int, total: int) -> None:
        nonlocal last
        if console.is_terminal:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=seen)
        elif time.perf_counter() - last >= READING_LINES_EVERY:
            last = time.perf_counter()
            print(f"{name}: {seen:,} of {total:,} seen", file=sys.stderr, flush=True)

    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield progress


def summarize(row: Mapping[str, Any]) -> str:
    """Losses and the discriminator's accuracy in a line; of a population the means."""
    row = {name: mean for name, value in row.items() if (mean := finite_mean(value)) is not None}
    parts = [f"{name} {value:.3f}" for name, value in row.items() if name.endswith("/loss")]
    for player in dict.fromkeys(name.partition("/")[0] for name in row):
        real, fake = row.get(f"{player}/accuracy_real"), row.get(f"{player}/accuracy_fake")
        if real is not None and fake is not None:
            parts.append(f"{player} right on reals {real:.0%}, fakes {fake:.0%}")
    return "  ".join(parts)


def format_duration(seconds: float) -> str:
    """``1:02:03``, or ``2:03`` below an hour."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def half_blocks(image: np.ndarray) -> Text:
    """A picture, uint8 [H, W, C], as text: two rows of pixels in a row of characters."""
    pixels = np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.full_like(pixels[:1], 255)])
    text = Text()
    for above, below in zip(pixels[::2], pixels[1::2]):
        for a, b in zip(above, below):
            text.append("\u2580", Style(color=f"rgb({a[0]},{a[1]},{a[2]})", bgcolor=f"rgb({b[0]},{b[1]},{b[2]})"))
        text.append("\n")
    return text
