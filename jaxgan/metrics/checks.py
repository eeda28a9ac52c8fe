"""Checks of features before anything is measured, and warnings of doubtful figures."""

import warnings

import numpy as np


def as_features(*sets: np.ndarray, least: int = 2, names: tuple[str, ...] = ("x", "y")) -> tuple[np.ndarray, ...]:
    """Sets of features, [N, D] with the same D, as float64.

    Args:
      *sets: the sets.
      least: the number of examples that each set must have.
      names: of the sets, for messages.

    Raises:
      ValueError: a set has another shape or type, or fewer examples, or a value is not finite.
    """
    arrays = [np.asarray(features) for features in sets]
    for name, x in zip(names, arrays):
        if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
            raise ValueError(f"`{name}` must be real numbers, [N, D], got {x.dtype}.")
    if any(x.ndim != 2 or not x.shape[1] for x in arrays) or len({x.shape[-1] for x in arrays}) > 1:
        shapes = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(f"Features must be [N, D] with the same D in each set, got shapes {shapes}.")
    for name, x in zip(names, arrays):
        if len(x) < least:
            raise ValueError(f"`{name}` must have at least {least:,} examples, got {len(x):,}.")
    for name, x in zip(names, arrays):
        bad = int((~np.isfinite(x)).any(1).sum())
        if bad:
            raise ValueError(
                f"`{name}` must be finite, but {bad:,} of its {len(x):,} examples have NaN or infinite features."
            )
    return tuple(np.asarray(x, np.float64) for x in arrays)


def warn(message: str, above: int = 0) -> None:
    """Warn at the line that called the metric which calls this function.

    Args:
      message: of the ``UserWarning``.
      above: how many functions lie between that metric and the call of this function.
    """
    warnings.warn(message, UserWarning, stacklevel=3 + above)
