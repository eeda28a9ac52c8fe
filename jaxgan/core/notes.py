"""Where an error happened: notes that are added to exceptions on their way up, and shown below their messages."""

import contextlib
from collections.abc import Callable, Iterator


class _Note(str):
    """A note of this module: others, such as JAX, add notes too."""


@contextlib.contextmanager
def note(text: str, when: Callable[[Exception], bool] | None = None) -> Iterator[None]:
    """Add ``text`` to every exception that leaves the ``with`` statement; its type and message stay as they are.

    >>> try:
    ...     with note("In the loss of player 'd'."):
    ...         raise ValueError("shapes differ")
    ... except ValueError as error:
    ...     print(error, error.__notes__)
    shapes differ ["In the loss of player 'd'."]

    Args:
      text: a sentence.
      when: says of an exception whether the note belongs to it; by default it belongs to every one.
    """
    try:
        yield
    except Exception as error:
        if when is None or when(error):
            error.add_note(_Note(text))
        raise


def message_with_notes(error: BaseException) -> str:
    """An exception's message, and the notes that ``note`` added to it, for where no traceback is shown."""
    notes = [text for text in getattr(error, "__notes__", ()) if isinstance(text, _Note)]
    return " ".join([str(error), *notes])
