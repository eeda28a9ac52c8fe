"""The perceptual path length: the change of a generator's samples for a small change of their latents."""

import numpy as np

from jaxgan.metrics.checks import as_features

CENTRAL_SHARE = 0.98  # fraction of the path lengths that are averaged, as in the authors' code


def perceptual_path_length(
    start: np.ndarray, end: np.ndarray, epsilon: float, *, central_share: float = CENTRAL_SHARE
) -> float:
    """Return the perceptual path length, the mean of |f(G(z)) - f(G(z'))|^2 / epsilon^2. Karras et al. 2019.

    The paper is arXiv:1812.04948. A smaller length means a smoother generator. f is a network that computes features;
    the paper uses LPIPS. Lengths are only comparable for the same features.

    Args:
      start: features of samples at positions t on paths between latents, [N, D].
      end: features of samples at the positions t + epsilon on the same paths, [N, D].
      epsilon: distance between the two positions; 1e-4 in the paper. Samples must not be rounded to bytes, because
        rounding would remove the small change between the two positions.
      central_share: fraction of the path lengths that are averaged; the shortest and the longest lengths are excluded.

    Raises:
      ValueError: if shapes differ, if a feature is not finite, or if a number is out of range.
    """
    start, end = as_features(start, end, least=1, names=("start", "end"))
    if len(start) != len(end):
        raise ValueError(
            f"`start` and `end` must have the same number of examples, got {len(start):,} and {len(end):,}."
        )
    if epsilon <= 0:
        raise ValueError(f"`epsilon` must be above 0, got {epsilon}.")
    if not 0 < central_share <= 1:
        raise ValueError(f"`central_share` must be above 0 and at most 1, got {central_share}.")
    lengths = np.square(end - start).sum(1) / epsilon**2
    low, high = np.quantile(lengths, [(1 - central_share) / 2, (1 + central_share) / 2])
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
