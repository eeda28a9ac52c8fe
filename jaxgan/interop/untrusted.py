"""What the readers of files from strangers share."""

from typing import Any

import numpy as np

MAX_AXES = 64  # NumPy's limit


def quote(value: Any) -> str:
    """A value of a file for a message: short, and without control characters, which a terminal would obey.

    >>> quote("weight\\x1b[2J")
    "'weight\\\\x1b[2J'"
    >>> quote(("a", "tuple"))
    'a tuple'
    """
    return repr(value)[:80] if isinstance(value, (str, int)) else f"a {type(value).__name__}"


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The bits of bfloat16 numbers, uint16, as float32, of which they are the upper half.

    >>> from_bfloat16(np.array([0x3F80, 0xC020], "<u2"))
    array([ 1. , -2.5], dtype=float32)
    """
    return (bits.astype("<u4") << 16).view("<f4")
