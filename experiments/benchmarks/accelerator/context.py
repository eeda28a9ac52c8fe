"""What all measurements have in common. This module does not import JAX."""

import dataclasses
from pathlib import Path


class Unavailable(Exception):
    """A measurement is not possible on this machine. The text is a sentence that says why."""


@dataclasses.dataclass(frozen=True)
class Context:
    """What all measurements have in common.

    Attributes:
      small: whether to measure tiny sizes.
      out: directory for files, such as sample grids.
      data: images for the short training, or None.
    """

    small: bool
    out: Path
    data: str | None
