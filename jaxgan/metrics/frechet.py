"""The Fréchet distance between Gaussians fitted to two sets of features."""

import numpy as np

from jaxgan.metrics.checks import as_features, warn
from jaxgan.metrics.moments import Moments, moments


def frechet_distance(x: np.ndarray | Moments, y: np.ndarray | Moments) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^1/2). Dowson and Landau 1982; Heusel et al. 2017.

    It is computed in float64, with covariances over N - 1. On Inception's features this is the FID. It is biased,
    usually upwards, by an amount that falls as 1/N and depends on both sets (Chong and Forsyth 2020, 1911.07023), so
    only compare figures of equally many examples.

    Args:
      x, y: features, [N, D] and [M, D], N and M at least 2; or their ``moments``.

    Raises:
      ValueError: dimensions differ, a set is too small for a covariance, or a feature is not finite.

    Warns:
      UserWarning: a set has no more examples than dimensions, or they are all alike: a covariance is singular.
    """
    if not isinstance(x, Moments) and not isinstance(y, Moments):
        x, y = as_features(x, y)  # its message has the shapes of both
    x, y = (a if isinstance(a, Moments) else moments(a) for a in (x, y))
    if x.mean.shape != y.mean.shape:
        raise ValueError(f"`x` and `y` must have equally many dimensions, got {len(x.mean)} and {len(y.mean)}.")
    if min(x.count, y.count) < 2:
        raise ValueError(f"`x` and `y` must have at least 2 examples, got {x.count} and {y.count}.")
    for name, a in (("x", x), ("y", y)):
        if (np.diag(a.scatter) <= a.count * np.square(1e-15 * a.mean)).all():  # zero up to the rounding of the mean
            warn(f"{name}: all {a.count:,} examples have the same features, so the distance only compares their mean")
        elif a.count <= len(a.mean):
            warn(
                f"{name}: {a.count:,} examples of {len(a.mean):,} dimensions have a singular covariance, and the "
                "distance is far too large; give more examples, or use kernel_distance, which has no bias"
            )
    return gaussian_distance(x.mean, x.covariance, y.mean, y.covariance)


def gaussian_distance(m_x: np.ndarray, s_x: np.ndarray, m_y: np.ndarray, s_y: np.ndarray) -> float:
    """The Fréchet distance between Gaussians of known means, [D], and covariances, [D, D]."""
    # (S_x S_y)^1/2 has the same trace as the root of the symmetric F^T S_y F, for any F with F F^T = S_x.
    factor = _factor(s_x)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(factor.T @ s_y @ factor), 0, None)).sum()
    means = m_x - m_y
    return float(means @ means + np.trace(s_x) + np.trace(s_y) - 2 * cross)


def _factor(symmetric):
    """F with F F^T = symmetric."""
    try:
        return np.linalg.cholesky(symmetric)  # a tenth of the time of the eigenvectors
    except np.linalg.LinAlgError:  # singular
        values, vectors = np.linalg.eigh(symmetric)
        return vectors * np.sqrt(np.clip(values, 0, None))[None]
