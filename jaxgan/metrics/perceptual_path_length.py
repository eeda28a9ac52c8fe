"""The perceptual path length: how far a generator's samples move for a small move of their latents."""

import numpy as np

from jaxgan.metrics.checks import as_features

CENTRAL_SHARE = 0.98  # of the paths, as the authors have it


def perceptual_path_length(
    start: np.ndarray, end: np.ndarray, epsilon: float, *, central_share: float = CENTRAL_SHARE
) -> float:
    """The mean of |f(G(z)) - f(G(z'))|^2 / epsilon^2. Karras et al. 2019 (1812.04948).

    The lower, the smoother. The paper's f is LPIPS's; figures of other features compare only with each other.

    Args:
      start: features of samples at points t of paths between latents, [N, D].
      end: the same at t + epsilon.
      epsilon: the paper's is 1e-4; samples must not be rounded to bytes, or nothing moves.
      central_share: the share of path lengths that are averaged; the shortest and the longest are left out.

    Raises:
      ValueError: shapes differ, a feature is not finite, or a number is out of its range.
    """
    start, end = as_features(start, end, least=1, names=("start", "end"))
    if len(start) != len(end):
        raise ValueError(f"`start` and `end` must be equally many, got {len(start):,} and {len(end):,}.")
    if epsilon <= 0:
        raise ValueError(f"`epsilon` must be above 0, got {epsilon}.")
    if not 0 < central_share <= 1:
        raise ValueError(f"`central_share` must be above 0 and at most 1, got {central_share}.")
    lengths = np.square(end - start).sum(1) / epsilon**2
    low, high = np.quantile(lengths, [(1 - central_share) / 2, (1 + central_share) / 2])
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
