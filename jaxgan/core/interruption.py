"""Handle the signals that ask a process to end.

The signals are SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal), SIGBREAK of Windows, and SIGUSR1, SIGUSR2 and
SIGXCPU, which schedulers send some time before they end a job. Systems without some of these signals use the others.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGUSR1", "SIGUSR2", "SIGXCPU")
STOPPING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_OUTPUTS = (1, 2)  # the file descriptors of standard output and standard error

_SECONDS_UNTIL_AGAIN = 0.1  # time after which a signal is sent again whose exception Python discarded

_pending: list[int] = []  # the signals that ``raising_interrupted`` received

Handler = Callable[[int, FrameType | None], Any]


class Interrupted(BaseException):
    """Raised when a signal stops a command.

    Like ``KeyboardInterrupt``, it is not an ``Exception``, so that code that handles errors does not catch it.

    Args:
      number: the number of the signal.
      saved: whether a training run has saved its state. On several hosts, all processes have then stopped.
    """

    def __init__(self, number: int, *, saved: bool = False):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.saved = number, saved


def handle(handler: Handler) -> dict[int, Any]:
    """Set the handler of the signals that end a process, and return the handlers that they had before.

    A signal that is ignored stays ignored: ``nohup`` ignores SIGHUP, so that a run survives its terminal. SIGINT and
    SIGTERM are handled in any case, because shells ignore SIGINT in programs that they start in the background. Python
    handles signals in the main thread only, so other threads change nothing.

    Args:
      handler: the new handler.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    for number in STOPPING:
        always = number in (signal.SIGINT, signal.SIGTERM)
        if always or signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    return before


def restore(handlers: dict[int, Any]) -> None:
    """Restore the handlers that ``handle`` returned."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python


@contextlib.contextmanager
def raising_interrupted() -> Iterator[None]:
    """Raise ``Interrupted`` on a signal inside the ``with`` block, so that the body can remove its temporary files.

    Python discards exceptions of signals in some places, such as callbacks from compiled code. Such a signal is sent
    again after ``_SECONDS_UNTIL_AGAIN``, and ``pending`` returns its number.
    """

    def receive(number: int, frame: FrameType | None) -> None:
        _pending.append(number)
        silence_closed_terminal()
        raise Interrupted(number)

    def report_unraisable(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, Interrupted):
            timer = threading.Timer(_SECONDS_UNTIL_AGAIN, send_again, (unraisable.exc_value.number,))
            timer.daemon = True
            timer.start()
        else:
            report(unraisable)

    def send_again(number: int) -> None:
        if number in _pending:  # the block has not ended
            os.kill(os.getpid(), number)

    before, report = handle(receive), sys.unraisablehook
    sys.unraisablehook = report_unraisable
    try:
        yield
    finally:
        sys.unraisablehook = report
        restore(before)
        _pending.clear()


def pending() -> int:
    """Return the number of the first signal that ``raising_interrupted`` received and that did not end it, or 0."""
    return _pending[0] if _pending else 0


def silence_closed_terminal() -> None:
    """Discard further output if the terminal was closed, because writing to it would raise an error."""
    for output in _OUTPUTS:
        try:
            os.write(output, b"")
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, output)
            os.close(null)
