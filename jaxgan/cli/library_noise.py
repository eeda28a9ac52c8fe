"""Keep the reports of libraries about errors that jaxgan handles away from the terminal.

If a checkpoint is damaged or a disk is full, Orbax, asyncio and TensorStore print dozens of tracebacks from background
threads, in addition to the error that they raise. jaxgan handles the error and prints one line. The reports are sent to
the logger ``jaxgan.libraries`` at the level DEBUG.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

_LOG = logging.getLogger("jaxgan.libraries")
_LOGGERS = ("asyncio", "absl")  # Orbax logs with absl
_show: list[Callable[[Any], Any]] = []  # the hook that ``record_errors_of_threads`` has replaced


@contextlib.contextmanager
def logged_as_debug() -> Iterator[None]:
    """Send what libraries log to the debug log inside a ``with`` block."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(_log_as_debug)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_log_as_debug)


def _log_as_debug(report: logging.LogRecord) -> bool:
    _LOG.debug("%s", report.getMessage(), exc_info=report.exc_info)
    return False


def record_errors_of_threads() -> None:
    """Send errors of callbacks that TensorStore runs in its own threads to the debug log, until the process ends.

    The threads can end after the command that has printed the error. Calling this function again has no effect.
    """
    if not _show:
        _show.append(sys.unraisablehook)
        sys.unraisablehook = _record


def _record(unraisable: Any) -> None:
    error = unraisable.exc_value
    if isinstance(error, RuntimeError) and "Event loop is closed" in str(error):
        _LOG.debug("%s", unraisable.err_msg, exc_info=error)
    else:
        _show[0](unraisable)
