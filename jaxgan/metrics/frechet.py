"""The Fréchet distance between Gaussians fitted to two sets of features."""

import numpy as np


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^1/2). Dowson and Landau 1982; Heusel et al. 2017, equation 6.

    In float64, with covariances over N - 1. On Inception's features this is the FID.

    Args:
      x, y: features, [N, D] and [M, D], N and M at least 2.

    Raises:
      ValueError: dimensions differ, or a set is too small for a covariance.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"features of shapes {x.shape} and {y.shape}: want [N, D] and [M, D]")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"{len(x)} and {len(y)} examples: a covariance needs 2 of each")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    means = x.mean(0) - y.mean(0)
    s_x, s_y = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (x, y))
    root = _root(s_x)
    # (S_x S_y)^1/2 has the trace of the root of the symmetric S_x^1/2 S_y S_x^1/2, which is stable.
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ s_y @ root), 0, None)).sum()
    return float(means @ means + np.trace(s_x) + np.trace(s_y) - 2 * cross)


def _root(symmetric):
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
