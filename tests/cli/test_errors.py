"""Messages of the library as the command line prints them, and what it says of a lack of room or memory."""

import contextlib
import errno
import os
import warnings

import jax
import pytest
from helpers import programs

from jaxgan.cli.errors import (
    as_flags,
    ending_quietly,
    is_disk_full,
    mend_for_training,
    print_error,
    print_mistake,
    print_warning,
    warnings_as_lines,
)


def test_arguments_in_backticks_become_flags_and_other_words_stay():
    message = "`batch_size` must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    assert as_flags(message, ["batch_size", "seed"]) == (
        "--batch-size must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    )


def test_an_error_is_a_line_on_stderr_with_its_mend(capsys):
    print_error("`run_dir` is empty.", ["run_dir"], "; name one")
    assert capsys.readouterr() == ("", "error: --run-dir is empty.; name one\n")


def test_a_mistake_is_a_line_on_stderr_with_where_help_is(capsys):
    print_mistake("--out has to be given.", "jaxgan sample")
    assert capsys.readouterr().err == "error: --out has to be given.\nhelp: jaxgan sample --help\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (None, None)])
def test_an_interrupt_ends_quietly(error, code, capsys):
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(pytest.raises(SystemExit)) if error else None
        with ending_quietly():
            if error:
                raise error
    assert (stop.value.code if stop else None) == code and capsys.readouterr() == ("", "")


def test_a_terminal_sees_no_control_characters(capsys):
    print_mistake("no \x1b]0;title\x07 \x9b2J\n", "jaxgan")
    print_error("no \x1b[2J", [])
    print_warning("no \x1b[2J", [])
    assert not set(capsys.readouterr().err) & {"\x1b", "\x07", "\x9b"}


def test_a_warning_is_a_line_on_stderr_with_flags(capsys):
    print_warning("lower `steps` to 6.", ["steps"])
    assert capsys.readouterr() == ("", "warning: lower --steps to 6.\n")


def test_warnings_are_lines_on_stderr_with_flags(capsys):
    with warnings_as_lines(["count"]):
        for _ in range(2):
            warnings.warn("`count` 5 is few; `other` stays", stacklevel=1)
    assert capsys.readouterr().err == "warning: --count 5 is few; `other` stays\n" * 2


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
    "TensorStore, which gives no number": OSError(f"RESOURCE_EXHAUSTED: {os.strerror(errno.ENOSPC)}"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL.keys())
def test_a_full_disk_is_recognised(error):
    assert is_disk_full(error)
    assert mend_for_training(error) == "; make room and run the same command again, it resumes"


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "lower --batch-size"),
        (MemoryError(), "lower --batch-size"),
        (jax.errors.JaxRuntimeError("INTERNAL: no such thing"), ""),
        (ValueError("RESOURCE_EXHAUSTED"), ""),
        (OSError(errno.EACCES, "Permission denied"), ""),
    ],
)
def test_other_errors_are_not_a_full_disk(error, mend):
    assert not is_disk_full(error)
    found = mend_for_training(error)
    assert mend in found and bool(mend) == bool(found)


def test_an_argument_may_have_a_flag_of_another_name():
    assert as_flags("`count` and `seed`", {"count": "--evaluate-count"}) == "--evaluate-count and `seed`"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--norm", "none", "--dp-noise-multiplier", 1.0, "--dp-delta", 0.5], "error: --dp-delta must be"),
        (["--evaluate-every", 2, "--evaluate-count", 1], "error: --evaluate-count must be at least 2"),
    ],
)
def test_a_command_names_its_own_flags(capsys, tmp_path, arguments, expected):
    code, text = programs.run(capsys, *arguments, "--run-dir", tmp_path / "run")
    assert (code, expected in text) == (2, True), text
