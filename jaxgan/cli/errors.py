"""How the command line answers errors: one line, with the mend, and an exit code.

Messages of the library name arguments in backticks; a user typed flags. ``as_flags`` translates.

A wrong value is refused where it is known what is allowed: a setting by ``check`` of its experiment (see
``experiment.settings``), an option of a run by ``training.options``, other arguments by the function that takes them,
and a value of another type by ``cli.flags``.
"""

import contextlib
import errno
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping

_NAMED = re.compile(r"`([a-z][a-z0-9_]*)`")


def flag(name: str) -> str:
    """The flag that sets an argument: ``--batch-size`` sets ``batch_size``."""
    return "--" + name.replace("_", "-")


def as_flags(message: str, names: Iterable[str] | Mapping[str, str]) -> str:
    """A message of the library for the command line: arguments in backticks become the flags that set them.

    ``"`batch_size` must be at least 1, got 0."`` becomes ``"--batch-size must be at least 1, got 0."``.

    Args:
      message: the library's.
      names: the arguments that have a flag of their name, or each argument's flag. Other words in backticks stay.
    """
    flags = names if isinstance(names, Mapping) else {name: flag(name) for name in names}
    return _NAMED.sub(lambda found: flags.get(found[1], found[0]), message)


@contextlib.contextmanager
def warnings_as_lines(names: Iterable[str] | Mapping[str, str] = ()) -> Iterator[None]:
    """Print warnings as single lines on standard error, for people who did not write the code that they come from.

    Args:
      names: as for ``as_flags``.
    """

    def show(message, *_):
        print_warning(str(message), names)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def ending_quietly() -> Iterator[None]:
    """End the process with 130 for an interrupt, and without a message where the reader of a pipe has seen enough."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_warning(message: str, names: Iterable[str] | Mapping[str, str]) -> None:
    """Print a warning as one line on standard error, with flags in the place of arguments."""
    print(f"warning: {_printable(as_flags(message, names))}", file=sys.stderr)


def print_error(message: str, names: Iterable[str] | Mapping[str, str], mend: str = "") -> None:
    """Print an error on stderr: the message, with flags in the place of arguments, and what to do about it."""
    print(f"error: {_printable(as_flags(message, names))}{mend}", file=sys.stderr)


def print_mistake(message: str, command: str) -> None:
    """Print on stderr why a command line cannot be understood, and where its help is."""
    print(f"error: {_printable(message)}\nhelp: {command} --help", file=sys.stderr)


def _printable(message: str) -> str:
    """A message without control characters: names in files may be somebody else's, and a terminal obeys them."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in message)


def mend_for_training(error: BaseException) -> str:
    """What to do about a lack of disk space or memory in training; empty for other errors."""
    if is_disk_full(error):
        return "; make room and run the same command again, it resumes"
    import jax  # here, because this module is loaded before JAX is needed

    out_of_memory = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    if out_of_memory or isinstance(error, MemoryError):
        return (
            "; there is not enough memory: lower --batch-size, or split it over micro-batches with --grad-accum-steps"
        )
    return ""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, says that a disk or a quota has no space left."""
    causes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if error is None:
        return False
    # TensorStore passes on the system's message without its number.
    in_message = any(os.strerror(cause) in str(error) for cause in causes)
    return in_message or getattr(error, "errno", None) in causes or is_disk_full(error.__cause__)
