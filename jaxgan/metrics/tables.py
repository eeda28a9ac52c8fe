"""Compare tables: the distributions of columns, the dependencies between pairs of columns, and copies of rows.

A table maps the name of each column to an array, [N]. An array of integers or floats contains numbers, with NaN for a
missing number. An array of strings or booleans contains categories, with None for a missing category.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import Table, as_tables, is_known, is_number, warn

BINS = 10  # number of intervals into which numbers are divided to compare them with categories, as in SDMetrics
DECIMALS = 14  # number of decimals to which numbers are rounded for the KSComplement, as in SDMetrics
UNSEEN = 1e-6  # number of real rows that the TVComplement assumes for a category without real rows, as in SDMetrics
BLOCK = 32, 4096  # shape of a block of the distance matrix; two blocks of float32 fit into the L2 cache of a core
TIE = 1e-6  # difference of two distances below which they count as equal, because they are computed in float32
MISSING = 4.0  # code of a missing number in ``_encode``: its distance to every other code is at least 1
NAMES = "train", "held_out", "fake"


class ColumnShapes(NamedTuple):
    """The similarity of the distributions of each column, from 0 to 1; higher is better.

    Attributes:
      score: mean over the columns without NaN; NaN if the similarity of no column is defined.
      columns: the similarity of each column: the KSComplement of numbers and the TVComplement of categories. It is NaN
        if all values of the column are missing in one of the tables.
    """

    score: float
    columns: dict[str, float]


class ColumnPairTrends(NamedTuple):
    """The similarity of the dependency between each two columns, from 0 to 1; higher is better.

    Attributes:
      score: mean over the pairs without NaN; NaN if the similarity of no pair is defined.
      pairs: the similarity of each pair: the CorrelationSimilarity of two columns of numbers and the
        ContingencySimilarity of all other pairs. It is NaN if the real columns do not depend on each other enough, or
        if a correlation is not defined.
    """

    score: float
    pairs: dict[tuple[str, str], float]


class ClosestRecords(NamedTuple):
    """The distances of generated rows to the closest real rows.

    Distances are from 0 (a copy) to 1 (all columns differ).

    Attributes:
      share: fraction of generated rows that are closer to a training row than to any held-out row, from 0 to 1. Equal
        distances count half. About 1/2 is ideal, and 1 means that training rows are memorised.
      fake: maps each probability to this quantile of the distances of generated rows to the closest training row.
      held_out: the same for held-out rows in the place of generated rows. Much smaller quantiles of ``fake`` mean
        that training rows are copied.
      copies: fraction of generated rows that are equal to a training row, from 0 to 1.
    """

    share: float
    fake: dict[float, float]
    held_out: dict[float, float]
    copies: float


def column_shapes(real: Table, fake: Table) -> ColumnShapes:
    """Return the similarity of the distributions of each column, as in SDMetrics' quality report.

    The similarity of numbers is the KSComplement: 1 minus the largest difference of the empirical distribution
    functions. The similarity of categories is the TVComplement: 1 minus half the sum of the absolute differences of
    relative frequencies. Missing values are left out.

    Source: DataCebo, SDMetrics 0.32, ``QualityReport``, property "Column Shapes".

    Args:
      real, fake: tables of real and of generated rows. They map the names of columns to arrays, [N] and [M].

    Returns:
      The scores, from 0 to 1; higher is better.

    Raises:
      ValueError: if the columns differ in name or in kind, or if a table is empty or malformed; see ``as_tables``.

    Warns:
      UserWarning: if the score is NaN, because every column is missing in one of the tables.
    """
    real, fake = as_tables(real, fake)
    columns = {name: (_ks if is_number(real[name]) else _tv)(real[name], fake[name]) for name in real}
    score = _mean(columns.values())
    if np.isnan(score):
        warn("The score of the column shapes is NaN, because in each column all values of one table are missing.")
    return ColumnShapes(score, columns)


def column_pair_trends(
    real: Table, fake: Table, *, min_correlation: float = 0.5, min_association: float = 0.3
) -> ColumnPairTrends:
    """Return the similarity of the dependency between each two columns, as in SDMetrics' quality report.

    For two columns of numbers, the similarity is the CorrelationSimilarity, 1 - |r_real - r_fake| / 2, of Pearson's
    correlation r over the rows without missing numbers. For other pairs, the similarity is the ContingencySimilarity:
    1 minus half the sum of the absolute differences of the relative frequencies of pairs of categories. A missing
    category is a category there. A column of numbers is first divided into ten intervals between the minimum and the
    maximum of its own table. Missing numbers and the maximum belong to one more category.

    Only pairs that depend on each other in the real table count. SDMetrics draws 50,000 rows of larger tables at
    random, but this function uses all rows.

    Source: DataCebo, SDMetrics 0.32, ``QualityReport``, property "Column Pair Trends".

    Args:
      real, fake: tables of real and of generated rows. They map the names of columns to arrays, [N] and [M].
      min_correlation: the absolute correlation of a pair of numbers must exceed this number in the real table, or the
        similarity of the pair is NaN.
      min_association: the same for Cramér's V of other pairs. 0 includes all of them.

    Returns:
      The scores, from 0 to 1; higher is better.

    Raises:
      ValueError: if the columns differ in name or in kind, or if a table is empty or malformed, see ``as_tables``; or
        if a threshold is not from 0 to 1.

    Warns:
      UserWarning: if the score is NaN, because the similarity of no pair is defined.
    """
    for name, threshold in (("min_correlation", min_correlation), ("min_association", min_association)):
        if not 0 <= threshold <= 1:
            raise ValueError(f"`{name}` must be from 0 to 1, got {threshold}.")
    real, fake = as_tables(real, fake)
    codes = {name: _codes(real[name], fake[name]) for name in real}
    pairs = {}
    for a, b in itertools.combinations(real, 2):
        if is_number(real[a]) and is_number(real[b]):
            pairs[a, b] = _correlation_similarity(real[a], real[b], fake[a], fake[b], min_correlation)
        else:
            pairs[a, b] = _contingency_similarity(codes[a], codes[b], min_association)
    score = _mean(pairs.values())
    if np.isnan(score):
        warn("The score of the column pair trends is NaN, because no pair of columns has a defined similarity.")
    return ColumnPairTrends(score, pairs)


def distance_to_closest_record(
    train: Table, held_out: Table, fake: Table, *, quantiles: Sequence[float] = (0.05, 0.5, 0.95), seed: int = 0
) -> ClosestRecords:
    """Return the distances of generated rows to the closest training row, and to the closest held-out row.

    The distance of two rows is the mean over the columns of a distance from 0 to 1 (Gower 1971): the absolute
    difference divided by the range of the real numbers and at most 1 for numbers, and 0 or 1 for categories. A missing
    value has the distance 0 to a missing value and 1 to every other value.

    If the training set and the held-out set have different sizes, ``share`` uses the same number of rows of both,
    drawn at random, so that neither set is denser. The quantiles and ``copies`` use all training rows.

    Source: Platzer and Reutterer 2021 (2104.00635); Gower 1971 (doi 10.2307/2528823).

    Args:
      train, held_out, fake: tables of training rows, of held-out rows and of generated rows. They map the names of
        columns to arrays, [N], [M] and [L].
      quantiles: probabilities of the quantiles of the distances, from 0 to 1 each.
      seed: seed of the random choice of rows from the larger set.

    Returns:
      The share, from 0 to 1 with the ideal 1/2, and the quantiles of distances, from 0 to 1.

    Raises:
      ValueError: if the columns differ in name or in kind, if a table is empty or malformed, see ``as_tables``, or if a
        probability is not from 0 to 1.

    Warns:
      UserWarning: if there are fewer held-out rows than training rows.
    """
    for probability in quantiles:
        if not 0 <= probability <= 1:
            raise ValueError(f"`quantiles` must be from 0 to 1, got {probability}.")
    real, held, samples = _encode(as_tables(train, held_out, fake, names=NAMES))
    sizes = len(real[0]), len(held[0])
    count = min(sizes)
    if sizes[0] > count:
        warn(
            f"Only {count:,} of the {sizes[0]:,} rows of `train` are used for the share, the same number as in "
            "`held_out`. Copies of the other rows affect only the quantiles and `copies`."
        )
    draws = np.random.default_rng(seed)
    order, held_order = (draws.permutation(size) for size in sizes)
    to_drawn = _nearest(samples, _select(real, order[:count]))
    to_held = _nearest(samples, _select(held, held_order[:count]))
    to_train = np.minimum(to_drawn, _nearest(samples, _select(real, order[count:])))
    ties = np.abs(to_drawn - to_held) < TIE
    return ClosestRecords(
        share=float(np.where(ties, 0.5, to_drawn < to_held).mean()),
        fake=_quantiles(to_train, quantiles),
        held_out=_quantiles(_nearest(held, real), quantiles),
        copies=float((to_train < TIE).mean()),
    )


def _mean(scores) -> float:
    """Return the mean of the scores that are not NaN, or NaN if there is none."""
    found = [score for score in scores if not np.isnan(score)]
    return float(np.mean(found)) if found else float("nan")


def _ks(real, fake):
    """Return the KSComplement of two columns of numbers, [N] and [M]."""
    real, fake = (np.sort(_rounded(x[~np.isnan(x)])) for x in (real, fake))
    if not (len(real) and len(fake)):
        return float("nan")
    values = np.concatenate([real, fake])
    real_cdf, fake_cdf = (np.searchsorted(x, values, side="right") / len(x) for x in (real, fake))
    return float(1 - np.abs(real_cdf - fake_cdf).max())


def _rounded(x):
    # From 1e3 on, 14 decimals exceed the precision of float64, and for huge numbers the rounding would overflow.
    return np.where(np.abs(x) < 1e3, np.round(np.clip(x, -1e3, 1e3), DECIMALS), x)


def _tv(real, fake):
    """Return the TVComplement of two columns of categories, [N] and [M]."""
    real, fake = (x[is_known(x)] for x in (real, fake))
    if not (len(real) and len(fake)):
        return float("nan")
    return _overlap(*_codes(real, fake), unseen=UNSEEN)


def _overlap(real, fake, unseen=0.0):
    """Return 1 minus the total variation distance between the frequencies of two arrays of codes, [N] and [M].

    Args:
      real, fake: the codes, [N] and [M].
      unseen: the number of real rows that is assumed for a code that only occurs in ``fake``.
    """
    codes = _compact(np.concatenate([real, fake]))
    count = codes.max() + 1
    real_counts, fake_counts = (np.bincount(part, minlength=count) for part in np.split(codes, [len(real)]))
    real_counts = np.where((real_counts == 0) & (fake_counts > 0), unseen, real_counts)
    shares = real_counts / real_counts.sum(), fake_counts / len(fake)
    return max(float(1 - np.abs(shares[0] - shares[1]).sum() / 2), 0.0)  # at least 0 in spite of rounding errors


def _compact(codes):
    """Return codes, [N], that are equal where the given ones are, and not much larger than N."""
    return codes if codes.max() < 4 * len(codes) else np.unique(codes, return_inverse=True)[1]


def _codes(real, fake):
    """Return integers for the values of a column of two tables, [N] and [M]: categories, or intervals of numbers."""
    if is_number(real):
        # The ends of the intervals differ between the tables, as in SDMetrics. NaN belongs to the last interval.
        return tuple(np.digitize(x, np.histogram_bin_edges(x[~np.isnan(x)], BINS)) for x in (real, fake))
    values = [*real.tolist(), *fake.tolist()]
    index = {value: i for i, value in enumerate(dict.fromkeys(values))}
    codes = np.fromiter((index[value] for value in values), np.int64, len(values))
    return codes[: len(real)], codes[len(real) :]


def _contingency_similarity(a, b, min_association):
    """Return the ContingencySimilarity of columns a and b, or NaN if the association is too low.

    Args:
      a, b: the codes of the real and of the generated rows, [N] and [M] each.
      min_association: the limit that Cramér's V of the real rows must exceed.
    """
    if min_association > 0 and not _association(a[0], b[0]) > min_association:
        return float("nan")
    stride = max(b[0].max(), b[1].max()) + 1
    real, fake = (x * stride + y for x, y in zip(a, b))
    return _overlap(real, fake)


def _association(a, b):
    """Return Cramér's V of two arrays of codes, [N]; NaN if one of them is constant."""
    cells = _compact(a * (b.max() + 1) + b)
    a_counts, b_counts, counts = np.bincount(a), np.bincount(b), np.bincount(cells)
    least = min(np.count_nonzero(a_counts), np.count_nonzero(b_counts))
    if least < 2:
        return float("nan")
    # chi^2 / N is the sum of n_ij^2 / (n_i n_j) over all cells minus 1. Each of the n_ij rows of a cell adds a part.
    square = (counts[cells] / (a_counts[a] * b_counts[b])).sum() - 1
    return float(np.sqrt(max(square, 0) / (least - 1)))


