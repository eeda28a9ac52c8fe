"""What a person sees: plain lines where there is no terminal, a bar and a picture where there is one."""

import io
import sys

import numpy as np
import pytest

from jaxgan.monitoring import terminal as terminals
from jaxgan.monitoring.terminal import Terminal, format_duration, half_blocks, reading, summarize

ROW = {"step": 10, "d/loss": 1.25, "g/loss": 0.5, "d/accuracy_real": 0.75, "d/accuracy_fake": 0.5, "d/r1": 9.0}


class FakeTerminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """Makes the clock stand at a time."""

    def now(seconds):
        monkeypatch.setattr(terminals.time, "perf_counter", lambda: seconds)

    now(0.0)
    return now


def test_a_line_has_losses_and_accuracies():
    assert summarize(ROW) == "d/loss 1.250  g/loss 0.500  d right on reals 75%, fakes 50%"
    assert summarize({"step": 1, "g/loss": [1.0, 2.0, None]}) == "g/loss 1.500"
    assert summarize({"step": 1, "g/loss": [None]}) == ""


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (123, "2:03"), (3723, "1:02:03")])
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_progress_is_a_line_every_two_seconds(now, capsys):
    terminal = Terminal(steps=100, start=0, batch_size=8)
    now(1.0)
    assert terminal.show({**ROW, "step": 5}) is None and capsys.readouterr().out == ""
    now(2.0)
    assert terminal.show(ROW, "mode collapse") == 40.0  # images in a second
    line = capsys.readouterr().out
    assert line.startswith("step 10/100  40 images/s  d/loss 1.250") and line.endswith(
        "  !! mode collapse  0:18 left\n"
    )
    now(4.0)
    assert terminal.show({**ROW, "step": 30}) == 80.0
    assert "!!" not in capsys.readouterr().out


def test_a_quiet_run_measures_its_speed_and_says_nothing(now, capsys):
    terminal = Terminal(100, 0, 8, quiet=True)
    now(2.0)
    assert terminal.show(ROW) == 40.0
    terminal.say("hello")
    assert capsys.readouterr().out == ""


def test_messages_are_no_markup(capsys):
    Terminal(100, 0, 8).say("[red]x[/red] [1, 2]")
    assert capsys.readouterr().out == "[red]x[/red] [1, 2]\n"


def test_a_live_bar_at_a_terminal(now, monkeypatch):
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal(100, 0, 8)
    now(0.5)
    assert terminal.show(ROW) == 160.0
    terminal.close()
    assert "10/100" in screen.getvalue() and "160 images/s" in screen.getvalue()
    terminal.close()  # again: nothing happens


def test_pixels_are_half_blocks():
    image = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]], [[1, 2, 3], [4, 5, 6]]], np.uint8)
    text = half_blocks(image)
    assert text.plain == "\u2580\u2580\n\u2580\u2580\n"
    styles = [span.style for span in text.spans]
    assert styles[0].color.triplet == (255, 0, 0) and styles[0].bgcolor.triplet == (0, 0, 255)
    assert styles[3].color.triplet == (4, 5, 6) and styles[3].bgcolor.triplet == (255, 255, 255)  # below is nothing
    assert half_blocks(np.full((2, 1, 1), 7, np.uint8)).spans[0].style.color.triplet == (7, 7, 7)


def test_a_picture_is_shown_where_it_fits(monkeypatch, capsys):
    image = np.zeros((2, 5, 1), np.uint8)
    Terminal(100, 0, 8).picture(image)
    assert capsys.readouterr().out == ""  # no terminal
    monkeypatch.setenv("COLUMNS", "80")
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal = Terminal(100, 0, 8, quiet=True)
    terminal.picture(image)
    assert screen.getvalue() == ""
    terminal = Terminal(100, 0, 8)
    terminal.close()
    terminal.picture(image)
    assert screen.getvalue().count("\u2580") == 5
    terminal.picture(np.zeros((2, 81, 1), np.uint8))
    assert screen.getvalue().count("\u2580") == 5


def test_reading_prints_a_line_now_and_then(now, capsys):
    with reading() as progress:
        now(9.0)
        progress("samples", 10, 5000)
        now(11.0)
        progress("samples", 1024, 5000)
        now(12.0)
        progress("samples", 5000, 5000)
    captured = capsys.readouterr()
    assert captured.err == "samples: 1,024 of 5,000 seen\n" and captured.out == ""


def test_reading_has_a_bar_for_each_set_at_a_terminal(monkeypatch):
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "120")
    with reading() as progress:
        progress("samples", 10, 50)
        progress("data", 20, 50)
    assert "samples" in screen.getvalue() and "20/50" in screen.getvalue()
