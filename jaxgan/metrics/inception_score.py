"""The Inception Score: how certain a classifier is of each sample, and how diverse the samples are."""

from typing import NamedTuple

import numpy as np
import scipy.special

from jaxgan.metrics.checks import as_features, warn


class InceptionScore(NamedTuple):
    """The score over splits of the samples; from 1 to the number of classes, higher is better.

    Attributes:
      mean: mean of the splits' scores.
      std: standard deviation of the splits' scores, over their number.
    """

    mean: float
    std: float


def inception_score(logits: np.ndarray, *, splits: int = 10, seed: int | None = 2020) -> InceptionScore:
    """exp E_x KL(p(y|x) || p(y)). Salimans et al. 2016 (1606.03498).

    It never sees the data, so only compare models of the same data, by the same classifier and number of samples.

    Args:
      logits: of N samples, [N, classes]; published figures take Inception's 1,008 without the bias.
      splits: number of parts; each part has its own p(y).
      seed: seed of the order in which samples are split, torch-fidelity's; None keeps the order.

    Raises:
      ValueError: there are fewer samples than splits, or a logit is not finite.

    Warns:
      UserWarning: a part is so small that its score cannot reach the number of classes.
    """
    (logits,) = as_features(logits, least=1, names=("logits",))
    count, classes = logits.shape
    if not 1 <= splits <= count:
        raise ValueError(f"`splits` must be from 1 to {count:,}, the number of samples, got {splits}.")
    if count // splits < classes:
        warn(
            f"{count:,} samples in {splits} splits: each has fewer than the {classes:,} classes, and its score cannot "
            "pass its number of samples; 50,000 are usual"
        )
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(count)]  # the generator behind published figures
    logs = scipy.special.log_softmax(logits, axis=1)
    scores = []
    for i in range(splits):
        part = logs[i * count // splits : (i + 1) * count // splits]
        marginal = scipy.special.logsumexp(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - marginal[None])).sum(1).mean()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
