"""Metrics of nearest neighbours: precision, recall, density, coverage, authenticity and memorisation."""

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, warn
from jaxgan.metrics.frechet import frechet_distance

ROWS = 1024  # of the table of distances at a time, so that memory grows with one set alone


class PrecisionRecall(NamedTuple):
    """Shares, from 0 to 1, higher is better.

    Attributes:
      precision: share of fakes within the reals' balls: fidelity.
      recall: share of reals within the fakes' balls: diversity.
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Precision and recall that outliers change less; higher is better.

    Attributes:
      density: number of reals' balls that a fake lies in, over k; about 1 for the reals themselves, and may be more.
      coverage: share of reals' balls in which a fake lies.
    """

    density: float
    coverage: float


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """The share of each set within some ball of the other's. Kynkäänniemi et al. 2019 (1904.06991).

    An example's ball reaches to its k-th neighbour in its own set. Only compare figures of equally many examples.

    Args:
      real, fake: features, [N, D] and [M, D].
      k: the paper's is 3, for 50,000 of each.

    Raises:
      ValueError: dimensions differ, a set has fewer than k + 1 examples, or a feature is not finite.

    Warns:
      UserWarning: some example's k nearest neighbours are copies of it.
    """
    _check(k)
    real, fake = as_features(real, fake, least=k + 1, names=("real", "fake"))
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    _warn_of_copies(real=real_radii, fake=fake_radii)
    precise = [(distances <= real_radii[None]).any(1) for distances in _distances(fake, real)]
    recalled = [(distances <= fake_radii[None]).any(1) for distances in _distances(real, fake)]
    return PrecisionRecall(float(np.concatenate(precise).mean()), float(np.concatenate(recalled).mean()))


def density_coverage(real: np.ndarray, fake: np.ndarray, *, k: int = 5) -> DensityCoverage:
    """How many reals' balls fakes lie in, and how many hold a fake. Naeem et al. 2020 (2002.09797).

    Arguments, errors and warnings are those of ``precision_recall``; the paper's k is 5, for 10,000 of each.
    """
    _check(k)
    real, fake = as_features(real, fake, least=k + 1, names=("real", "fake"))
    radii = _radii(real, k)
    _warn_of_copies(real=radii)
    inside = np.concatenate([(distances <= radii[None]).sum(1) for distances in _distances(fake, real)])
    covered = np.concatenate([distances.min(1) for distances in _distances(real, fake)]) <= radii
    return DensityCoverage(float(inside.mean() / k), float(covered.mean()))


def authenticity(train: np.ndarray, fake: np.ndarray) -> float:
    """The share of fakes that are not near copies of a training example. Alaa et al. 2022 (2102.08921).

    A fake is a near copy unless it is farther from its nearest training example than that example is from any other.

    Args:
      train, fake: features, [N, D] and [M, D], at least 2 each.

    Raises:
      ValueError: dimensions differ, a set is too small, or a feature is not finite.
    """
    train, fake = as_features(train, fake, names=("train", "fake"))
    radii = _radii(train, 1)
    copies = []
    for distances in _distances(fake, train):
        nearest = distances.argmin(1)
        copies.append(distances[np.arange(len(distances)), nearest] <= radii[nearest])
    return float(1 - np.concatenate(copies).mean())


def memorisation(train: np.ndarray, held_out: np.ndarray, fake: np.ndarray, *, seed: int = 0) -> float:
    """The share of fakes with a training example as their nearest real: 1/2 if a model generalises, 1 if it memorises.

    This is the two-sample test of Lopez-Paz and Oquab 2017 with one neighbour. As many reals are drawn from the larger
    set as the smaller one has, so that neither is denser. Give as many held-out examples as training examples, or
    copies of those that are not drawn go unseen.

    Args:
      train, held_out, fake: features, [N, D], [M, D] and [L, D], at least 2 each.
      seed: seed of the draw.

    Raises:
      ValueError: dimensions differ, a set is too small, or a feature is not finite.

    Warns:
      UserWarning: there are fewer held-out examples than training examples.
    """
    train, held_out, fake = as_features(train, held_out, fake, names=("train", "held_out", "fake"))
    count = min(len(train), len(held_out))
    if len(train) > count:
        warn(f"train: only {count:,} of {len(train):,} examples are used, as many as are held out")
    draws = np.random.default_rng(seed)
    subsets = (reals[draws.choice(len(reals), count, replace=False)] for reals in (train, held_out))
    to_train, to_held_out = (nearest_distances(fake, reals) for reals in subsets)
    return float(np.where(to_train == to_held_out, 0.5, to_train < to_held_out).mean())


def memorisation_informed_distance(fake: np.ndarray, train: np.ndarray, *, threshold: float = 0.1) -> float:
    """MIFID: the Fréchet distance, larger the more fakes copy training examples. Bai et al. 2021 (2106.03062).

    It is divided by the mean over fakes of the least cosine distance to a training example, where that mean is below
    ``threshold``.

    Args:
      fake, train: features, [N, D] and [M, D].
      threshold: mean least cosine distance from which nothing counts as copied.

    Raises:
      ValueError: dimensions differ, a set is too small, or a feature is not finite.
    """
    distance = frechet_distance(fake, train)
    fake, train = as_features(fake, train, names=("fake", "train"))
    fake, train = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in (fake, train))
    nearest = [1 - np.abs(fake[i : i + ROWS] @ train.T).max(1) for i in range(0, len(fake), ROWS)]
    cosine_distance = max(float(np.concatenate(nearest).mean()), 1e-15)
    return distance / cosine_distance if cosine_distance < threshold else distance


def nearest_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The Euclidean distance from each example of x, [N, D], to the nearest of y, [M, D]; [N]."""
    x, y = as_features(x, y, least=1)
    return np.concatenate([distances.min(1) for distances in _distances(x, y)])


def _check(k: int) -> None:
    if operator.index(k) < 1:
        raise ValueError(f"`k` must be at least 1, got {k}.")


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """The distance from each example to its k-th neighbour among the others, [N]."""
    # The first of the sorted distances is that to the example itself, or to a copy of it.
    return np.concatenate([np.partition(distances, k, axis=1)[:, k] for distances in _distances(x, x)])


def _warn_of_copies(**radii: np.ndarray) -> None:
    for name, reach in radii.items():
        copies = int((reach == 0).sum())
        if copies:
            message = (
                f"{name}: {copies:,} of {len(reach):,} examples have only copies for neighbours, and reach nothing else"
            )
            warn(message, above=1)


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Euclidean distances from ``ROWS`` rows of x at a time to all of y, [rows, M]."""
    # Centred, because a large common mean would cost precision.
    centre = y.mean(0)
    x, y = x - centre[None], y - centre[None]
    norms = np.square(y).sum(1)
    for i in range(0, len(x), ROWS):
        part = x[i : i + ROWS]
        both = np.square(part).sum(1)[:, None] + norms[None]
        squares = both - 2 * part @ y.T
        # Small differences are mostly rounding errors; they are computed again, so that only a copy's is 0.
        rows, columns = np.nonzero(squares < 1e-6 * both)
        for start in range(0, len(rows), ROWS):
            row, column = rows[start : start + ROWS], columns[start : start + ROWS]
            squares[row, column] = np.square(part[row] - y[column]).sum(1)
        yield np.sqrt(squares)
