"""What is asked of features before anything is measured, and what is told of those that make a figure doubtful."""

import warnings

import numpy as np


def as_features(*sets: np.ndarray, least: int = 2, names: tuple[str, ...] = ("x", "y")) -> tuple[np.ndarray, ...]:
    """Sets of features, [N, D] with one D, as float64.

    Raises:
      ValueError: shapes are others, a set has fewer than ``least`` examples, or a value is not finite.
    """
    arrays = [np.asarray(features) for features in sets]
    for name, x in zip(names, arrays):
        if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
            raise ValueError(f"{name}: features of {x.dtype}: want real numbers, [N, D]")
    if any(x.ndim != 2 or not x.shape[1] for x in arrays) or len({x.shape[-1] for x in arrays}) > 1:
        shapes = " and ".join(str(x.shape) for x in arrays)
        raise ValueError(f"features of shapes {shapes}: want [N, D]{' and [M, D]' * (len(arrays) - 1)}")
    if min(map(len, arrays)) < least:
        counts = " and ".join(f"{len(x):,}" for x in arrays)
        raise ValueError(f"{counts} examples: this needs {least:,} of each")
    for name, x in zip(names, arrays):
        bad = int((~np.isfinite(x)).any(1).sum())
        if bad:
            raise ValueError(
                f"{name}: {bad:,} of {len(x):,} examples have features that are NaN or infinite, and so would be the "
                "result; see what made them"
            )
    return tuple(np.asarray(x, np.float64) for x in arrays)


def warn(message: str, above: int = 0) -> None:
    """A ``UserWarning`` at the line that called the metric which calls this, ``above`` functions further up."""
    warnings.warn(message, UserWarning, stacklevel=3 + above)
