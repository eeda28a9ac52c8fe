"""What private training spends: epsilon at a given delta, by Rényi differential privacy.

    epsilon = compute_epsilon(
        noise_multiplier=1.0, delta=1e-5, examples=60_000, batch_size=64, steps=5000, uses=count_uses(game, batch)
    )

``noise_multiplier`` and ``uses`` are those of ``jaxgan.games.privacy``; dp-accounting computes the bounds (Mironov
2017; Mironov et al. 2019).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxgan.core import extras
from jaxgan.core.networks import format_names


class Epsilon(NamedTuple):
    """Epsilon at a given delta, under two assumptions about how batches are drawn.

    Attributes:
      sampled: if every batch had drawn each example with the same probability (Poisson sampling), and a neighbouring
        data set has one example less. Papers and other libraries report this for shuffled batches too, to which it does
        not strictly apply.
      shuffled: for the batches that are used, of a fixed size and with each example once an epoch, without any gain
        from their order being secret. It is an upper bound that holds, if in a neighbouring data set one example is
        replaced by one whose gradient is 0 (zero-out adjacency, Kairouz et al. 2021).
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
    """The privacy that training spends.

    Args:
      noise_multiplier: that of ``private``.
      delta: the probability with which epsilon may not hold, in (0, 1 / examples); well below 1 / examples.
      examples: the number of examples in the data, which is taken to be public.
      batch_size: the number of examples of a turn.
      steps: the number of steps taken.
      uses: what ``privacy.count_uses`` returns. For a game that changes with the step, ``{uses: steps}`` for each kind
        of step, each padded with zeros to the longest, which says how many examples a step draws.

    Raises:
      ValueError: dp-accounting is not installed, or a number is out of its range.
    """
    kinds = dict(uses) if isinstance(uses, Mapping) else {tuple(uses): steps}
    slices = max(len(kind) for kind in kinds)
    if not 0 < delta < 1 / examples:
        raise ValueError(
            f"`delta` must be above 0 and below 1 / {examples} = {1 / examples:.1e}, got {delta:g}. Publishing one of "
            f"{examples} examples would satisfy a larger one."
        )
    if batch_size * slices > examples:
        raise ValueError(
            f"A step draws {batch_size * slices} of {examples} examples, some of them twice, which clipping does not "
            f"bound. `batch_size` must be at most {examples // slices}."
        )
    largest = max(count for kind in kinds for count in kind)
    if not largest or not steps:
        return Epsilon(0.0, 0.0)
    if noise_multiplier == 0:
        return Epsilon(math.inf, math.inf)
    extras.require("dp_accounting", user="The epsilon of private training")
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
    """The sum over batches of the square of how often the same example is in them, at most.

    An example is in one batch of each epoch. A batch that spans two epochs may have it twice, which counts as 2 * 2,
    but the example's place in an epoch is in one batch, so at most every second epoch adds such a pair.
    """
    epochs = -(-steps * drawn // examples)
    if examples % drawn == 0:
        return epochs
    return 4 * (epochs // 2) + epochs % 2


def describe_epsilon(
    names: Sequence[str], epsilon: Epsilon, delta: float, noise_multiplier: float, l2_clip: float, steps: int
) -> str:
    """A paragraph that reports what private training spent, and what this rests on.

    Args:
      names: the private players.
      epsilon: what ``steps`` steps spend at ``delta``.
      delta: the probability with which epsilon may not hold.
      noise_multiplier: that of ``private``.
      l2_clip: the norm to which each example's gradient is clipped.
      steps: the number of steps.
    """
    return (
        f"private: {format_names(names)}, clip {l2_clip:g}, noise {noise_multiplier:g}; after {steps:,} steps epsilon "
        f"{epsilon.sampled:.2f} at delta {delta:g} if batches were Poisson samples, and at most {epsilon.shuffled:.2f} "
        "for the shuffled ones used here. It holds for parameters and samples; metrics, logged losses and the choice "
        "of a best checkpoint see real data"
    )
