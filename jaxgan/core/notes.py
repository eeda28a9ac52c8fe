"""Where an error happened: notes that are added to exceptions on their way up, and shown below their messages."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def note(text: str) -> Iterator[None]:
    """Add ``text`` to every exception that leaves the ``with`` statement; its type and message stay as they are.

    >>> try:
    ...     with note("In the loss of player 'd'."):
    ...         raise ValueError("shapes differ")
    ... except ValueError as error:
    ...     print(error, error.__notes__)
    shapes differ ["In the loss of player 'd'."]
    """
    try:
        yield
    except Exception as error:
        error.add_note(text)
        raise
