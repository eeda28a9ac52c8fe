"""What the command line makes of errors: library messages name arguments, a user typed flags."""

import contextlib
import re
import sys
import warnings
from collections.abc import Iterable, Iterator

_NAMED = re.compile(r"`([a-z][a-z0-9_]*)`")


def as_flags(message: str, names: Iterable[str]) -> str:
    """A message of the library for the command line: arguments in backticks become the flags that set them.

    ``"`batch_size` must be at least 1, got 0."`` becomes ``"--batch-size must be at least 1, got 0."``.

    Args:
      message: the library's.
      names: of the arguments that have a flag; what else stands in backticks stays.
    """
    flags = {name: "--" + name.replace("_", "-") for name in names}
    return _NAMED.sub(lambda found: flags.get(found[1], found[0]), message)


@contextlib.contextmanager
def warnings_as_lines(names: Iterable[str] = ()) -> Iterator[None]:
    """Print warnings as single lines on standard error, for people who did not write the code that they come from.

    Args:
      names: as for ``as_flags``.
    """

    def show(message, *_):
        print(f"warning: {as_flags(str(message), names)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
