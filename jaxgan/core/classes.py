"""Order the names of classes, and find a class by its name or its number."""

import difflib
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

from jaxgan.core.text import list_names

SHOWN_NAMES = 20  # maximum number of names of classes in a message


def natural_order(names: Iterable[str]) -> list[str]:
    """Return names in alphabetical order, in which the digits of a name are compared as numbers.

    >>> natural_order(["img10", "img9", "2", "10", "1"])
    ['1', '2', '10', 'img9', 'img10']

    Args:
      names: the names.
    """
    return sorted(names, key=_natural_key)


def _natural_key(name: str) -> tuple[Any, str]:
    # The parts alternate between text and digits, so parts of the same kind are compared. A number is compared by its
    # number of digits first, which needs no conversion and therefore works for any number of digits.
    parts: list[Any] = re.split("([0-9]+)", name)
    for i in range(1, len(parts), 2):
        digits = parts[i].lstrip("0")
        parts[i] = (len(digits), digits)
    return parts, name


def find_class(classes: Sequence[str], label: SupportsIndex | str, argument: str = "label", also: str = "") -> int:
    """Return the number of a class.

    >>> find_class(("cat", "dog"), "dog"), find_class(("cat", "dog"), "0"), find_class(("2", "1"), "1")
    (1, 0, 1)

    Args:
      classes: the names of all classes; class i has the number i.
      label: the number of a class as an integer of any type, or text. Text is the name of a class, or its number in
        decimal digits. If both are possible, as for the text 1 and the names 2 and 1, it is the name.
      argument: the name of the caller's argument, for messages.
      also: another allowed value of the argument, for messages.

    Raises:
      TypeError: if ``label`` is neither an integer nor text.
      ValueError: if there is no such class. The message lists the classes and suggests the most similar name.
    """
    near = []
    if not isinstance(label, str):
        number = operator.index(label)
    elif label in classes:
        number = classes.index(label)
    elif re.fullmatch("[0-9]{1,9}", label):
        number = int(label)
    else:
        number, near = -1, difflib.get_close_matches(label, classes, n=1)
    if 0 <= number < len(classes):
        return number
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"`{argument}` must be {also and also + ', '}between 0 and {len(classes) - 1}, or the name of a class "
        f"({list_names(classes, SHOWN_NAMES)}), got {label}.{hint}"
    )
