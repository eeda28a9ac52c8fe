"""Reports of libraries about errors that jaxgan handles: they are in a debug log, and not on the terminal."""

import asyncio
import logging
import sys
import types

import pytest

from jaxgan.cli.library_noise import logged_as_debug


def unraisable(error):
    """Return what Python passes to ``sys.unraisablehook``."""
    return types.SimpleNamespace(exc_value=error, err_msg="Exception ignored in a callback", exc_type=type(error))


@pytest.fixture
def shown(monkeypatch):
    """The errors that reach the previous ``sys.unraisablehook``, which prints them on the terminal."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
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
    with logged_as_debug():
        sys.unraisablehook(unraisable(closed.value))
        assert (shown, caplog.messages) == ([], ["Exception ignored in a callback"])
        sys.unraisablehook(other)
    after = unraisable(closed.value)
    sys.unraisablehook(after)
    assert shown == [other, after]


def test_errors_of_threads_are_logged_until_the_process_ends(monkeypatch, capsys, caplog):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # restored after the test
    caplog.set_level(logging.DEBUG, "jaxgan.libraries")
    with logged_as_debug():
        pass
    sys.excepthook(RuntimeError, RuntimeError("Event loop is closed"), None)
    assert caplog.messages == ["Event loop is closed"] and not capsys.readouterr().err
    sys.excepthook(ValueError, ValueError("mine"), None)
    assert "ValueError: mine" in capsys.readouterr().err


def test_the_terminal_is_restored_after_an_error(shown):
    before = sys.unraisablehook
    with pytest.raises(ValueError, match="mine"), logged_as_debug():
        raise ValueError("mine")
    assert sys.unraisablehook == before and not logging.getLogger("absl").filters
