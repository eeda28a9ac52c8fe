"""Tests of the metrics of series, with the published scores of sines, and with values that were calculated manually."""

import numpy as np
import pytest

from jaxgan.metrics import (
    SeriesScore,
    autocorrelation_distance,
    cross_correlation_distance,
    discriminative_score,
    predictive_score,
    series,
)

RNG = np.random.default_rng(0)


def sines(count, seed, steps=24, features=5):
    """Return the sines of Yoon et al. 2019: frequencies and phases are uniform in [0, 0.1], values are in [0, 1]."""
    frequency, phase = np.random.default_rng(seed).uniform(0, 0.1, (2, count, 1, features))
    return (np.sin(frequency * np.arange(steps)[None, :, None] + phase) + 1) / 2


@pytest.mark.slow
def test_scores_of_sines_are_the_published_ones():
    """Yoon et al. 2019, table 2: the predictive score of the original sines is 0.094 with a deviation of 0.001."""
    real, other = sines(10_000, 0), sines(10_000, 1)
    assert discriminative_score(real, other).mean <= 0.03
    assert discriminative_score(real, RNG.uniform(size=real.shape)).mean > 0.48
    assert predictive_score(real, other).mean == pytest.approx(0.093, abs=0.003)


@pytest.mark.integration
def test_the_discriminative_score_separates_other_series_and_not_the_data():
    real, other = sines(300, 0, 4, 4), sines(200, 1, 4, 4)
    options = {"steps": 400, "repeats": 2}
    equal = discriminative_score(real, other, **options)
    assert equal.mean < 0.15 < 0.45 < discriminative_score(real, other - 4, **options).mean <= 0.5
    assert equal == discriminative_score(real, other, **options)
    assert equal != discriminative_score(real, other, seed=1, **options)
    assert isinstance(equal, SeriesScore) and equal.std > 0


@pytest.mark.integration
def test_guessing_has_the_score_0_for_sets_of_different_sizes():
    assert discriminative_score(np.full((40, 2, 1), 0.5), np.full((10, 2, 1), 0.5), steps=1).mean == 0


@pytest.mark.integration
def test_the_predictive_score_compares_predictions_with_real_series():
    """The last feature is the first one a step before, so that it can be predicted from series with this property."""
    first = RNG.uniform(size=(300, 5, 1))
    real = np.concatenate([first, np.roll(first, 1, axis=1)], -1)
    noise = RNG.uniform(size=real.shape)
    options = {"steps": 1500, "batch_size": 64}
    good, bad = (predictive_score(real, fake, **options).mean for fake in (real, noise))
    # The median of uniform numbers has the mean absolute error 1/4.
    assert good < 0.15 < 0.23 < bad < 0.3
    # A single feature is predicted from its own past.
    assert predictive_score(np.full((9, 5, 1), 0.5), np.full((9, 5, 1), 0.5), steps=9).mean < 0.3


@pytest.mark.integration
def test_time_steps_after_the_end_of_a_series_do_not_count():
    real, fake = sines(400, 0, 4, 3), sines(300, 1, 4, 3)
    lengths = {"real_lengths": RNG.integers(2, 4, 400), "fake_lengths": RNG.integers(2, 4, 300)}
    changed_real, changed_fake = real.copy(), fake.copy()
    for x, n in ((changed_real, lengths["real_lengths"]), (changed_fake, lengths["fake_lengths"])):
        x[np.arange(4)[None] >= n[:, None]] = 0.77
    for score in (discriminative_score, predictive_score):
        found = score(real, fake, steps=5, **lengths)
        assert found == score(changed_real, changed_fake, steps=5, **lengths)
    assert found != predictive_score(real, fake, steps=5)
    complete = discriminative_score(real, fake, steps=5, fake_lengths=np.full(300, 4))
    assert complete == discriminative_score(real, fake, steps=5)


@pytest.mark.integration
def test_the_classifier_does_not_read_beyond_the_end_of_a_series():
    real, fake = np.full((2, 50, 4, 2), 0.5)
    fake[:, 2:] = 5
    options = {"steps": 1500, "real_lengths": np.full(50, 2)}
    assert discriminative_score(real, fake, fake_lengths=np.full(50, 2), **options).mean == 0
    assert discriminative_score(real, fake, fake_lengths=np.full(50, 4), **options).mean == 0.5


