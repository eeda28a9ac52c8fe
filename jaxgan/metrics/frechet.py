"""The Fréchet distance between two sets of features, each described by a Gaussian distribution."""

import numpy as np

from jaxgan.metrics.checks import as_features, require_finite, warn
from jaxgan.metrics.moments import Moments, moments


def frechet_distance(x: np.ndarray | Moments, y: np.ndarray | Moments) -> float:
    """Return the Fréchet distance between two sets of features. Dowson and Landau 1982; Heusel et al. 2017.

    The distance is |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^1/2), where m are means and S are covariances with the
    divisor N - 1, computed in float64. With features of Inception, the distance is the FID.

    The distance is biased, usually upwards, by an amount that falls as 1/N and depends on both sets (Chong and Forsyth
    2020, 1911.07023). Distances are therefore only comparable for the same number of examples.

    Args:
      x, y: the two sets of features, [N, D] and [M, D], with N and M at least 2; or the ``Moments`` of the sets.

    Raises:
      ValueError: if dimensions differ, if a set has fewer than 2 examples, or if a feature is not finite.

    Warns:
      UserWarning: if a covariance is singular, because a set has no more examples than dimensions, or because all
        examples of a set are equal.
    """
    if not isinstance(x, Moments) and not isinstance(y, Moments):
        x, y = as_features(x, y)  # in one call, so that an error message contains both shapes
    x, y = (a if isinstance(a, Moments) else moments(a) for a in (x, y))
    if x.mean.shape != y.mean.shape:
        raise ValueError(f"`x` and `y` must have the same number of dimensions, got {len(x.mean)} and {len(y.mean)}.")
    if min(x.count, y.count) < 2:
        raise ValueError(f"`x` and `y` must have at least 2 examples each, got {x.count} and {y.count}.")
    for order, a in (("first", x), ("second", y)):
        # If all examples are equal, the diagonal of the scatter is zero, up to rounding errors of the mean.
        if (np.diag(a.scatter) <= a.count * np.square(1e-15 * a.mean)).all():
            warn(f"All {a.count:,} examples of the {order} set have equal features, so only their mean is compared.")
        elif a.count <= len(a.mean):
            warn(
                f"The covariance of the {order} set is singular, because the set has only {a.count:,} examples "
                f"for {len(a.mean):,} dimensions. The distance is much too large. Use more examples, or "
                "kernel_distance, which is unbiased."
            )
    return gaussian_distance(x.mean, x.covariance, y.mean, y.covariance)


def gaussian_distance(m_x: np.ndarray, s_x: np.ndarray, m_y: np.ndarray, s_y: np.ndarray) -> float:
    """Return the Fréchet distance between Gaussians with known means, [D], and covariances, [D, D].

    The distance is never negative. A result that is below its rounding error is returned as 0.

    Args:
      m_x: the mean of the first Gaussian, [D].
      s_x: the covariance of the first Gaussian, [D, D].
      m_y: the mean of the second Gaussian, [D].
      s_y: the covariance of the second Gaussian, [D, D].

    Raises:
      ValueError: if the shapes do not match, or the numbers are too large for float64.
    """
    shapes = [np.shape(a) for a in (m_x, s_x, m_y, s_y)]
    if len(shapes[0]) != 1 or shapes != [shapes[0], shapes[0] * 2] * 2:
        raise ValueError(
            f"Means must be [D] and covariances [D, D], with the same D, got the shapes {', '.join(map(str, shapes))}."
        )
    means = m_x - m_y
    with np.errstate(over="ignore"):
        largest = means @ means + np.trace(s_x) + np.trace(s_y)
        require_finite(np.square(largest))  # the product of the covariances must not overflow either
    distance = largest - 2 * _trace_of_root(s_x, s_y)
    return float(distance) if distance > len(means) * np.finfo(np.float64).eps * largest else 0.0


def _trace_of_root(s_x, s_y):
    """Return the trace of (S_x S_y)^1/2 of two covariances."""
    try:
        # It is the trace of the square root of the symmetric matrix F^T S_y F, for any F with F F^T = S_x.
        factor = np.linalg.cholesky(s_x)  # takes a tenth of the time of an eigendecomposition
        np.linalg.cholesky(s_y)
        return np.sqrt(np.clip(np.linalg.eigvalsh(factor.T @ s_y @ factor), 0, None)).sum()
    except np.linalg.LinAlgError:
        # A covariance is singular, so eigenvalues of 0 have rounding errors, and square roots would enlarge them. The
        # trace is also the sum of the singular values of F_x^T F_y, without square roots.
        return np.linalg.svd(_factor(s_x).T @ _factor(s_y), compute_uv=False).sum()


def _factor(symmetric):
    """Return a matrix F with F F^T = symmetric, for a symmetric matrix that can be singular."""
    values, vectors = np.linalg.eigh(symmetric)
    return vectors * np.sqrt(np.clip(values, 0, None))[None]
