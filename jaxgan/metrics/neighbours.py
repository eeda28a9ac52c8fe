"""Compute metrics from nearest neighbours: precision, recall, density, coverage, authenticity and memorisation."""

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, warn
from jaxgan.metrics.frechet import frechet_distance

ROWS = 1024  # number of rows of the distance matrix that are computed at a time, to limit the use of memory


class PrecisionRecall(NamedTuple):
    """Precision and recall, from 0 to 1; higher is better.

    Every example is the centre of a ball, see ``precision_recall``.

    Attributes:
      precision: fraction of generated samples within a ball of a real example, which measures fidelity.
      recall: fraction of real examples within a ball of a generated sample, which measures diversity.
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density and coverage, which are more robust to outliers than precision and recall; higher is better.

    Every real example is the centre of a ball, see ``precision_recall``.

    Attributes:
      density: mean over the generated samples of the number of balls of real examples that contain the sample, divided
        by k. It is about 1 for samples from the distribution of the data, and may exceed 1.
      coverage: fraction of the balls of real examples that contain a generated sample, from 0 to 1.
    """

    density: float
    coverage: float


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """Return the precision and the recall of generated samples. Kynkäänniemi et al. 2019 (1904.06991).

    Every example is the centre of a ball. The radius of the ball is the distance from the example to its k-th nearest
    neighbour in the same set. Precision is the fraction of generated samples within a ball of any real example. Recall
    is the fraction of real examples within a ball of any generated sample. Results are only comparable for the same
    numbers of examples.

    Args:
      real, fake: features of real examples and of generated samples, [N, D] and [M, D].
      k: number of the nearest neighbour that determines the radius of a ball, counted from 1. The paper uses 3, with
        50,000 examples in each set.

    Raises:
      ValueError: if dimensions differ, if a set has fewer than k + 1 examples, or if a feature is not finite.

    Warns:
      UserWarning: if the k nearest neighbours of an example are copies of it.
    """
    _check(k)
    real, fake = as_features(real, fake, least=k + 1, names=("real", "fake"))
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    _warn_of_copies(real=real_radii, fake=fake_radii)
    precise = [(distances <= real_radii[None]).any(1) for distances in _distances(fake, real)]
    recalled = [(distances <= fake_radii[None]).any(1) for distances in _distances(real, fake)]
    return PrecisionRecall(float(np.concatenate(precise).mean()), float(np.concatenate(recalled).mean()))


def density_coverage(real: np.ndarray, fake: np.ndarray, *, k: int = 5) -> DensityCoverage:
    """Return the density and the coverage of real examples by generated samples. Naeem et al. 2020 (2002.09797).

    Args:
      real, fake: features of real examples and of generated samples, [N, D] and [M, D].
      k: number of the nearest neighbour that determines the radius of a ball, counted from 1; see ``precision_recall``.
        The paper uses 5, with 10,000 examples in each set.

    Raises:
      ValueError: if dimensions differ, if a set has fewer than k + 1 examples, or if a feature is not finite.

    Warns:
      UserWarning: if the k nearest neighbours of a real example are copies of it.
    """
    _check(k)
    real, fake = as_features(real, fake, least=k + 1, names=("real", "fake"))
    radii = _radii(real, k)
    _warn_of_copies(real=radii)
    inside = np.concatenate([(distances <= radii[None]).sum(1) for distances in _distances(fake, real)])
    covered = np.concatenate([distances.min(1) for distances in _distances(real, fake)]) <= radii
    return DensityCoverage(float(inside.mean() / k), float(covered.mean()))


def authenticity(train: np.ndarray, fake: np.ndarray) -> float:
    """Return the fraction of generated samples that are not near copies. Alaa et al. 2022 (2102.08921).

    A sample is a near copy if it is at least as close to its nearest training example as this training example is to
    the nearest other training example.

    Args:
      train, fake: features of training examples and of generated samples, [N, D] and [M, D], at least 2 each.

    Raises:
      ValueError: if dimensions differ, if a set is too small, or if a feature is not finite.
    """
    train, fake = as_features(train, fake, names=("train", "fake"))
    radii = _radii(train, 1)
    copies = []
    for distances in _distances(fake, train):
        nearest = distances.argmin(1)
        copies.append(distances[np.arange(len(distances)), nearest] <= radii[nearest])
    return float(1 - np.concatenate(copies).mean())


