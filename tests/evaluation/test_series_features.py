"""Tests of the features of series: corruptions are what they are called, and distances grow with the difference."""

import jax
import numpy as np
import pytest

from jaxgan import data
from jaxgan.data.series import sines
from jaxgan.evaluation import series_features
from jaxgan.evaluation.series_features import (
    CORRUPTIONS,
    SeriesClassifier,
    SeriesFeatures,
    corrupt,
    train_series_features,
)
from jaxgan.metrics import frechet_distance, moments


def test_corruptions_are_as_documented():
    x = np.random.default_rng(0).normal(size=(400, 5, 3)).astype(np.float32)
    corrupted, kinds = (np.asarray(a) for a in jax.jit(corrupt)(jax.random.key(0), x))
    assert set(kinds.tolist()) == set(range(CORRUPTIONS))
    by_kind = [np.flatnonzero(kinds == kind) for kind in range(CORRUPTIONS)]
    np.testing.assert_array_equal(corrupted[by_kind[0]], x[by_kind[0], ::-1])
    shuffled = corrupted[by_kind[1]]
    np.testing.assert_array_equal(np.sort(shuffled, 1), np.sort(x[by_kind[1]], 1))
    assert (shuffled != x[by_kind[1]]).any((1, 2)).mean() > 0.9
    assert all((shuffled[i][None] == x[by_kind[1]][i][:, None]).all(-1).any(0).all() for i in range(5))  # whole rows
    for c in range(3):
        assert all((column == x[..., c]).all(1).any() for column in corrupted[by_kind[2]][..., c])
    assert not (corrupted[by_kind[2]] == x[by_kind[2]]).all((1, 2)).any()
    assert abs((corrupted[by_kind[3]] - x[by_kind[3]]).std() - series_features.NOISE) < 0.02
    assert abs(np.corrcoef(corrupted[by_kind[4]].ravel(), x[by_kind[4]].ravel())[0, 1]) < 0.1


@pytest.mark.integration
def test_distances_of_features_grow_with_the_difference(monkeypatch):
    monkeypatch.setattr(series_features, "STEPS", 100)
    jax.clear_caches()
    x = 1000 * sines(1200, steps=8, columns=2)
    labels = (x[:, -1, 0] > 900).astype(int)
    steps = []
    features = train_series_features(
        data.NamedArrays({"series": x[:800], "label": labels[:800]}, "sines"), progress=lambda *a: steps.append(a)
    )
    assert isinstance(features, SeriesFeatures)
    assert (features.protocol["features"], features.protocol["trained_on"]) == ("classifier", "sines")
    assert features.protocol["accuracy"] > 0.6  # of seven classes
    assert [step[1:] for step in steps] == [(0, 100, "steps"), (100, 100, "steps")]
    found = features(x[:300])
    assert (found.shape, found.dtype) == ((300, 64), np.float32)
    assert abs(np.sqrt(np.square(features(x[:800])).mean()) - 1) < 0.1
    np.testing.assert_allclose(features(x[:5]), found[:5], atol=1e-5)  # also in an incomplete batch
    np.testing.assert_array_equal(features.unrounded(x[:5]), features(x[:5]))
    assert (features.logits(x[800:]).argmax(1) == labels[800:]).mean() > 0.8
    distances = [
        frechet_distance(moments(features(x[:800])), moments(features(y)))
        for y in (
            x[800:],
            x[800:] + np.random.default_rng(0).normal(0, 60, x[800:].shape),
            x[800:, ::-1],
            1000 - x[800:, ::2].repeat(2, 1),
        )
    ]
    assert distances[0] < 0.2 * min(distances[1:])


def test_features_need_no_labels_but_some_series():
    key, x = jax.random.key(0), np.zeros((2, 4, 1))
    (features, logits), _ = jax.eval_shape(lambda: SeriesClassifier(3).init_with_output(key, x))
    assert (features.shape, logits.shape) == ((2, 64), (2, 3))
    with pytest.raises(ValueError, match="requires at least 20 series, arrays has 9"):
        train_series_features(data.NamedArrays({"series": np.zeros((9, 4, 1))}))


@pytest.mark.integration
def test_a_trained_classifier_is_cached_for_the_same_data(monkeypatch, tmp_path):
    monkeypatch.setattr(series_features, "STEPS", 5)
    jax.clear_caches()
    x, steps = sines(60, steps=8, columns=2), []

    def train(series):
        source = data.NamedArrays({"series": series}, "sines")
        return train_series_features(source, cache=tmp_path, progress=lambda *a: steps.append(a))

    first = train(x)
    assert len(steps) == 2
    again = train(x)
    assert len(steps) == 2 and again.protocol == first.protocol
    np.testing.assert_array_equal(again(x), first(x))
    np.testing.assert_array_equal(again.mean, first.mean)
    changed = train(x[::-1])
    assert len(steps) == 4 and changed.protocol["weights"] != first.protocol["weights"]
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    assert train(x).protocol == first.protocol
    assert len(steps) == 6
