"""The Inception Score, which is high if a classifier is certain about each sample and the samples are diverse."""

from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, warn


class InceptionScore(NamedTuple):
    """The mean and the standard deviation of the Inception Score over several parts of the samples.

    A score is between 1 and the number of classes. A higher score is better.

    Attributes:
      mean: mean of the scores of the parts.
      std: standard deviation of the scores of the parts (divisor: number of parts).
    """

    mean: float
    std: float


def inception_score(logits: np.ndarray, *, splits: int = 10, seed: int | None = 2020) -> InceptionScore:
    """Return the Inception Score of samples, exp E_x KL(p(y|x) || p(y)). Salimans et al. 2016 (1606.03498).

    The score does not depend on the data. Compare only scores of models that were trained on the same data, with the
    same classifier and the same number of samples.

    Args:
      logits: logits of N samples, [N, classes]; published scores use the 1,008 logits of Inception without the bias.
      splits: number of parts into which the samples are divided. p(y), the mean of p(y|x), is computed for each part
        separately.
      seed: seed of the random order in which the samples are divided into parts. The default is the seed of
        torch-fidelity. None keeps the order of ``logits``.

    Raises:
      ValueError: if there are fewer samples than parts, or if a logit is not finite.

    Warns:
      UserWarning: if a part has fewer samples than classes, so that its score cannot reach the number of classes.
    """
    import scipy.special  # not at the top, because SciPy takes a tenth of a second to import, at the start of each run

    (logits,) = as_features(logits, least=1, names=("logits",))
    count, classes = logits.shape
    if not 1 <= splits <= count:
        raise ValueError(f"`splits` must be from 1 to {count:,}, the number of samples, got {splits}.")
    if count // splits < classes:
        warn(
            f"With {count:,} samples in {splits} splits, a split has fewer samples than the {classes:,} classes, and "
            "its score cannot exceed its number of samples. Usually, 50,000 samples are used."
        )
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(count)]  # published scores use this generator
    logs = scipy.special.log_softmax(logits, axis=1)
    scores = []
    for i in range(splits):
        part = logs[i * count // splits : (i + 1) * count // splits]
        marginal = scipy.special.logsumexp(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - marginal[None])).sum(1).mean()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
