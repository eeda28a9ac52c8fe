"""Metrics of series [N, T, F]: two scores of small recurrent networks, and two distances of correlations.

The discriminative and the predictive score follow the protocol of TimeGAN (Yoon, Jarrett and van der Schaar 2019): a
recurrent network is trained after the generator, and its error is the score. All repetitions of the training are
compiled into one program.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.metrics.checks import as_series, require_finite
from jaxgan.nn.recurrent import GRU

TRAIN_SHARE = 0.8  # fraction of the series that train the classifier of the discriminative score
BATCH_SIZE = 128  # number of series of each set in a training step
DISCRIMINATIVE_STEPS, PREDICTIVE_STEPS = 2000, 5000  # training steps of the two scores
LEARNING_RATE = 1e-3  # of Adam, TensorFlow's default


class SeriesScore(NamedTuple):
    """A score of networks that were trained several times.

    Attributes:
      mean: mean of the scores of the trained networks.
      std: standard deviation of these scores (divisor: their number).
    """

    mean: float
    std: float


def discriminative_score(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    real_lengths: np.ndarray | None = None,
    fake_lengths: np.ndarray | None = None,
    repeats: int = 1,
    seed: int = 0,
    steps: int = DISCRIMINATIVE_STEPS,
    batch_size: int = BATCH_SIZE,
) -> SeriesScore:
    """Return the discriminative score |accuracy - 0.5| of a classifier of real and generated series.

    A GRU with F // 2 units (at least one) and a linear layer on its last state are trained on 80 % of both sets with
    Adam and the cross-entropy. The accuracy is measured on the other 20 %. It is the mean of the accuracies for both
    sets, so that guessing has the accuracy 1/2 for sets of different sizes. For equal sizes it is the protocol's.

    Source: Yoon et al. 2019, "Time-series Generative Adversarial Networks", and metrics/discriminative_metrics.py of
    the official code. The GRU has the form of cuDNN, see ``jaxgan.nn.recurrent.gru``.

    Args:
      real: real series, [N, T, F], at least 5. The official code scales each feature to [0, 1].
      fake: generated series, [M, T, F], at least 5, in the same units.
      real_lengths: number of time steps of each real series, [N], integers from 1 to T. None means T.
      fake_lengths: the same for the generated series, [M].
      repeats: number of trainings with different seeds. Papers usually report 10.
      seed: seed of the division into training and test series, of the initial weights and of the batches.
      steps: number of training steps; 2,000 in the protocol.
      batch_size: number of real and of generated series in a step; 128 in the protocol. A set with fewer training
        series is used completely in every step.

    Returns:
      The score, from 0 (the classifier guesses) to 0.5 (all test series are recognised). Lower is better.

    Raises:
      ValueError: if a set has the wrong shape or type, if sets have different T or F, if a set is too small, if a
        value is not finite, or if a number is out of range.
    """
    real, fake = as_series(real, fake, least=5)
    sets = [(real, _lengths(real, real_lengths, "real")), (fake, _lengths(fake, fake_lengths, "fake"))]
    _check_counts(repeats=repeats, steps=steps, batch_size=batch_size)
    rng = np.random.default_rng(seed)
    train, test, orders = [], [], []
    for x, lengths in sets:
        count = int(TRAIN_SHARE * len(x))
        order = np.stack([rng.permutation(len(x)) for _ in range(repeats)])
        train.append((x, lengths))
        test.append(order[:, count:])
        orders.append(_batches(rng, order[:, :count], steps, batch_size))
    module = _Classifier(max(real.shape[2] // 2, 1))
    keys = jax.random.split(jax.random.key(seed), repeats)
    scores = np.asarray(_discriminate(module, keys, train, orders, test))
    require_finite(*scores)
    return SeriesScore(float(scores.mean()), float(scores.std()))


def predictive_score(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    real_lengths: np.ndarray | None = None,
    fake_lengths: np.ndarray | None = None,
    repeats: int = 1,
    seed: int = 0,
    steps: int = PREDICTIVE_STEPS,
    batch_size: int = BATCH_SIZE,
) -> SeriesScore:
    """Return the predictive score, the error on real series of a predictor that was trained on generated series.

    A GRU with F // 2 units (at least one) and a linear layer with a sigmoid predict the last feature at the next time
    step from the other features at all time steps so far. They are trained with Adam and the mean absolute error. For
    series with a single feature, which the protocol does not define, the past of this feature is the input.

    Source: Yoon et al. 2019, "Time-series Generative Adversarial Networks", and metrics/predictive_metrics.py of the
    official code. The GRU has the form of cuDNN, see ``jaxgan.nn.recurrent.gru``.

    Args:
      real: real series, [N, T, F], with T at least 2. The last feature must be in [0, 1], the range of a sigmoid; the
        official code scales each feature to this range.
      fake: generated series, [M, T, F], in the same units. The score of the real series themselves, ``fake=real``, is
        the score of a perfect generator.
      real_lengths: number of time steps of each real series, [N], integers from 2 to T. None means T.
      fake_lengths: the same for the generated series, [M].
      repeats: number of trainings with different seeds. Papers usually report 10.
      seed: seed of the initial weights and of the batches.
      steps: number of training steps; 5,000 in the protocol.
      batch_size: number of series in a step; 128 in the protocol. A smaller set is used completely in every step.

    Returns:
      The mean absolute error of a time step, averaged over the time steps of a series and over all real series, in
      [0, 1]. Lower is better.

    Raises:
      ValueError: if a set has the wrong shape or type, if sets have different T or F, if a value is not finite, if
        the last feature of a real series is outside of [0, 1], or if a number is out of range.
    """
    real, fake = as_series(real, fake, least=1, least_steps=2)
    lengths = _lengths(real, real_lengths, "real", 2), _lengths(fake, fake_lengths, "fake", 2)
    _check_counts(repeats=repeats, steps=steps, batch_size=batch_size)
    low, high = real[..., -1].min(), real[..., -1].max()
    if low < 0 or high > 1 + 1e-6:
        raise ValueError(
            f"The last feature of `real` must be from 0 to 1, got {low:.4g} to {high:.4g}. Scale both sets with the "
            "minimum and the maximum of the real series."
        )
    rng = np.random.default_rng(seed)
    everything = np.tile(np.arange(len(fake)), (repeats, 1))
    module = _Predictor(max(real.shape[2] // 2, 1))
    keys = jax.random.split(jax.random.key(seed), repeats)
    batches = _batches(rng, everything, steps, batch_size)
    scores = np.asarray(_predict(module, keys, (fake, lengths[1]), batches, (real, lengths[0])))
    require_finite(*scores)
    return SeriesScore(float(scores.mean()), float(scores.std()))


def autocorrelation_distance(real: np.ndarray, fake: np.ndarray, *, max_lag: int | None = None) -> float:
    """Return the distance between the autocorrelations of real and of generated series.

    The autocorrelation of a feature at a lag is the mean product of two of its values at this distance in time, over
    all series and times, after subtracting the mean of the feature and dividing by its standard deviation in the set.
    The distance is the root of the mean squared difference, over the lags from 1 to ``max_lag`` and the features.

    Source: the ACF score of Ni et al. 2020 (arXiv:2006.05421), averaged over lags and features, so that the
    result does not grow with their number.

    Args:
      real: real series, [N, T, F], with T at least 2.
      fake: generated series, [M, T, F].
      max_lag: the largest lag in time steps, from 1 to T - 1. None means T - 1.

    Returns:
      The distance, from 0 for equal autocorrelations to about 2. Lower is better. A feature that is constant in a set
      has the autocorrelation 0 there.

    Raises:
      ValueError: if a set has the wrong shape or type, if sets have different T or F, if a value is not finite, or if
        ``max_lag`` is out of range.
    """
    real, fake = as_series(real, fake, least=1, least_steps=2)
    largest = real.shape[1] - 1
    lags = range(1, 1 + (largest if max_lag is None else max_lag))
    if not 1 <= len(lags) <= largest:
        raise ValueError(f"`max_lag` must be from 1 to {largest}, the number of time steps minus 1, got {max_lag}.")
    x, y = (_standardised(series) for series in (real, fake))

    def correlations(x):
        return np.stack([(x[:, lag:] * x[:, :-lag]).mean((0, 1)) for lag in lags])

    return float(np.sqrt(np.square(correlations(x) - correlations(y)).mean()))


def cross_correlation_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Return the distance between the correlations of pairs of features, of real and of generated series.

    The Pearson correlation of two features is computed over all series and time steps of a set. The distance is the
    mean absolute difference over all pairs of different features.

    Source: the cross-correlation score of Ni et al. 2020 (arXiv:2006.05421) at the lag 0, averaged over the pairs.

    Args:
      real: real series, [N, T, F], with F at least 2.
      fake: generated series, [M, T, F].

    Returns:
      The distance, from 0 for equal correlations to 2. Lower is better. A feature that is constant in a set has the
      correlation 0 there.

    Raises:
      ValueError: if a set has the wrong shape or type, if sets have different T or F, if series have a single feature,
        or if a value is not finite.
    """
    real, fake = as_series(real, fake, least=1)
    count = real.shape[2]
    if count < 2:
        raise ValueError("The cross-correlation distance requires series with at least 2 features, got 1.")
    x, y = (_standardised(series).reshape(-1, count) for series in (real, fake))
    difference = np.abs(x.T @ x / len(x) - y.T @ y / len(y))
    return float(difference[np.triu_indices(count, 1)].mean())


