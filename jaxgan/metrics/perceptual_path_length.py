"""The perceptual path length: how far a generator's samples move for a small move of their latents."""

import numpy as np

from jaxgan.metrics.checks import as_features

KEPT = 0.98  # the authors' share, of paths in the middle


def perceptual_path_length(start: np.ndarray, end: np.ndarray, epsilon: float, *, kept: float = KEPT) -> float:
    """The mean of |f(G(z)) - f(G(z'))|^2 / epsilon^2. Karras et al. 2019 (1812.04948).

    The lower, the smoother. The paper's f is LPIPS's; figures of other features compare only with each other.

    Args:
      start: features of samples at points t of paths between latents, [N, D].
      end: the same at t + epsilon.
      epsilon: the paper's is 1e-4; samples must not be rounded to bytes, or nothing moves.
      kept: the share in the middle; what is farther out on either side is left out, as the authors do.

    Raises:
      ValueError: shapes differ, a feature is not finite, or a number is out of its range.
    """
    start, end = as_features(start, end, least=1, names=("start", "end"))
    if len(start) != len(end):
        raise ValueError(f"{len(start):,} starts and {len(end):,} ends: want as many")
    if not (epsilon > 0 and 0 < kept <= 1):
        raise ValueError(f"epsilon {epsilon}, kept {kept}: epsilon is above 0, kept above 0 and at most 1")
    lengths = np.square(end - start).sum(1) / epsilon**2
    low, high = np.quantile(lengths, [(1 - kept) / 2, (1 + kept) / 2])
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
