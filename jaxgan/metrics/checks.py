"""Check features before a metric is computed, and warn of unreliable results."""

import warnings

import numpy as np


def as_features(*sets: np.ndarray, least: int = 2, names: tuple[str, ...] = ("x", "y")) -> tuple[np.ndarray, ...]:
    """Check sets of features, which must be [N, D] with the same D, and return them as float64.

    Args:
      *sets: the sets of features, [N, D] each.
      least: number of examples that each set must have.
      names: the names of the sets, for messages.

    Raises:
      ValueError: if a set has another shape or type, if it has fewer than ``least`` examples, or if a value is not
        finite.
    """
    arrays = [np.asarray(features) for features in sets]
    for name, x in zip(names, arrays):
        if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
            raise ValueError(f"`{name}` must be an array of real numbers, [N, D], got {x.dtype}.")
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


def require_finite(*results: float) -> None:
    """Raise a ``ValueError`` if a result is not finite, because the features are too large for float64.

    Args:
      *results: numbers that were computed from finite features.
    """
    if not np.isfinite(results).all():
        raise ValueError(
            "The features are so large that the result exceeds the range of float64. Divide the features of all sets "
            "by the same number."
        )


def warn(message: str, above: int = 0) -> None:
    """Emit a ``UserWarning`` that points to the line where the metric was called.

    Args:
      message: the text of the warning.
      above: number of function calls between the metric and the call of this function.
    """
    warnings.warn(message, UserWarning, stacklevel=3 + above)
