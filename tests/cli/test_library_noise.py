"""Reports of libraries about errors that jaxgan handles: they are in a debug log, and not on the terminal."""

import asyncio
import logging
import sys
import types

import pytest

from jaxgan.cli import library_noise
from jaxgan.cli.library_noise import logged_as_debug


def unraisable(error):
    """Return what Python passes to ``sys.unraisablehook``."""
    return types.SimpleNamespace(exc_value=error, err_msg="Exception ignored in a callback", exc_type=type(error))


@pytest.fixture
def shown(monkeypatch):
    """The errors that reach the previous ``sys.unraisablehook``, which prints them on the terminal."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    monkeypatch.setattr(library_noise, "_show", [])  # as in a new process
    return found


@pytest.mark.parametrize("library", ["asyncio", "absl"])
def test_reports_of_libraries_are_logged_as_debug(library, caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with logged_as_debug():
            logger.error("Task exception was never %s", "retrieved")
        logger.error("afterwards")
    finally:
        logger.setLevel(before)
    assert [(x.name, x.levelname, x.getMessage()) for x in caplog.records] == [
        ("jaxgan.libraries", "DEBUG", "Task exception was never retrieved"),
        (library, "ERROR", "afterwards"),
    ]


def test_errors_of_closed_event_loops_are_logged_and_other_errors_are_shown(shown, caplog):
    caplog.set_level(logging.DEBUG, "jaxgan.libraries")
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError) as closed:
        loop.call_soon(print)
    other = unraisable(RuntimeError("an error of jaxgan"))
    for _ in range(2):
        library_noise.record_errors_of_threads()
        sys.unraisablehook(unraisable(closed.value))
        sys.unraisablehook(other)
    assert (shown, caplog.messages) == ([other] * 2, ["Exception ignored in a callback"] * 2)


def test_the_loggers_are_restored_after_an_error():
    with pytest.raises(ValueError, match="mine"), logged_as_debug():
        raise ValueError("mine")
    assert not logging.getLogger("absl").filters
