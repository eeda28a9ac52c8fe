"""Tests of the handlers of signals. ``tests/training/test_signals.py`` tests how they stop a training."""

import contextlib
import os
import signal
import sys
import time

import pytest

from jaxgan.core.interruption import STOPPING, Interrupted, handle, pending, raising_interrupted, restore


@pytest.fixture(autouse=True)
def usual():
    """Restore the handlers of the process of the tests."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals.")
def test_the_signals_of_terminals_and_schedulers_are_handled():
    names = {"SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"}
    assert {signal.Signals(number).name for number in STOPPING} == names


def test_handlers_are_set_and_restored():
    numbers, others = [], []
    for number in STOPPING:
        signal.signal(number, lambda *_: others.append(1))
    earlier = {number: signal.getsignal(number) for number in STOPPING}
    before = handle(lambda number, _: numbers.append(number))
    assert before == earlier
    for number in STOPPING:
        os.kill(os.getpid(), number)
    assert (numbers, others) == (list(STOPPING), [])
    restore(before)
    assert {number: signal.getsignal(number) for number in STOPPING} == earlier


@pytest.mark.parametrize("number", STOPPING)
def test_ignored_signals_stay_ignored_except_for_sigint_and_sigterm(number):
    signal.signal(number, signal.SIG_IGN)
    before = handle(lambda *_: None)
    is_handled = number in (signal.SIGINT, signal.SIGTERM)
    assert (number in before) == is_handled == (signal.getsignal(number) != signal.SIG_IGN)


def test_a_handler_that_python_did_not_set_becomes_the_default():
    restore({signal.SIGUSR1: None})
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_the_first_discarded_signal_is_pending_until_the_block_ends():
    with raising_interrupted():
        assert pending() == 0
        for number in (signal.SIGUSR1, signal.SIGTERM):
            with contextlib.suppress(Interrupted):
                os.kill(os.getpid(), number)
        assert pending() == signal.SIGUSR1
    assert pending() == 0


def test_a_discarded_signal_ends_the_block_soon(monkeypatch):
    class Collected:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)  # Python discards an exception of this method

    def wait_in_block():
        with raising_interrupted():
            Collected()
            for _ in range(100):
                time.sleep(0.1)

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # in place of pytest's, which collects them
    with pytest.raises(Interrupted):
        wait_in_block()
