"""Errors and warnings of the command line: flags in place of arguments, and how to fix a full disk or memory."""

import contextlib
import errno
import os
import signal
import sys
import warnings

import jax
import pytest
from helpers import programs

from jaxgan.cli import main as console
from jaxgan.cli.errors import (
    as_flags,
    describe,
    ending_quietly,
    find_fix,
    is_disk_full,
    print_error,
    print_mistake,
    print_stop,
    print_warning,
    warnings_as_lines,
)
from jaxgan.core.interruption import Interrupted


def test_arguments_in_backticks_become_flags_and_other_words_do_not_change():
    message = "`batch_size` must be at least 1, got 0. `total` takes terms, see `jaxgan.total` and seed."
    assert as_flags(message, ["batch_size", "seed"]) == (
        "--batch-size must be at least 1, got 0. `total` takes terms, see `jaxgan.total` and seed."
    )


@pytest.mark.parametrize(
    ("message", "fix", "printed"),
    [
        ("`run_dir` is empty.", "Pass a directory.", "--run-dir is empty. Pass a directory."),
        ("[Errno 28] No space left", "Free some space.", "[Errno 28] No space left. Free some space."),
        ("", "There is not enough memory.", "There is not enough memory."),
        ("`run_dir` is empty.", "", "--run-dir is empty."),
    ],
)
def test_an_error_is_printed_on_stderr_with_its_fix_as_sentences(message, fix, printed, capsys):
    print_error(message, ["run_dir"], fix)
    assert capsys.readouterr() == ("", f"error: {printed}\n")


def test_a_mistake_is_printed_on_stderr_with_the_help_command(capsys):
    print_mistake("--out is required.", "jaxgan sample")
    assert capsys.readouterr().err == "error: --out is required.\nhelp: jaxgan sample --help\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (None, None)])
def test_an_interrupt_ends_quietly(error, code, capsys):
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(pytest.raises(SystemExit)) if error else None
        with ending_quietly():
            if error:
                raise error
    assert (stop.value.code if stop else None) == code and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("saved", "printed"), [(False, "stopped by SIGTERM\n"), (True, "")])
def test_a_signal_is_printed_unless_the_run_has_reported_it(saved, printed, capsys):
    stopped = Interrupted(signal.SIGTERM, saved=saved)
    with pytest.raises(SystemExit) as stop, ending_quietly():
        raise stopped
    assert stop.value.code == 143 and capsys.readouterr() == ("", printed)
    print_stop(stopped)
    assert capsys.readouterr() == ("", "stopped by SIGTERM\n")


def test_control_characters_are_not_printed(capsys):
    print_mistake("no \x1b]0;title\x07 \x9b2J\n", "jaxgan")
    print_error("no \x1b[2J", [])
    print_warning("no \x1b[2J", [])
    assert not set(capsys.readouterr().err) & {"\x1b", "\x07", "\x9b"}


def test_print_warning_prints_one_line_on_stderr_with_flags(capsys):
    print_warning("Lower `steps` to 6.", ["steps"])
    assert capsys.readouterr() == ("", "warning: Lower --steps to 6.\n")


def test_python_warnings_are_printed_once_as_lines_on_stderr_with_flags(capsys):
    with warnings_as_lines(["count"]):
        for count in (5, 5, 4):
            warnings.warn(f"`count` {count} is low; `other` does not change.", stacklevel=1)
    lines = [f"warning: --count {count} is low; `other` does not change.\n" for count in (5, 4)]
    assert capsys.readouterr().err == "".join(lines)


def caused_by(error):
    try:
        raise ValueError("a checkpoint could not be written") from error
    except ValueError as raised:
        return raised


FULL = {
    "a disk": OSError(errno.ENOSPC, "No space left on device"),
    "a quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "a limit": OSError(errno.EFBIG, "File too large"),
    "a cause": caused_by(OSError(errno.ENOSPC, "No space left on device")),
    "TensorStore, which passes on no error number": OSError(f"RESOURCE_EXHAUSTED: {os.strerror(errno.ENOSPC)}"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL.keys())
def test_a_full_disk_is_recognised(error):
    assert is_disk_full(error)
    fix = "Free some disk space and run the same command again: the run will be resumed."
    assert find_fix(error, "train") == fix


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "Lower --batch-size"),
        (MemoryError(), "Lower --batch-size"),
        (jax.errors.JaxRuntimeError("INTERNAL: no such thing"), ""),
        (ValueError("RESOURCE_EXHAUSTED"), ""),
        (OSError(errno.EACCES, "Permission denied"), ""),
    ],
)
def test_other_errors_are_not_a_full_disk(error, fix):
    assert not is_disk_full(error)
    found = find_fix(error, "train")
    assert fix in found and bool(fix) == bool(found)


@pytest.mark.parametrize(
    ("command", "expected"),
    [("sample", "Lower --count."), ("translate", "Lower --memory."), ("inspect", "There is not enough memory.")],
)
def test_a_lack_of_memory_is_fixed_by_a_flag_of_the_command(command, expected):
    assert find_fix(MemoryError(), command).endswith(expected)
    assert "resumed" not in find_fix(OSError(errno.ENOSPC, "No space left on device"), command)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.jaxgan"), "a.jaxgan: No such file or directory. "
         "Check the path."),
        (PermissionError(errno.EACCES, "Permission denied", "out/a.json"), "out/a.json: Permission denied. Check the "
         "owner and the permissions of this path, or choose another path."),
        (OSError(errno.ENOSPC, "No space left on device", "a.json"), "a.json: No space left on device. Free some disk "
         "space and run the same command again."),
    ],
)  # fmt: skip
def test_an_error_of_the_system_names_its_path_and_its_fix_without_a_number(capsys, error, message):
    print_error(describe(error), (), find_fix(error, "fid"))
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize(
    "arguments", [["sample", "none.jaxgan"], ["translate", "none.jaxgan", "a.png", "--out", "b.png"]]
)
def test_a_missing_model_is_a_mistake_that_is_named_in_one_line(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        console.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: none.jaxgan: No such file or directory. Check the path.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_a_command_is_executed_ends_quietly(capsys, monkeypatch, number):
    monkeypatch.setattr(console, "_run_command", lambda *_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as stop:
        console.main(["report", "run"])
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err == f"stopped by {signal.Signals(number).name}\n"


def test_a_signal_that_python_discards_prints_no_traceback(capsys, monkeypatch):
    class Collected:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)  # Python prints an exception of this method, and continues

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # in place of pytest's, which collects them
    with ending_quietly():
        Collected()
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is sys.__unraisablehook__


def test_a_resolution_that_no_image_can_have_is_refused(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        console.main(["fid", str(tmp_path), str(tmp_path), "--features", "random", "--resolution", "999999999"])
    assert stop.value.code == 2
    assert "--resolution must be at most 23,170, got 999,999,999." in capsys.readouterr().err


def test_an_argument_may_have_a_flag_of_another_name():
    assert as_flags("`count` and `seed`", {"count": "--evaluate-count"}) == "--evaluate-count and `seed`"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--norm", "none", "--dp-noise-multiplier", 1.0, "--dp-delta", 0.5], "error: --dp-delta must be"),
        (["--evaluate-every", 2, "--evaluate-count", 1], "error: --evaluate-count must be at least 2"),
    ],
)
def test_errors_of_training_name_the_flags_of_train(capsys, tmp_path, arguments, expected):
    code, text = programs.run(capsys, *arguments, "--run-dir", tmp_path / "run")
    assert (code, expected in text) == (2, True), text
