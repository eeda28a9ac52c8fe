"""Print errors and warnings of the command line: the message, how to fix it, and the flags that the user typed.

The library's messages name arguments in backticks, ``batch_size``. A user of the command line typed flags,
``--batch-size``, so ``as_flags`` replaces the names by the flags.

Each value is checked where its allowed range is known. ``cli.flags`` checks the types of all values. The method
``check`` of an experiment's settings checks the settings (see ``experiment.settings``), ``training.options`` checks the
options of a run, and the functions of the library check their other arguments.
"""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping

from jaxgan.cli import library_noise
from jaxgan.core.files import DISK_FULL
from jaxgan.core.interruption import Interrupted, raising_interrupted
from jaxgan.core.notes import message_with_notes
from jaxgan.core.text import say

_NAMED = re.compile(r"`([a-z][a-z0-9_]*)`")


def flag(name: str) -> str:
    """Return the flag that sets an argument: ``--batch-size`` for ``batch_size``.

    Args:
      name: the name of the argument.
    """
    return "--" + name.replace("_", "-")


def as_flags(message: str, names: Iterable[str] | Mapping[str, str]) -> str:
    """Replace the arguments that a message of the library names in backticks by the flags that set them.

    ``"`batch_size` must be at least 1, got 0."`` becomes ``"--batch-size must be at least 1, got 0."``.

    Args:
      message: a message of the library.
      names: the names of the arguments to replace, or a dictionary from arguments to flags. Other words in backticks
        are not changed.
    """
    flags = names if isinstance(names, Mapping) else {name: flag(name) for name in names}
    return _NAMED.sub(lambda found: flags.get(found[1], found[0]), message)


@contextlib.contextmanager
def warnings_as_lines(names: Iterable[str] | Mapping[str, str] = ()) -> Iterator[None]:
    """Print warnings as single lines on standard error, without the source line that caused them.

    A warning with the same text is printed once.

    Args:
      names: the arguments that messages name, see ``as_flags``.
    """

    shown = set()

    def show(message, *_):
        if str(message) not in shown:
            shown.add(str(message))
            print_warning(str(message), names)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def ending_quietly() -> Iterator[None]:
    """Exit with 128 plus the number of the signal if a signal ends the body, and ignore ``BrokenPipeError``."""
    library_noise.log_as_debug()
    try:
        with raising_interrupted():
            yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Interrupted as stop:
        if not stop.saved:
            print_stop(stop)
        sys.exit(128 + stop.number)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_stop(stop: Interrupted) -> None:
    """Print that a signal stopped the command, as one line on standard error.

    Args:
      stop: the exception that the signal raised.
    """
    say(stop, sys.stderr)


def print_warning(message: str, names: Iterable[str] | Mapping[str, str]) -> None:
    """Print a warning as one line on standard error, with flags in place of arguments.

    Args:
      message: one or more sentences, in which arguments stand in backticks.
      names: the arguments that are flags, or a mapping from arguments to the texts that replace them.
    """
    say(f"warning: {as_flags(message, names)}", sys.stderr)


def print_error(message: str, names: Iterable[str] | Mapping[str, str], fix: str = "") -> None:
    """Print an error on standard error: the message, with flags in place of arguments, and how to fix it.

    Args:
      message: a message of the library or of the operating system.
      names: the arguments that the message names, see ``as_flags``.
      fix: one or more sentences that say how to fix the error; empty if this is not known.
    """
    text = as_flags(message, names)
    if fix and text:
        end = "" if text.endswith((".", "?", "!")) else "."  # messages of the system have no full stop
        text += f"{end} {fix}"
    say(f"error: {text or fix}", sys.stderr)


def print_mistake(message: str, command: str) -> None:
    """Print on standard error why a command line cannot be parsed, and the command that prints the help.

    Args:
      message: one or more sentences.
      command: the command line, without flags, whose help is recommended.
    """
    say(f"error: {message}", sys.stderr)
    say(f"help: {command} --help", sys.stderr)


# How to use less memory, by command.
LESS_MEMORY = {
    "train": "Lower --batch-size, or split each batch with --grad-accum-steps.",
    "resume": "Train a new run with a lower --batch-size, or with --grad-accum-steps.",
    "sample": "Lower --count.",
    "evaluate": "Lower --count.",
    "translate": "Lower --memory.",
}


def describe(error: BaseException) -> str:
    """Return the message of an error with its notes, or the path and the cause of an error of the operating system.

    >>> describe(FileNotFoundError(2, "No such file or directory", "digits.jaxgan"))
    'digits.jaxgan: No such file or directory.'

    Args:
      error: the error.
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return message_with_notes(error)


def find_fix(error: BaseException, command: str, less_memory: str = "") -> str:
    """Return how to fix a missing file or permission, a lack of disk space or memory, or a lost host; else "".

    Args:
      error: the error that ended the command.
      command: the name of the command, such as ``train``.
      less_memory: a sentence that says how the command can use less memory; if it is empty, the sentence in
        ``LESS_MEMORY``.
    """
    is_training = command in ("train", "resume")
    if is_disk_full(error):
        again = ": the run will be resumed" if is_training else ""
        return f"Free some disk space and run the same command again{again}."
    if isinstance(error, FileNotFoundError) and error.filename:
        return "Check the path."
    if isinstance(error, PermissionError) and error.filename:
        return "Check the owner and the permissions of this path, or choose another path."
    import jax  # not at the top, because flags are parsed without importing JAX

    out_of_memory = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    if out_of_memory or isinstance(error, MemoryError):
        return f"There is not enough memory. {less_memory or LESS_MEMORY.get(command, '')}".rstrip()
    if is_training and isinstance(error, jax.errors.JaxRuntimeError) and jax.process_count() > 1:
        from jaxgan.parallel import LOST_PROCESS  # not at the top, because it imports JAX

        return LOST_PROCESS
    return ""


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of the errors that caused it, was a full disk or an exceeded quota."""
    if error is None:
        return False
    # Errors of TensorStore contain the system's message, but not its error number.
    in_message = any(os.strerror(cause) in str(error) for cause in DISK_FULL)
    return in_message or getattr(error, "errno", None) in DISK_FULL or is_disk_full(error.__cause__)
