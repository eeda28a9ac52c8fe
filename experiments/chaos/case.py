"""One case of a trial, and what is known about it afterwards."""

from typing import NamedTuple


class Case(NamedTuple):
    """A kill, a damaged file, a signal or another attempt, and its outcome.

    Attributes:
      name: describes the case so that it can be repeated, for example "gan: state/manifest.ocdbt, halved".
      outcome: the category that the case is counted in, for example "refused".
      failed: whether the outcome breaks a promise of docs/reliability.md.
      detail: the evidence of a failure, for example the output of the program.
    """

    name: str
    outcome: str
    failed: bool = False
    detail: str = ""
