"""Tests of the progress of a run: plain lines in a pipe, and a live bar and an image in a terminal."""

import io
import math
import os
import re
import sys
import time

import numpy as np
import pytest

from jaxgan.monitoring import terminal as terminals
from jaxgan.monitoring.terminal import (
    Terminal,
    fit,
    format_duration,
    format_seconds,
    half_blocks,
    reading,
    say_nothing,
    summarize,
    terminal_width,
    waiting,
)

ROW = {"step": 10, "d/loss": 1.25, "g/loss": 0.5, "d/accuracy_real": 0.75, "d/accuracy_fake": 0.5, "d/r1": 9.0}


class FakeTerminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """Return a function that sets the clock to a fixed time in seconds."""

    def now(seconds):
        monkeypatch.setattr(terminals.time, "perf_counter", lambda: seconds)

    now(0.0)
    return now


@pytest.fixture
def open_screen(monkeypatch):
    """Return a function that replaces the standard output with a terminal of 80 columns.

    It must be called inside the test, because pytest sets the standard output before each test.
    """

    def open_screen():
        screen = FakeTerminal()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setenv("COLUMNS", "80")
        return screen

    return open_screen


def test_a_summary_has_losses_and_accuracies():
    assert summarize(ROW) == ["d/loss 1.250", "g/loss 0.500", "d/accuracy_real 75%", "d/accuracy_fake 50%"]
    assert summarize({"step": 1, "g/loss": [1.0, 2.0, None]}) == ["g/loss 1.500"]
    assert summarize({"step": 1, "g/loss": [None]}) == []


def test_a_line_is_truncated_between_its_parts():
    assert fit(["step 1", "a loss", "more"], 14) == "step 1  a loss"
    assert fit(["step 1", "a loss", "more"], 13) == "step 1"
    assert fit(["step 1"], 2) == "step 1" and fit([], 2) == ""


def test_the_width_is_that_of_the_process_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_width() == 72
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(terminals.os, "get_terminal_size", lambda fd: os.terminal_size((99, 20)))
    assert terminal_width() == 99

    def no_terminal(fd):
        raise OSError

    monkeypatch.setattr(terminals.os, "get_terminal_size", no_terminal)
    assert terminal_width() == math.inf


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (135, "135 s")])
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (123, "2:03"), (3723, "1:02:03")])
def test_format_duration(seconds, text):
    assert format_duration(seconds) == text


def test_a_progress_line_is_printed_every_two_seconds(now, capsys, monkeypatch):
    monkeypatch.setattr(terminals, "terminal_width", lambda: math.inf)
    terminal = Terminal(steps=100, start=0)
    now(1.0)
    assert terminal.show({**ROW, "step": 5}, 40) is None and capsys.readouterr().out == ""
    now(2.0)
    assert terminal.show(ROW, 80, "mode collapse") == 40.0  # images per second
    assert capsys.readouterr().out == (
        "step 10/100  40 images/s  0:18 left  problem: mode collapse  d/loss 1.250  g/loss 0.500  "
        "d/accuracy_real 75%  d/accuracy_fake 50%\n"
    )
    now(4.0)
    assert terminal.show({**ROW, "step": 40}, 320) == 120.0
    assert "120 images/s  0:06 left  d/loss" in capsys.readouterr().out  # 40 steps took 4 s


def test_a_progress_line_fits_into_the_terminal(now, capsys, monkeypatch):
    monkeypatch.setattr(terminals, "terminal_width", lambda: 60)
    terminal = Terminal(100, 0)
    now(2.0)
    terminal.show(ROW, 80)
    assert capsys.readouterr().out == "step 10/100  40 images/s  0:18 left  d/loss 1.250\n"


def test_rates_are_measured_from_a_restart_and_exclude_pauses(now, capsys):
    terminal = Terminal(100, 0)
    now(60.0)
    terminal.restart(1, 8)
    assert terminal.show({**ROW, "step": 1}, 8) is None
    now(62.0)
    with terminal.paused("compiling"):
        now(82.0)
    assert terminal.show(ROW, 80) == 36.0
    assert "36 images/s  0:20 left" in capsys.readouterr().out  # nine steps took 2 s


def test_the_last_step_is_shown_without_a_rate_if_it_follows_shortly_after_another(now, capsys):
    terminal = Terminal(10, 0)
    now(0.5)
    assert terminal.show(ROW, 80) is None
    assert capsys.readouterr().out.startswith("step 10/10  d/loss 1.250")


def test_a_compilation_is_announced_and_its_time_is_printed(now, capsys):
    terminal = Terminal(100, 0)
    with terminal.compiling("compiling the step"):
        assert capsys.readouterr().out == "compiling the step\n"
        now(35.2)
    assert capsys.readouterr().out == "compiled in 35 s\n"


def test_slow_work_is_announced_once(capsys, monkeypatch):
    monkeypatch.setattr(terminals, "PATIENCE", 0.01)
    terminal = Terminal(100, 0)
    with terminal.busy("drawing"):
        time.sleep(0.2)
    with waiting("loading", print):
        time.sleep(0.2)
    with waiting("loading", say_nothing):
        time.sleep(0.2)
    assert capsys.readouterr().out == "drawing\nloading\n"
    monkeypatch.setattr(terminals, "PATIENCE", 0.1)
    with terminal.busy("drawing"):
        pass
    time.sleep(0.2)
    assert capsys.readouterr().out == ""


