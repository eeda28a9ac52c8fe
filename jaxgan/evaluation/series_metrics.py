"""The metrics of series that ``jaxgan evaluate`` knows, see ``jaxgan.metrics.series``.

Each column of both sets is scaled with the minimum and the maximum of the data, as in the protocol of TimeGAN.
"""

from typing import Any

import numpy as np

from jaxgan.evaluation.scores import METRICS as OF_FEATURES, Metric, SampleStats
from jaxgan.metrics import series

REPEATS = 3  # number of networks that are trained for a score; papers use 10
MAX_SERIES = 10_000  # largest number of series of a set that a score uses


def _scale(samples: SampleStats, data: SampleStats) -> tuple[np.ndarray, np.ndarray]:
    """Return the real and the generated series, float32 [N, T, C], with the columns of the data in [0, 1]."""
    real, fake = (np.asarray(stats.arrays["series"], np.float64) for stats in (data, samples))
    low, high = real.min((0, 1)), real.max((0, 1))
    size = np.where(high > low, high - low, 1)
    return tuple(((x - low) / size).astype(np.float32) for x in (real, fake))


def _fewer(x: np.ndarray) -> np.ndarray:
    """Return at most ``MAX_SERIES`` series, which are evenly spaced."""
    return x[np.arange(MAX_SERIES) * len(x) // MAX_SERIES] if len(x) > MAX_SERIES else x


def _discriminative(samples, data):
    real, fake = map(_fewer, _scale(samples, data))
    score = series.discriminative_score(real, fake, repeats=REPEATS)
    return {"discriminative": score.mean, "discriminative_std": score.std}


def _predictive(samples, data):
    real, fake = map(_fewer, _scale(samples, data))
    score = series.predictive_score(real, fake, repeats=REPEATS)
    return {"predictive": score.mean, "predictive_std": score.std}


def _training_protocol(samples: int, data: int) -> dict[str, Any]:
    return {"repeats": REPEATS, "seed": 0}


def _autocorrelation(samples, data):
    return {"autocorrelation": series.autocorrelation_distance(*_scale(samples, data))}


def _cross_correlation(samples, data):
    real, fake = _scale(samples, data)
    return {} if real.shape[2] == 1 else {"cross_correlation": series.cross_correlation_distance(real, fake)}


METRICS = {
    "discriminative": Metric(_discriminative, ("arrays",), 5, _training_protocol, trains=True),
    "predictive": Metric(_predictive, ("arrays",), 2, _training_protocol, trains=True),
    "autocorrelation": Metric(_autocorrelation, ("arrays",)),
    "cross_correlation": Metric(_cross_correlation, ("arrays",)),
    "fid": OF_FEATURES["fid"],
    "prdc": OF_FEATURES["prdc"],
}
