"""Signals that stop a run: SIGINT and SIGTERM end it after the current steps, saved."""

import signal
from types import FrameType
from typing import Any, Self

import jax

from jaxgan import parallel


class Interrupted(Exception):
    """A signal ended the run, and its state was saved."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


class StopSignals:
    """Remembers that SIGINT or SIGTERM came, inside a ``with`` block.

    A second signal of the same kind has the effect that it had before the block, so it ends the process.

    Attributes:
      received: the number of the first signal that this process received; 0 if there was none.
    """

    def __init__(self):
        self.received = 0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or number
        signal.signal(number, self._handlers[number])

    @property
    def immediate(self) -> int:
        """The signal on which a run may stop at any step; 0 if there was none.

        The processes of a run on several hosts must stop at the same step, so they only ``agree`` at fixed steps.
        """
        return self.received if jax.process_count() == 1 else 0

    def agree(self) -> int:
        """The signal that one of the run's processes received; 0 if there was none. All processes must call it."""
        return parallel.max_over_processes(self.received)