class _Classifier(nn.Module):
    """A GRU and a linear layer on its last state, from series [B, T, F] to logits [B]."""

    units: int

    @nn.compact
    def __call__(self, x, lengths):
        return nn.Dense(1)(GRU(self.units)(x, lengths=lengths)[:, -1])[:, 0]


class _Predictor(nn.Module):
    """A GRU and a linear layer on its states, from series [B, T, F] to predictions [B, T] in (0, 1)."""

    units: int

    @nn.compact
    def __call__(self, x, lengths):
        return nn.sigmoid(nn.Dense(1)(GRU(self.units)(x, lengths=lengths))[..., 0])


@functools.partial(jax.jit, static_argnums=0)
def _discriminate(module, keys, sets, batches, tests):
    """Train one classifier for each key, and return the score of each on its test series, [repeats]."""

    def select(indices):
        x = jnp.concatenate([x[i] for (x, _), i in zip(sets, indices)])
        if all(lengths is None for _, lengths in sets):
            return x, None
        lengths = [jnp.full(len(x), x.shape[1]) if lengths is None else lengths for x, lengths in sets]
        return x, jnp.concatenate([lengths[i] for lengths, i in zip(lengths, indices)])

    def loss(params, indices):
        logits = module.apply(params, *select(indices))
        count = indices[0].shape[0]
        return jax.nn.softplus(-logits[:count]).mean() + jax.nn.softplus(logits[count:]).mean()

    def score(key, batches, tests):
        first = select([i[0] for i in batches])
        params = _trained(module.init(key, *first), loss, batches)
        guesses = module.apply(params, *select(tests)) > 0
        count = tests[0].shape[0]
        return jnp.abs((guesses[:count].mean() + 1 - guesses[count:].mean()) / 2 - 0.5)

    return jax.vmap(score)(keys, batches, tests)


