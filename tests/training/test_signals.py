"""Tests of the signals that stop a run."""

import os
import signal

import jax
import pytest

from jaxgan.training.signals import Interrupted, StopSignals


@pytest.fixture
def heard():
    """A list of the signals that reach the handlers outside the block. No signal ends the process of the tests."""
    numbers = []
    before = {
        number: signal.signal(number, lambda n, _: numbers.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
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


def test_interrupted_has_the_number_and_the_name_of_the_signal():
    assert Interrupted(signal.SIGTERM).number == 15 and "SIGTERM" in str(Interrupted(15))