def test_a_quiet_run_measures_its_speed_and_prints_nothing(now, capsys):
    terminal = Terminal(100, 0, quiet=True)
    with terminal.compiling("compiling"), terminal.busy("drawing"):
        now(2.0)
    assert terminal.show(ROW, 80) == 40.0
    terminal.say("hello")
    assert capsys.readouterr().out == ""


def test_messages_are_not_interpreted_as_markup(capsys):
    Terminal(100, 0).say("[red]x[/red] [1, 2]")
    assert capsys.readouterr().out == "[red]x[/red] [1, 2]\n"


def shown_lines(screen):
    """Return the lines that were written to a terminal, in the order of writing and without control sequences."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_a_terminal_has_a_live_bar(now, open_screen):
    screen = open_screen()
    terminal = Terminal(100, 0)
    with terminal.compiling("compiling the step"):
        terminal._bar.refresh()
        assert shown_lines(screen)[-1].endswith("0/100 compiling the step")
    now(0.5)
    assert terminal.show(ROW, 80) == 160.0
    terminal._bar.refresh()
    line = shown_lines(screen)[-1]
    assert line.endswith(" 10/100 160 images/s  0:04 left  d/loss 1.250  g/loss 0.500")
    assert len(line) <= 80
    terminal.close()
    terminal.close()  # the second call has no effect


def test_the_bar_ends_at_the_last_step_of_the_run(now, open_screen):
    screen = open_screen()
    terminal = Terminal(100, 0)
    now(0.5)
    terminal.show({**ROW, "step": 90}, 80)
    now(0.6)
    terminal.show({**ROW, "step": 97}, 80)  # too soon after the previous step to update the bar
    with terminal.busy("generating the samples"):
        terminal.close()
    assert " 97/100 160 images/s" in shown_lines(screen)[-1]


def test_messages_are_wrapped_only_in_a_terminal(open_screen, monkeypatch):
    screen = open_screen()
    Terminal(100, 0).say("word " * 30)
    lines = [line for line in shown_lines(screen) if line.startswith("word")]
    assert len(lines) == 2 and max(map(len, lines)) <= 80
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    Terminal(100, 0).say("word " * 30)
    assert len(sys.stdout.getvalue().splitlines()) == 1


def test_each_character_shows_two_pixels():
    image = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]], [[1, 2, 3], [4, 5, 6]]], np.uint8)
    text = half_blocks(image)
    assert text.plain == "\u2580\u2580\n\u2580\u2580\n"
    styles = [span.style for span in text.spans]
    assert styles[0].color.triplet == (255, 0, 0) and styles[0].bgcolor.triplet == (0, 0, 255)
    # The image has no row below the last one, which is shown as white.
    assert styles[3].color.triplet == (4, 5, 6) and styles[3].bgcolor.triplet == (255, 255, 255)
    assert half_blocks(np.full((2, 1, 1), 7, np.uint8)).spans[0].style.color.triplet == (7, 7, 7)


def test_an_image_is_shown_if_it_fits_into_the_terminal(monkeypatch, capsys):
    image = np.zeros((2, 5, 1), np.uint8)
    Terminal(100, 0).picture(image)
    assert capsys.readouterr().out == ""  # the output is not a terminal
    monkeypatch.setenv("COLUMNS", "80")
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal = Terminal(100, 0, quiet=True)
    terminal.picture(image)
    assert screen.getvalue() == ""
    terminal = Terminal(100, 0)
    terminal.close()
    terminal.picture(image)
    assert screen.getvalue().count("\u2580") == 5
    terminal.picture(np.zeros((2, 81, 1), np.uint8))
    assert screen.getvalue().count("\u2580") == 5


def test_the_first_lines_of_a_text_are_shown_in_a_terminal(monkeypatch, capsys):
    text = "\n".join(f"line {i} \x1b[31m" + "x" * 90 for i in range(20))
    Terminal(100, 0).picture(text)
    assert capsys.readouterr().out == ""  # the output is not a terminal
    monkeypatch.setenv("COLUMNS", "80")
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal = Terminal(100, 0)
    terminal.close()
    before = screen.getvalue()
    terminal.picture(text)
    shown = screen.getvalue().removeprefix(before)
    assert shown.count("line") == 16 and "line 15" in shown and shown.count("x") < 16 * 80 and "\x1b[31m" not in shown


def test_the_speed_has_the_noun_of_the_examples(now, capsys):
    terminal = Terminal(100, 0, noun="rows")
    now(2.0)
    terminal.show(ROW, 80)
    assert "40 rows/s" in capsys.readouterr().out


def test_reading_prints_a_line_every_ten_seconds(now, capsys):
    with reading() as progress:
        now(9.0)
        progress("samples", 10, 5000)
        now(11.0)
        progress("samples", 1024, 5000)
        now(12.0)
        progress("samples", 5000, 5000)
    captured = capsys.readouterr()
    assert captured.err == "samples: 1,024 of 5,000 processed\n" and captured.out == ""


def test_reading_prints_a_line_before_the_first_step_of_a_computation(now, capsys):
    with reading() as progress:
        now(1.0)
        progress("training", 0, 800, "steps")
        now(2.0)
        progress("training", 7, 800, "steps")
        now(12.0)
        progress("training", 40, 800, "steps")
    assert capsys.readouterr().err == "training: step 0 of 800\ntraining: step 40 of 800\n"


def test_reading_has_a_bar_for_each_set_in_a_terminal(monkeypatch):
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "120")
    with reading() as progress:
        progress("samples", 10, 50)
        progress("data", 20, 50)
    assert "samples" in screen.getvalue() and "20/50" in screen.getvalue()
