"""Who is near whom: precision, recall, density, coverage, authenticity and memorisation."""

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_features, warn
from jaxgan.metrics.frechet import frechet_distance

ROWS = 1024  # of a table of distances at a time, so that memory grows with one number alone


class PrecisionRecall(NamedTuple):
    """Shares, from 0 to 1, higher is better.

    Attributes:
      precision: of fakes that lie among the reals: fidelity.
      recall: of reals that lie among the fakes: variety.
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """What replaces them where outliers matter, higher is better.

    Attributes:
      density: in how many reals' balls a fake lies, over k: about 1 of the reals themselves, and may be more.
      coverage: the share of reals' balls in which a fake lies.
    """

    density: float
    coverage: float


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """The share of each set within some ball of the other's. Kynkäänniemi et al. 2019 (1904.06991).

    An example's ball reaches to its k-th neighbour in its own set. Compare figures of as many examples alone.

    Args:
      real, fake: features, [N, D] and [M, D].
      k: the paper's is 3, for 50,000 of each.

    Raises:
      ValueError: dimensions differ, a set has no k neighbours, or a feature is not finite.

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
    """In how many reals' balls fakes lie. Naeem et al. 2020 (2002.09797).

    The arguments, errors and warnings are ``precision_recall``'s; the paper's k is 5, for 10,000 of each.
    """
    _check(k)
    real, fake = as_features(real, fake, least=k + 1, names=("real", "fake"))
    radii = _radii(real, k)
    _warn_of_copies(real=radii)
    inside = np.concatenate([(distances <= radii[None]).sum(1) for distances in _distances(fake, real)])
    covered = np.concatenate([distances.min(1) for distances in _distances(real, fake)]) <= radii
    return DensityCoverage(float(inside.mean() / k), float(covered.mean()))


def authenticity(train: np.ndarray, fake: np.ndarray) -> float:
    """The share of fakes that are no near copies of a training example. Alaa et al. 2022 (2102.08921).

    A fake is a near copy unless it is farther from its nearest training example than that one is from any other.

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
    """The share of fakes whose nearest real is a training example: 1/2 of what generalises, 1 of what repeats.

    As the two-sample test of Lopez-Paz and Oquab 2017 with one neighbour. Of the larger set of reals as many are drawn
    as the smaller one has, so that neither is the denser: give as many held-out examples as there are training ones,
    or copies of those that were not drawn go unseen.

    Args:
      train, held_out, fake: features, [N, D], [M, D] and [L, D], at least 2 each.
      seed: of the draw.

    Raises:
      ValueError: dimensions differ, a set is too small, or a feature is not finite.

    Warns:
      UserWarning: fewer are held out than there are training examples.
    """
    train, held_out, fake = as_features(train, held_out, fake, names=("train", "held_out", "fake"))
    count = min(len(train), len(held_out))
    if len(train) > count:
        warn(f"train: only {count:,} of {len(train):,} examples are looked at, as many as are held out")
    draws = np.random.default_rng(seed)
    chosen = (reals[draws.choice(len(reals), count, replace=False)] for reals in (train, held_out))
    ours, others = (nearest_distances(fake, reals) for reals in chosen)
    return float(np.where(ours == others, 0.5, ours < others).mean())


def memorisation_informed_distance(fake: np.ndarray, train: np.ndarray, *, threshold: float = 0.1) -> float:
    """MIFID: the Fréchet distance, by how near the fakes come to training examples. Bai et al. 2021 (2106.03062).

    Their mean least cosine distance divides it, if it is below ``threshold``: the more of it is copied, the larger.

    Args:
      fake, train: features, [N, D] and [M, D].
      threshold: above it nothing is taken for copied.

    Raises:
      ValueError: dimensions differ, a set is too small, or a feature is not finite.
    """
    distance = frechet_distance(fake, train)
    fake, train = as_features(fake, train, names=("fake", "train"))
    fake, train = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in (fake, train))
    nearest = [1 - np.abs(fake[i : i + ROWS] @ train.T).max(1) for i in range(0, len(fake), ROWS)]
    apart = max(float(np.concatenate(nearest).mean()), 1e-15)
    return distance / apart if apart < threshold else distance


def nearest_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """From each of x, [N, D], to the nearest of y, [M, D]: Euclidean, [N]."""
    x, y = as_features(x, y, least=1)
    return np.concatenate([distances.min(1) for distances in _distances(x, y)])


def _check(k: int) -> None:
    if operator.index(k) < 1:
        raise ValueError(f"k = {k}: at least the first neighbour")


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """The distance of each example to its k-th neighbour among the others, [N]."""
    # The nearest is the example itself, at 0, or a copy of it.
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
    """Euclidean distances from some rows of x at a time to all of y, [rows, M]."""
    # From their own centre: what they have in common would swamp what they differ by.
    centre = y.mean(0)
    x, y = x - centre[None], y - centre[None]
    norms = np.square(y).sum(1)
    for i in range(0, len(x), ROWS):
        part = x[i : i + ROWS]
        both = np.square(part).sum(1)[:, None] + norms[None]
        squares = both - 2 * part @ y.T
        # Of what is close the difference is mostly rounding; so that only a copy's is 0, it is taken again.
        rows, columns = np.nonzero(squares < 1e-6 * both)
        for start in range(0, len(rows), ROWS):
            at = rows[start : start + ROWS], columns[start : start + ROWS]
            squares[at] = np.square(part[at[0]] - y[at[1]]).sum(1)
        yield np.sqrt(squares)
