"""Helper functions for reading files that can be malicious."""

from typing import Any

import numpy as np

from jaxgan.core.text import printable

MAX_AXES = 64  # maximum number of axes of an array in NumPy


def quote(value: Any) -> str:
    """Format a value from an untrusted file, to insert it into a message.

    Strings and integers are shortened, and control characters in strings are escaped, because terminals would interpret
    them. Other objects are described by their type.

    >>> quote("weight\\x1b[2J")
    "'weight\\\\x1b[2J'"
    >>> quote(("a", "tuple"))
    'a tuple'
    """
    return printable(repr(value), limit=80) if isinstance(value, (str, int)) else f"a {type(value).__name__}"


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Convert the bits of bfloat16 numbers, uint16, to float32.

    bfloat16 has the upper half of the bits of float32.

    >>> from_bfloat16(np.array([0x3F80, 0xC020], "<u2"))
    array([ 1. , -2.5], dtype=float32)

    Args:
      bits: an array of any shape, uint16.
    """
    return (bits.astype("<u4") << 16).view("<f4")
