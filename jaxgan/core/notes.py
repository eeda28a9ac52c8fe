"""Add notes to exceptions, to report where an error occurred. Python shows notes below the exception's message."""

import contextlib
from collections.abc import Callable, Iterator


class _Note(str):
    """A note that this module added. The type distinguishes it from notes of other libraries, such as JAX."""


@contextlib.contextmanager
def note(text: str, when: Callable[[Exception], bool] | None = None) -> Iterator[None]:
    """Add a note to every exception that leaves the ``with`` statement, without changing its type and message.

    >>> try:
    ...     with note("The error occurred in the loss of player 'd'."):
    ...         raise ValueError("shapes differ")
    ... except ValueError as error:
    ...     print(error, error.__notes__)
    shapes differ ["The error occurred in the loss of player 'd'."]

    Args:
      text: the note, a complete sentence.
      when: a function that returns whether an exception gets the note. By default, every exception gets it.
    """
    try:
        yield
    except Exception as error:
        if when is None or when(error):
            error.add_note(_Note(text))
        raise


def message_with_notes(error: BaseException) -> str:
    """Return an exception's message followed by the notes that ``note`` added, for output without a traceback.

    Args:
      error: the exception.
    """
    notes = [text for text in getattr(error, "__notes__", ()) if isinstance(text, _Note)]
    return " ".join([str(error), *notes])
