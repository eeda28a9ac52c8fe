"""Members of a run that diverged: their metrics or their states are no longer finite."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.state import State
from jaxgan.training.runs import TrainingRun


class Diverged(Exception):
    """A term of a loss, or a leaf of the state, is NaN or infinite, in every member of the run."""


class DivergedMembers:
    """The members of a run that diverged. The others of a population go on.

    Args:
      run: what is trained.
      say: called with a message for each member that diverges while others go on.

    Attributes:
      indices: the members that diverged; a single game has the index 0.
    """

    def __init__(self, run: TrainingRun, say: Callable[[str], None]):
        self.indices: set[int] = set()
        self._run, self._say = run, say

    def add(self, step: int, reasons: Mapping[int, str]) -> None:
        """Add members, with the reason of each.

        Raises:
          Diverged: no member is left.
        """
        for i in sorted(reasons.keys() - self.indices):
            self.indices.add(i)
            if len(self.indices) == len(self._run.seeds):
                of_last = " of the last member" if len(self.indices) > 1 else ""
                raise Diverged(f"step {step}: {reasons[i]}{of_last}")
            self._say(f"step {step}: {self._run.member_name(i)} diverged, {reasons[i]}; the others go on")


def find_diverged_metrics(row: Mapping[str, Any]) -> dict[int, str]:
    """The members of whom a metric is null or not finite, each with the reason.

    Args:
      row: a step's metrics by name: a number for a single game, whose index is 0, or a list with one for each member.
    """
    reasons: dict[int, str] = {}
    # The sum of a loss and its gradient follow from a term, so a term comes first.
    for name in sorted(row, key=lambda name: name.endswith(("/loss", "/grad_norm"))):
        values = row[name] if isinstance(row[name], list) else [row[name]]
        for i, value in enumerate(values):
            if value is None or not math.isfinite(value):
                player, _, term = name.partition("/")
                reasons.setdefault(i, f"player {player!r}, term {term!r} is {value}")
    return reasons


def find_diverged_states(state: State, members: int) -> dict[int, str]:
    """The members of whom a parameter or a statistic is not finite, each with the reason.

    Args:
      state: of a single game, whose index is 0, or of a population.
      members: how many there are.
    """
    reasons: dict[int, str] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path((state.params, state.stats))[0]:
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            is_finite = np.isfinite(np.asarray(leaf)).reshape(members, -1).all(1)
            name = jax.tree_util.keystr(path[1:], simple=True, separator=".")
            for i in np.flatnonzero(~is_finite):
                reasons.setdefault(int(i), f"{name} is no longer finite")
    return reasons


def mask_members(row: Mapping[str, Any], members: Collection[int]) -> Mapping[str, Any]:
    """A step's metrics with NaN for these members.

    What a diverged member logs means nothing, even where it is a number, as the share of NaNs that are above zero is.
    """
    if not members:
        return row

    def mask(values: list[float]) -> list[float]:
        return [math.nan if i in members else value for i, value in enumerate(values)]

    return {name: mask(values) if isinstance(values, list) else values for name, values in row.items()}