def memorisation(train: np.ndarray, held_out: np.ndarray, fake: np.ndarray, *, seed: int = 0) -> float:
    """Return the fraction of generated samples that are closer to a training example than to any held-out example.

    A sample with equal distances counts half. The fraction is about 1/2 for a model that generalises and 1 for a model
    that memorises. This is the two-sample test of Lopez-Paz and Oquab 2017 with one neighbour.

    If the training set and the held-out set have different sizes, the same number of examples is drawn from both, so
    that neither set is denser. Copies of training examples that are not drawn are then not detected. To avoid this,
    pass a held-out set that is as large as the training set.

    Args:
      train, held_out, fake: features of training examples, held-out examples and generated samples, [N, D], [M, D] and
        [L, D], at least 2 each.
      seed: seed of the random choice of examples from the larger set.

    Raises:
      ValueError: if dimensions differ, if a set is too small, or if a feature is not finite.

    Warns:
      UserWarning: if there are fewer held-out examples than training examples.
    """
    train, held_out, fake = as_features(train, held_out, fake, names=("train", "held_out", "fake"))
    count = min(len(train), len(held_out))
    if len(train) > count:
        warn(
            f"Only {count:,} of the {len(train):,} examples of `train` are used, the same number as in `held_out`. "
            "Copies of the other examples are not detected."
        )
    draws = np.random.default_rng(seed)
    subsets = (reals[draws.choice(len(reals), count, replace=False)] for reals in (train, held_out))
    to_train, to_held_out = (nearest_distances(fake, reals) for reals in subsets)
    return float(np.where(to_train == to_held_out, 0.5, to_train < to_held_out).mean())


def memorisation_informed_distance(fake: np.ndarray, train: np.ndarray, *, threshold: float = 0.1) -> float:
    """Return the MiFID, a Fréchet distance that is larger if samples copy training examples. Bai et al. 2021.

    The paper is arXiv:2106.03062. For each sample, the smallest cosine distance to a training example is computed. If
    the mean of these distances over the samples is below ``threshold``, the Fréchet distance is divided by this mean.

    Args:
      fake, train: features of generated samples and of training examples, [N, D] and [M, D].
      threshold: mean cosine distance below which the Fréchet distance is increased.

    Raises:
      ValueError: if dimensions differ, if a set is too small, or if a feature is not finite.
    """
    distance = frechet_distance(fake, train)
    fake, train = as_features(fake, train, names=("fake", "train"))
    fake, train = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in (fake, train))
    nearest = [1 - np.abs(fake[i : i + ROWS] @ train.T).max(1) for i in range(0, len(fake), ROWS)]
    cosine_distance = max(float(np.concatenate(nearest).mean()), 1e-15)
    return distance / cosine_distance if cosine_distance < threshold else distance


def nearest_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances, [N], from each example of x, [N, D], to the nearest example of y, [M, D].

    Args:
      x: the examples for which neighbours are searched, [N, D].
      y: the possible neighbours, [M, D].

    Raises:
      ValueError: if the sets are empty, have different numbers of columns, or contain values that are not finite.
    """
    x, y = as_features(x, y, least=1)
    return np.concatenate([distances.min(1) for distances in _distances(x, y)])


def _check(k: int) -> None:
    if operator.index(k) < 1:
        raise ValueError(f"`k` must be at least 1, got {k}.")


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """Return the distance from each example to its k-th nearest neighbour among the other examples, [N]."""
    # The smallest distance has the index 0. It is the distance of the example to itself, or to a copy of it.
    return np.concatenate([np.partition(distances, k, axis=1)[:, k] for distances in _distances(x, x)])


def _warn_of_copies(**radii: np.ndarray) -> None:
    for name, reach in radii.items():
        copies = int((reach == 0).sum())
        if copies:
            message = (
                f"The nearest neighbours of {copies:,} of {len(reach):,} examples of `{name}` are only copies of the "
                "example, so the radius of its ball is 0."
            )
            warn(message, above=1)


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the Euclidean distances from ``ROWS`` examples of x at a time to all examples of y, [rows, M]."""
    # The features are centred, because a large common mean would reduce the precision.
    centre = y.mean(0)
    x, y = x - centre[None], y - centre[None]
    norms = np.square(y).sum(1)
    for i in range(0, len(x), ROWS):
        part = x[i : i + ROWS]
        both = np.square(part).sum(1)[:, None] + norms[None]
        squares = both - 2 * part @ y.T
        # Rounding errors dominate small distances. Small distances are therefore computed again from the differences of
        # the features, so that only a copy has the distance 0.
        rows, columns = np.nonzero(squares < 1e-6 * both)
        for start in range(0, len(rows), ROWS):
            row, column = rows[start : start + ROWS], columns[start : start + ROWS]
            squares[row, column] = np.square(part[row] - y[column]).sum(1)
        yield np.sqrt(squares)