def _correlation_similarity(real_a, real_b, fake_a, fake_b, min_correlation):
    """Return the CorrelationSimilarity of numbers a and b, or NaN if the real correlation is too low or undefined."""
    real, fake = _correlation(real_a, real_b), _correlation(fake_a, fake_b)
    return float(1 - abs(real - fake) / 2) if abs(real) > min_correlation else float("nan")


def _correlation(a, b):
    """Return Pearson's correlation of the rows without NaN, or NaN if a column is constant."""
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    a, b = (x / np.abs(x).max() for x in (a, b))  # squares of large numbers would overflow
    a, b = (x - x.mean() for x in (a, b))
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))


def _quantiles(distances, probabilities):
    return {float(p): float(np.quantile(distances, p)) for p in probabilities}


def _encode(tables):
    """Return the columns of two tables of real rows and of one table of generated rows, to compute distances.

    Real numbers become numbers from 0 to 1 in float32. The distance of two numbers is their absolute difference, at
    most 1. Categories become integers.
    """
    columns = [_encode_column([table[name] for table in tables]) for name in tables[0]]
    return [list(parts) for parts in zip(*columns)]


def _encode_column(parts):
    ends = np.cumsum([len(part) for part in parts[:-1]])
    if not is_number(parts[0]):
        whole = np.concatenate(parts)
        codes, _ = _codes(whole, whole[:0])
        return np.split(codes.astype(np.min_scalar_type(codes.max())), ends)
    real = np.concatenate(parts[:-1])
    real = real[~np.isnan(real)]
    low, high = (real.min(), real.max()) if len(real) else (0.0, 0.0)
    # If all real numbers are equal, each other number has the distance 1.
    scaled = [x / (high - low) - low / (high - low) if high > low else np.sign(x - low) for x in parts]
    return [np.nan_to_num(np.clip(x, -1, 2), nan=MISSING).astype(np.float32) for x in scaled]


def _select(columns, indices):
    return [column[indices] for column in columns]


def _nearest(x, y):
    """Return the distance from each row of x, [N], to the closest row of y; infinity if y has no rows."""
    nearest = np.full(len(x[0]), np.inf, np.float32)
    rows, others = BLOCK
    for i in range(0, len(x[0]), rows):
        part = _select(x, slice(i, i + rows))
        for j in range(0, len(y[0]), others):
            distances = _distances(part, _select(y, slice(j, j + others))).min(1)
            nearest[i : i + rows] = np.minimum(nearest[i : i + rows], distances)
    return nearest / len(x)


def _distances(x, y):
    """Return the sum over the columns of the distances of all rows of x to all rows of y, [N, M]."""
    shape = len(x[0]), len(y[0])
    sums, difference = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    counts = np.zeros(shape, np.min_scalar_type(len(x)))  # number of columns of categories that differ
    for a, b in zip(x, y):
        if a.dtype == np.float32:
            np.subtract(a[:, None], b[None], out=difference)
            np.abs(difference, out=difference)
            np.minimum(difference, 1, out=difference)
            sums += difference
        else:
            counts += np.not_equal(a[:, None], b[None]).view(np.uint8)
    return sums + counts
