"""Reports of libraries about errors that jaxgan handles: they are in a debug log, and not on the terminal."""

import asyncio
import logging
import sys
import types

import pytest

from jaxgan.cli import library_noise
from jaxgan.cli.library_noise import log_as_debug


def unraisable(error):
    """Return what Python passes to ``sys.unraisablehook``."""
    return types.SimpleNamespace(exc_value=error, err_msg="Exception ignored in a callback", exc_type=type(error))


@pytest.fixture
def shown(monkeypatch):
    """Return the errors that reach the previous ``sys.unraisablehook``, which prints them, as in a new process."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    monkeypatch.setattr(library_noise, "_show", [])
    for name in library_noise._LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    return found


@pytest.mark.parametrize("library", ["asyncio", "absl"])
def test_reports_of_libraries_are_logged_as_debug(library, shown, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger(library)
    monkeypatch.setattr(logger, "level", logging.ERROR)
    logger.error("before")
    for _ in range(2):
        log_as_debug()
    logger.error("Task exception was never %s", "retrieved")
    assert [(x.name, x.levelname, x.getMessage()) for x in caplog.records] == [
        (library, "ERROR", "before"),
        ("jaxgan.libraries", "DEBUG", "Task exception was never retrieved"),
    ]


def test_errors_of_closed_event_loops_are_logged_and_other_errors_are_shown(shown, caplog):
    caplog.set_level(logging.DEBUG, "jaxgan.libraries")
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError) as closed:
        loop.call_soon(print)
    other = unraisable(RuntimeError("an error of jaxgan"))
    for _ in range(2):
        log_as_debug()
        sys.unraisablehook(unraisable(closed.value))
        sys.unraisablehook(other)
    assert (shown, caplog.messages) == ([other] * 2, ["Exception ignored in a callback"] * 2)
