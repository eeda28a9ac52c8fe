"""Compute the privacy loss of private training: epsilon at a given delta, with Rényi differential privacy.

    epsilon = compute_epsilon(
        noise_multiplier=1.0, delta=1e-5, examples=60_000, batch_size=64, steps=5000, uses=count_uses(game, batch)
    )

``noise_multiplier`` is the argument of ``jaxgan.games.privacy.private``. A step splits its batch into slices, and the
n-th turn of each player uses the n-th slice. ``uses`` has one number for each slice: the number of private players that
train on this slice. ``jaxgan.games.privacy.count_uses`` computes ``uses``. The package dp-accounting computes the
bounds (Mironov 2017; Mironov et al. 2019).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxgan.core import extras
from jaxgan.core.networks import format_names


class Epsilon(NamedTuple):
    """Epsilon at a given delta, under two assumptions about how batches are drawn.

    Attributes:
      sampled: epsilon if every batch had drawn each example independently with the same probability (Poisson sampling).
        Neighbouring data sets differ by the removal of one example. Papers and other libraries report this number for
        shuffled batches too, although it does not strictly apply to them.
      shuffled: an upper bound of epsilon for the batches that training uses: they have a fixed size, and each example
        occurs once per epoch. The bound does not assume that the order of the examples is secret. In a neighbouring
        data set, one example is replaced by an example with the gradient 0 (zero-out adjacency, Kairouz et al. 2021).
    """

    sampled: float
    shuffled: float


def compute_epsilon(
    *,
    noise_multiplier: float,
    delta: float,
    examples: int,
    batch_size: int,
    steps: int,
    uses: Sequence[int] | Mapping,
) -> Epsilon:
    """Return epsilon, the privacy loss of training.

    Args:
      noise_multiplier: the argument ``noise_multiplier`` of ``private``.
      delta: the probability with which the guarantee of epsilon may fail, above 0 and below 1 / examples. Choose it
        well below 1 / examples.
      examples: the number of examples in the data set, which is assumed to be public.
      batch_size: the number of examples of a turn, over all devices.
      steps: the number of steps taken.
      uses: the result of ``privacy.count_uses``. If different steps train different games, for example with different
        numbers of turns, pass a mapping ``{count_uses(game, batch): number of steps that train this game}`` with one
        entry for each game. All keys of the mapping must have the same length, which is the largest number of slices of
        any step. Pad shorter keys with zeros.

    Raises:
      MissingPackageError: if dp-accounting is not installed. It is also a ``ValueError``.
      ValueError: if ``delta`` is outside its range, or ``batch_size`` is too large for the number of examples.
    """
    kinds = dict(uses) if isinstance(uses, Mapping) else {tuple(uses): steps}
    slices = max(len(kind) for kind in kinds)
    if not 0 < delta < 1 / examples:
        raise ValueError(
            f"`delta` must be above 0 and below 1 / {examples} = {1 / examples:.1e}, got {delta:g}. With a larger "
            f"`delta`, even a program that publishes one of the {examples} examples at random would count as private."
        )
    if batch_size * slices > examples:
        raise ValueError(
            f"A step uses {batch_size * slices} examples, but the data set has only {examples}. Some examples would "
            "occur twice in a step, so clipping the gradient of each example would not limit their effect as the "
            "privacy guarantee requires. "
            f"`batch_size` must be at most {examples // slices}."
        )
    largest = max(count for kind in kinds for count in kind)
    if not largest or not steps:
        return Epsilon(0.0, 0.0)
    if noise_multiplier == 0:
        return Epsilon(math.inf, math.inf)
    extras.require("dp_accounting", user="Computing the epsilon of private training")
    import dp_accounting
    from dp_accounting import rdp

    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier)
    sampled, shuffled = rdp.RdpAccountant(), rdp.RdpAccountant()
    for kind, times in kinds.items():
        for count in filter(None, kind):
            event = dp_accounting.ComposedDpEvent([gaussian] * count) if count > 1 else gaussian
            sampled.compose(dp_accounting.PoissonSampledDpEvent(batch_size / examples, event), times)
    shuffled.compose(gaussian, _squared_uses(examples, batch_size * slices, steps) * largest)
    return Epsilon(float(sampled.get_epsilon(delta)), float(shuffled.get_epsilon(delta)))


def _squared_uses(examples: int, drawn: int, steps: int) -> int:
    """Return an upper bound of the sum of k squared over all batches, where k is how often one example is in a batch.

    Each example is in one batch of each epoch. A batch that spans two epochs can contain the same example twice, which
    counts as 2 * 2 instead of 1 + 1. These two are the only occurrences of the example in both epochs, so this can
    happen at most once in every two epochs.
    """
    epochs = -(-steps * drawn // examples)
    if examples % drawn == 0:
        return epochs
    return 4 * (epochs // 2) + epochs % 2


def describe_epsilon(
    names: Sequence[str], epsilon: Epsilon, delta: float, noise_multiplier: float, l2_clip: float, steps: int
) -> str:
    """Return a paragraph that reports the privacy loss of training, its assumptions and its limits.

    Args:
      names: the names of the private players.
      epsilon: the privacy loss of ``steps`` steps at ``delta``.
      delta: the probability with which the guarantee of epsilon may fail.
      noise_multiplier: the argument ``noise_multiplier`` of ``private``.
      l2_clip: the L2 norm that each example's gradient is clipped to.
      steps: the number of steps.
    """
    return (
        f"Private players: {format_names(names)}, with clipping norm {l2_clip:g} and noise multiplier "
        f"{noise_multiplier:g}. After {steps:,} steps, epsilon is {epsilon.sampled:.2f} at delta {delta:g} under the "
        f"assumption of Poisson sampling, and at most {epsilon.shuffled:.2f} for the shuffled batches that are used. "
        "The guarantee holds for parameters and samples. It does not hold for metrics, logged losses and the choice of "
        "the best checkpoint, because they are computed from real data without noise."
    )
