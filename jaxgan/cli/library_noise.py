"""Keep the reports of libraries about errors that jaxgan handles away from the terminal.

If a checkpoint is damaged or a disk is full, Orbax, asyncio and TensorStore print dozens of tracebacks from background
threads, in addition to the error that they raise. jaxgan handles the error and prints one line. The reports are sent to
the logger ``jaxgan.libraries`` at the level DEBUG.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

_LOG = logging.getLogger("jaxgan.libraries")
_LOGGERS = ("asyncio", "absl")  # Orbax logs with absl
_show: list[Callable[[Any], Any]] = []  # the hook that ``log_as_debug`` has replaced


def log_as_debug() -> None:
    """Send the reports of libraries to the debug log until the process ends. Calling this again has no effect.

    The threads of TensorStore can report an error after the command that has printed it, so nothing is restored.
    """
    if not _show:
        _show.append(sys.unraisablehook)
        sys.unraisablehook = _record
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_log)


def _log(report: logging.LogRecord) -> bool:
    _LOG.debug("%s", report.getMessage(), exc_info=report.exc_info)
    return False


def _record(unraisable: Any) -> None:
    error = unraisable.exc_value
    if isinstance(error, RuntimeError) and "Event loop is closed" in str(error):
        _LOG.debug("%s", unraisable.err_msg, exc_info=error)
    else:
        _show[0](unraisable)
