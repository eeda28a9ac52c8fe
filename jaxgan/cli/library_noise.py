"""Keep the reports of libraries about errors that jaxgan handles away from the terminal.

If a checkpoint is damaged or a disk is full, Orbax, asyncio and TensorStore print dozens of tracebacks from background
threads, in addition to the error that they raise. jaxgan handles the error and prints one line. The reports are sent to
the logger ``jaxgan.libraries`` at the level DEBUG.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_LOG = logging.getLogger("jaxgan.libraries")
_LOGGERS = ("asyncio", "absl")  # Orbax logs with absl
_show_exception = sys.excepthook


@contextlib.contextmanager
def logged_as_debug() -> Iterator[None]:
    """Send the reports of libraries to the debug log inside a ``with`` block.

    Reports that reach ``sys.excepthook`` are sent to the debug log for the rest of the process.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    show = sys.unraisablehook

    def record(unraisable: Any) -> None:
        """Log an error of a callback that TensorStore runs in its own thread, or of a coroutine that Orbax left."""
        if _is_of_event_loop(unraisable.exc_value):
            _LOG.debug("%s", unraisable.err_msg, exc_info=unraisable.exc_value)
        else:
            show(unraisable)

    for logger in loggers:
        logger.addFilter(_log_as_debug)
    sys.unraisablehook = record
    sys.excepthook = _record_exception
    try:
        yield
    finally:
        sys.unraisablehook = show
        for logger in loggers:
            logger.removeFilter(_log_as_debug)


def _log_as_debug(report: logging.LogRecord) -> bool:
    _LOG.debug("%s", report.getMessage(), exc_info=report.exc_info)
    return False


def _record_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an error of a callback in a thread of TensorStore. Such threads can end after the command."""
    if _is_of_event_loop(error):
        _LOG.debug("%s", error, exc_info=error)
    else:
        _show_exception(kind, error, trace)


def _is_of_event_loop(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and "Event loop is closed" in str(error)
