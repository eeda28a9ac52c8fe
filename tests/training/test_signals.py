"""Tests of the signals that stop a run."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import jax
import pytest
from helpers import programs

from jaxgan.core import interruption
from jaxgan.core.interruption import Interrupted
from jaxgan.training.signals import StopSignals


@pytest.fixture
def heard():
    """A list of the signals that reach the handlers outside the block. No signal ends the process of the tests."""
    numbers = []
    before = {number: signal.signal(number, lambda n, _: numbers.append(n)) for number in interruption.STOPPING}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number):
    os.kill(os.getpid(), number)


def test_the_first_signal_is_recorded(heard):
    with StopSignals() as signals:
        assert (signals.received, signals.immediate, signals.agree()) == (0, 0, 0)
        send(signal.SIGTERM)
        send(signal.SIGINT)
        assert signals.received == signals.immediate == signals.agree() == signal.SIGTERM
    assert heard == []


def test_a_second_signal_of_the_same_kind_reaches_the_previous_handler(heard):
    with StopSignals() as signals:
        send(signal.SIGINT)
        send(signal.SIGINT)
        assert signals.received == signal.SIGINT and heard == [signal.SIGINT]


def test_a_signal_during_the_entry_of_the_block_is_recorded(heard, monkeypatch):
    """The handlers are set one after the other, so a signal can arrive when only some are set."""

    def handle(handler):
        before = original(handler)
        send(signal.SIGTERM)
        return before

    original = interruption.handle
    monkeypatch.setattr(interruption, "handle", handle)
    with StopSignals() as signals:
        assert signals.received == signal.SIGTERM


def test_the_previous_handlers_are_restored_after_the_block(heard):
    with pytest.raises(KeyError), StopSignals():
        raise KeyError
    send(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_one_of_several_processes_does_not_stop_immediately(heard, monkeypatch):
    with StopSignals() as signals:
        send(signal.SIGTERM)
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        assert signals.immediate == 0 and signals.received == signal.SIGTERM


@pytest.mark.parametrize("number", interruption.STOPPING)
def test_every_signal_that_ends_a_process_is_recorded(number, heard):
    with StopSignals() as signals:
        send(number)
        assert signals.received == number
    assert heard == []


def test_a_signal_that_nohup_ignores_stays_ignored(heard):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopSignals() as signals, interruption.raising_interrupted():
        send(signal.SIGHUP)
        assert signals.received == 0
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_signals_outside_the_training_raise_interrupted(heard):
    """It is not an ``Exception``, so that code that handles all errors does not catch it."""
    for number in interruption.STOPPING:
        with pytest.raises(Interrupted) as stop, interruption.raising_interrupted():
            send(number)
        assert stop.value.number == number and not isinstance(stop.value, Exception)
    send(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_second_signal_during_the_training_raises_interrupted(heard):
    with interruption.raising_interrupted(), StopSignals() as signals:
        send(signal.SIGHUP)
        assert signals.received == signal.SIGHUP
        with pytest.raises(Interrupted):
            send(signal.SIGHUP)


def test_a_signal_is_not_lost_if_its_exception_is_discarded(heard):
    """Python discards exceptions in callbacks from compiled code, such as JAX's."""
    with interruption.raising_interrupted():
        with contextlib.suppress(Interrupted):
            send(signal.SIGUSR1)
        with StopSignals() as signals:
            assert signals.received == signals.immediate == signal.SIGUSR1
    with StopSignals() as signals:
        assert signals.received == 0


def test_other_threads_handle_no_signals(heard):
    """Only the main thread can set handlers. A training in a thread works, and does not stop on signals."""
    results = []

    def train():
        with StopSignals() as signals:
            results.append(signals.received)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert results == [0]


def test_output_to_a_closed_terminal_is_discarded():
    """When a terminal is closed, the process receives SIGHUP, and writing to the terminal raises an error."""
    code = """
import os, pty, sys
from jaxgan.core.interruption import silence_closed_terminal
master, terminal = pty.openpty()
os.dup2(terminal, 1)
silence_closed_terminal()
print("open", flush=True)
os.close(terminal)
assert os.read(master, 100).startswith(b"open")
os.close(master)
silence_closed_terminal()
print("closed", flush=True)
print("standard error is open", file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=programs.ROOT)
    assert (result.returncode, result.stderr) == (0, "standard error is open\n"), result.stderr


def test_interrupted_has_the_number_and_the_name_of_the_signal():
    assert Interrupted(signal.SIGTERM).number == 15 and str(Interrupted(15)) == "stopped by SIGTERM"
