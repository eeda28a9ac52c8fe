"""Stop a run on SIGINT or SIGTERM, after the current call of the compiled step, and save its state."""

import signal
from types import FrameType
from typing import Any, Self

import jax

from jaxgan import parallel


class Interrupted(Exception):
    """Raised after a signal stopped the run and the state was saved.

    Args:
      number: the number of the signal.
    """

    def __init__(self, number: int):
        super().__init__(f"The run was stopped by {signal.Signals(number).name}.")
        self.number = number


class StopSignals:
    """Records SIGINT and SIGTERM inside a ``with`` block instead of ending the process.

    A second signal of the same kind is handled as it was outside the block, so it normally ends the process.

    Attributes:
      received: number of the first signal that this process received; 0 if it received none.
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
        """The number of the signal on which the run must stop immediately, or 0.

        The number is always 0 for a run on several hosts, because all processes must stop at the same step. The
        processes call ``agree`` at fixed steps instead.
        """
        return self.received if jax.process_count() == 1 else 0

    def agree(self) -> int:
        """Return the number of the signal that any process of the run received, or 0.

        All processes of the run must call this method at the same step.
        """
        return parallel.max_over_processes(self.received)
