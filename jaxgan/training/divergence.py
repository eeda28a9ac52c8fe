"""Find the members of a run that have diverged, that is, members with a NaN or an infinity in a metric or in the state.

A population is a set of games that one vmapped step trains. Its games are called members. A single game is treated as a
population of one member, which has the index 0.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.state import State
from jaxgan.training.runs import TrainingRun


class Diverged(Exception):
    """Raised if every member of the run has a NaN or an infinity in a metric or in its state."""


class DivergedMembers:
    """The set of members of a run that have diverged. The other members of a population continue to train.

    Args:
      run: the game or the population that is trained.
      say: called with a message for each member that diverges while other members continue.

    Attributes:
      indices: the indices of the members that have diverged.
    """

    def __init__(self, run: TrainingRun, say: Callable[[str], None]):
        self.indices: set[int] = set()
        self._run, self._say = run, say

    def add(self, step: int, reasons: Mapping[int, str]) -> None:
        """Add members that have diverged.

        Args:
          step: the step at which they diverged.
          reasons: dictionary from the indices of the diverged members to the texts that explain why. Members that were
            added before are ignored.

        Raises:
          Diverged: if all members have diverged.
        """
        for i in sorted(reasons.keys() - self.indices):
            self.indices.add(i)
            if len(self.indices) == len(self._run.seeds):
                subject = "The last remaining member" if len(self.indices) > 1 else "Training"
                raise Diverged(f"{subject} diverged at step {step}: {reasons[i]}.")
            self._say(f"step {step}: {self._run.member_name(i)} diverged: {reasons[i]}; the other members continue")


def find_diverged_metrics(row: Mapping[str, Any]) -> dict[int, str]:
    """Find the members with a metric that is None or not finite.

    Args:
      row: dictionary from names to the metrics of a step. For a population, each metric is a list with one number per
        member.

    Returns:
      A dictionary from the index of each such member to a text that names the metric.
    """
    reasons: dict[int, str] = {}
    # If one term of a loss is not finite, the loss and the norm of its gradient are not finite either. The loss and the
    # norm are checked last, so that the message names the term.
    for name in sorted(row, key=lambda name: name.endswith(("/loss", "/grad_norm"))):
        values = row[name] if isinstance(row[name], list) else [row[name]]
        for i, value in enumerate(values):
            if value is None or not math.isfinite(value):
                player, _, term = name.partition("/")
                reasons.setdefault(i, f"the metric {term!r} of player {player!r} is {value}")
    return reasons


def find_diverged_states(state: State, members: int) -> dict[int, str]:
    """Find the members with a parameter or a network statistic that is not finite.

    Args:
      state: the state of a single game or of a population.
      members: number of members, 1 for a single game.

    Returns:
      A dictionary from the index of each such member to a text that names the array.
    """
    reasons: dict[int, str] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path((state.params, state.stats))[0]:
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            is_finite = np.isfinite(np.asarray(leaf)).reshape(members, -1).all(1)
            name = jax.tree_util.keystr(path[1:], simple=True, separator=".")
            for i in np.flatnonzero(~is_finite):
                reasons.setdefault(int(i), f"the array {name} is no longer finite")
    return reasons


def mask_members(row: Mapping[str, Any], members: Collection[int]) -> Mapping[str, Any]:
    """Return the metrics of a step with NaN in place of the metrics of the given members.

    The metrics of a member that has diverged are meaningless, even those that are finite. For example, the accuracy on
    real examples is 0 if all logits are NaN.

    Args:
      row: dictionary from names to the metrics of a step. For a population, each metric is a list with one number per
        member.
      members: the indices of the members to mask.
    """
    if not members:
        return row

    def mask(values: list[float]) -> list[float]:
        return [math.nan if i in members else value for i, value in enumerate(values)]

    return {name: mask(values) if isinstance(values, list) else values for name, values in row.items()}