def test_training_series_are_not_test_series(monkeypatch):
    def check(module, keys, sets, batches, tests):
        for (x, _), trained, tested in zip(sets, batches, tests):
            assert len(x) == 20 and tested.shape == (1, 4)
            assert {*trained.ravel(), *tested.ravel()} == {*range(20)}
            assert not {*trained.ravel()} & {*tested.ravel()}
        return [0.25]

    monkeypatch.setattr(series, "_discriminate", check)
    assert discriminative_score(RNG.normal(size=(20, 3, 1)), RNG.normal(size=(20, 3, 1))) == (0.25, 0)


def test_batches_contain_different_series_of_their_own_part():
    orders = np.stack([np.random.default_rng(i).permutation(20)[:9] for i in range(2)])
    batches = series._batches(np.random.default_rng(0), orders, 50, 4)
    assert batches.shape == (2, 50, 4)
    for rows, order in zip(batches, orders):
        assert set(rows.ravel()) == set(order)
        assert all(len(set(row)) == 4 for row in rows)
    assert series._batches(np.random.default_rng(0), orders, 2, 100).shape == (2, 2, 9)


def test_the_autocorrelation_distance_of_a_sequence_that_was_calculated_manually():
    """An alternating sequence has the autocorrelations -1, 1, -1, and pairs of equal values have 1/3, -1, -1."""
    alternating = np.array([1.0, -1, 1, -1]).reshape(1, 4, 1)
    pairs = np.array([1.0, 1, -1, -1]).reshape(1, 4, 1)
    expected = np.sqrt(((-1 - 1 / 3) ** 2 + (1 + 1) ** 2 + 0) / 3)
    assert autocorrelation_distance(alternating, 5 + 3 * pairs) == pytest.approx(expected)
    assert autocorrelation_distance(alternating, pairs, max_lag=1) == pytest.approx(4 / 3)
    assert autocorrelation_distance(pairs, pairs) == 0
    # A constant feature has the autocorrelation 0.
    assert autocorrelation_distance(alternating, np.full((1, 4, 1), 0.1)) == pytest.approx(1)


def test_the_cross_correlation_distance_agrees_with_numpy():
    real, fake = RNG.normal(size=(2, 6, 7, 3))
    real[..., 1] += real[..., 0]
    x, y = (np.corrcoef(a.reshape(-1, 3).T) for a in (real, fake))
    expected = np.mean([abs(x[i, j] - y[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert cross_correlation_distance(real, fake) == pytest.approx(expected, rel=1e-5)
    signs = np.array([1.0, -1.0])[None, None]
    assert cross_correlation_distance(real[..., :1] * signs, real[..., :1] * signs**2) == pytest.approx(2)


METRICS = discriminative_score, predictive_score, autocorrelation_distance, cross_correlation_distance


@pytest.mark.parametrize("metric", METRICS)
def test_invalid_series_raise(metric):
    x = np.full((6, 4, 2), 0.5)
    for real, fake, message in (
        (x, x[:, :3], r"the same number of time steps T and of features F, got the shapes \(6, 4, 2\) and \(6, 3, 2\)"),
        (x[0], x[0], r"must be \[N, T, F\] .* got the shapes \(4, 2\)"),
        (x, x > 0, r"`fake` must be an array of real numbers, \[N, T, F\], got bool"),
        (
            x,
            x * [[[np.nan]], *[[[1]]] * 5],
            r"1 of its 6 series have NaN or infinite values\. The first is number 0 \(from 0\)",
        ),
        (x, x[:0], "`fake` must have at least . series, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            metric(real, fake)


def test_invalid_arguments_raise():
    x = np.full((6, 4, 2), 0.5)
    one, short = x[..., :1], x[:, :1]
    for call, message in (
        (lambda: discriminative_score(x, x[:4]), "`fake` must have at least 5 series, got 4"),
        (lambda: discriminative_score(x, x, repeats=0), "`repeats` must be at least 1, got 0"),
        (lambda: predictive_score(x, x, steps=0), "`steps` must be at least 1, got 0"),
        (lambda: predictive_score(x + 1, x), r"last feature of `real` must be from 0 to 1, got 1\.5 to 1\.5\. Scale"),
        (lambda: predictive_score(short, short), "Series must have at least 2 time steps, got 1"),
        (lambda: predictive_score(x, x, real_lengths=np.ones(6, int)), "must be from 2 to 4, got lengths from 1 to 1"),
        (
            lambda: discriminative_score(x, x, fake_lengths=np.ones(6)),
            r"`fake_lengths` must be integers \[6\], one for each series of `fake`, got float64\[6\]",
        ),
        (lambda: autocorrelation_distance(x, x, max_lag=4), "`max_lag` must be from 1 to 3, .* got 4"),
        (lambda: cross_correlation_distance(one, one), "at least 2 features, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
