"""The Inception Score: how sure a classifier is of each sample, and how unlike the samples are."""

from typing import NamedTuple

import numpy as np
import scipy.special

from jaxgan.metrics.checks import as_features, warn


class InceptionScore(NamedTuple):
    """Over splits of the samples; from 1 to the number of classes, higher is better.

    Attributes:
      mean: of the splits' scores.
      std: the standard deviation between splits, over their number.
    """

    mean: float
    std: float


def inception_score(logits: np.ndarray, *, splits: int = 10, seed: int | None = 2020) -> InceptionScore:
    """exp E_x KL(p(y|x) || p(y)). Salimans et al. 2016 (1606.03498).

    It never sees the data: only compare it between models of the same data, with the same classifier, and count.

    Args:
      logits: of N samples, [N, classes]; of Inception's 1,008 without the bias, as published figures have it.
      splits: into how many parts; each part's p(y) is its own.
      seed: of the order in which samples are split, torch-fidelity's; None leaves them as they are.

    Raises:
      ValueError: there are fewer samples than splits, or a logit is not finite.

    Warns:
      UserWarning: a part is so small that its score cannot reach the number of classes.
    """
    (logits,) = as_features(logits, least=1, names=("logits",))
    count, classes = logits.shape
    if not 1 <= splits <= count:
        raise ValueError(f"{splits} splits of {count:,} samples: want 1 to {count:,}")
    if count // splits < classes:
        warn(
            f"{count:,} samples in {splits} splits: each has fewer than the {classes:,} classes, and its score cannot "
            "pass its number of samples; 50,000 are usual"
        )
    if seed is not None:
        order = np.random.RandomState(seed)  # the stream that published figures were drawn from
        logits = logits[order.permutation(count)]
    logs = scipy.special.log_softmax(logits, axis=1)
    scores = []
    for i in range(splits):
        part = logs[i * count // splits : (i + 1) * count // splits]
        marginal = scipy.special.logsumexp(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - marginal[None])).sum(1).mean()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