@functools.partial(jax.jit, static_argnums=0)
def _predict(module, keys, fake, batches, real):
    """Train one predictor for each key on the fakes, and return the error of each on the real series, [repeats]."""

    def errors(params, x, lengths):
        """Return the mean absolute error of each series, [B], and its number of predictions, [B]."""
        inputs = x[:, :-1, : max(x.shape[2] - 1, 1)]
        counts = jnp.full(x.shape[:1], x.shape[1] - 1) if lengths is None else lengths - 1
        found = jnp.abs(module.apply(params, inputs, None) - x[:, 1:, -1])
        valid = jnp.arange(x.shape[1] - 1)[None] < counts[:, None]
        return jnp.where(valid, found, 0).sum(1) / counts, counts

    def select(indices):
        return fake[0][indices], None if fake[1] is None else fake[1][indices]

    def loss(params, indices):
        means, counts = errors(params, *select(indices))
        return (means * counts).sum() / counts.sum()

    def score(key, batches):
        params = _trained(module.init(key, fake[0][:1, :-1, : max(fake[0].shape[2] - 1, 1)], None), loss, batches)
        return errors(params, *real)[0].mean()

    return jax.vmap(score)(keys, batches)


def _trained(params, loss, batches):
    """Train parameters with Adam; ``batches`` contains the indices of each step, [steps, B]."""
    optimizer = optax.adam(LEARNING_RATE)

    def step(carry, indices):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, indices), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), batches)[0][0]


def _batches(rng, orders, steps, batch_size):
    """Return the indices of each step, [repeats, steps, B], drawn without replacement from the rows of ``orders``."""
    count = orders.shape[1]
    size = min(batch_size, count)
    draws = [[rng.choice(count, size, replace=False) for _ in range(steps)] for _ in orders]
    return np.stack([order[np.stack(rows)] for order, rows in zip(orders, draws)]).astype(np.int32)


def _lengths(x, lengths, name, least=1):
    """Check the lengths of series and return them as int32, or None."""
    if lengths is None:
        return None
    lengths = np.asarray(lengths)
    if lengths.shape != x.shape[:1] or not np.issubdtype(lengths.dtype, np.integer):
        raise ValueError(
            f"`{name}_lengths` must be integers [{len(x)}], one for each series of `{name}`, got {lengths.dtype}"
            f"{list(lengths.shape)}."
        )
    if lengths.min() < least or lengths.max() > x.shape[1]:
        raise ValueError(
            f"`{name}_lengths` must be from {least} to {x.shape[1]}, got lengths from {lengths.min()} to "
            f"{lengths.max()}."
        )
    return lengths.astype(np.int32)


def _check_counts(**counts):
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1, got {count}.")


def _standardised(x):
    """Return series with the mean 0 and the standard deviation 1 for each feature. Constant features become 0."""
    x = x.astype(np.float64)
    x = x - x.mean((0, 1))[None, None]
    std = x.std((0, 1))[None, None]
    return x / np.where(std > 0, std, 1)
