"""Stop a run on a signal after the current call of the compiled step, and save its state."""

import signal
from types import FrameType
from typing import Any, Self

import jax

from jaxgan import parallel
from jaxgan.core import interruption


class StopSignals:
    """Records signals that ask the process to end inside a ``with`` block; see ``jaxgan.core.interruption``.

    A second signal of the same kind is handled as it was outside the block, so it normally ends the process.

    Attributes:
      received: number of the first signal that this process received; 0 if it received none.
    """

    def __init__(self):
        self.received = 0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._handlers = interruption.handle(self._receive)
        self.received = interruption.pending() or self.received
        return self

    def __exit__(self, *error: object) -> None:
        interruption.restore(self._handlers)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or number
        # A signal can arrive in ``__enter__``, before the previous handlers are known.
        signal.signal(number, self._handlers.get(number) or signal.SIG_DFL)
        interruption.silence_closed_terminal()

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
