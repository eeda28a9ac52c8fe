"""Split examples that overlap in time, such as the windows of a recording, so that the two parts share no data."""

from typing import Any

import numpy as np


def split_in_time(spans: np.ndarray, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Choose held-out examples, and remove the other examples that overlap with them.

    The recordings are visited in a random order with a fixed seed. Complete recordings are held out as long as they
    have at most ``count`` examples together. The remaining held-out examples are the last ones of the next recording,
    so they are later than all other examples of it. A single recording is therefore split in time, and recordings of
    one example each are split at random.

    >>> windows = np.array([(0, start, start + 3) for start in range(6)])  # each window overlaps its neighbours
    >>> split_in_time(windows, 2, "rows")
    (array([0, 1]), array([4, 5]))

    Args:
      spans: the rows that each example was cut from, integers [N, 3]: the number of the recording, the first row, and
        the row after the last one.
      count: the number of held-out examples, from 1 to N.
      name: the name of the data, for messages.

    Returns:
      The indices of the examples that share no row with a held-out example, and of the held-out examples, both in
      ascending order.

    Raises:
      ValueError: if no examples remain beside the held-out examples.
    """
    _, recordings, sizes = np.unique(spans[:, 0], return_inverse=True, return_counts=True)
    by_recording = np.split(np.argsort(recordings.reshape(-1), kind="stable"), np.cumsum(sizes)[:-1])
    is_held_out, is_kept = np.zeros(len(spans), bool), np.ones(len(spans), bool)
    missing = count
    for recording in np.random.default_rng(0).permutation(len(sizes)):
        examples = by_recording[recording]
        starts, stops = spans[examples, 1], spans[examples, 2]
        latest = np.lexsort((starts, stops))[::-1][:missing]
        is_held_out[examples[latest]] = True
        is_kept[examples[stops > starts[latest].min()]] = False
        missing -= len(latest)
        if not missing:
            break
    rest = np.flatnonzero(is_kept & ~is_held_out)
    if not len(rest):
        raise ValueError(
            f"No examples of {name} remain for training, because all of them overlap with the {count:,} held-out "
            "examples. Hold out fewer examples, or cut shorter windows."
        )
    return rest, np.flatnonzero(is_held_out)


def check_spans(spans: Any, count: int, name: str) -> np.ndarray:
    """Return spans as int64 [N, 3].

    >>> check_spans([[0, 0, 24], [0, 1, 25]], 2, "prices").dtype
    dtype('int64')

    Args:
      spans: the rows that each example was cut from, [N, 3], see ``split_in_time``.
      count: the number of examples.
      name: the name of the data, for messages.

    Raises:
      ValueError: if the spans are not integers [count, 3], or a span contains no row.
    """
    spans = np.asarray(spans)
    if spans.shape != (count, 3) or spans.dtype.kind not in "iu":
        raise ValueError(
            f"The spans of {name} must be integers [{count}, 3], the recording, the first row and the row after the "
            f"last one of each example, got {spans.dtype} with shape {list(spans.shape)}."
        )
    is_empty = spans[:, 1] >= spans[:, 2]
    if is_empty.any():
        i = int(np.argmax(is_empty))
        raise ValueError(
            f"The spans of {name} must end after they start, got rows {spans[i, 1]} to {spans[i, 2]} in spans[{i}]."
        )
    return spans.astype(np.int64)
