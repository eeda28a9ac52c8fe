"""Tests of the Inception Score, with logits of a known score, and with torch-fidelity."""

import numpy as np
import pytest

from jaxgan.metrics import InceptionScore, inception_score


@pytest.mark.parametrize("classes", [2, 10])
def test_certain_and_uniform_classifications_have_the_maximum(classes):
    """The maximum is the number of classes."""
    logits = 100 * np.eye(classes)[np.arange(50 * classes) % classes]
    found = inception_score(logits, splits=5, seed=None)
    assert found.mean == pytest.approx(classes, rel=1e-12)
    assert found.std == pytest.approx(0, abs=1e-12)


def test_one_class_and_uncertain_classifications_have_the_minimum():
    """The minimum is 1, for samples of one class and for a classifier that is never certain."""
    assert inception_score(100 * np.eye(4)[np.zeros(80, int)]).mean == pytest.approx(1)
    assert inception_score(np.zeros((80, 4))).mean == pytest.approx(1)


def test_the_score_is_the_exponential_of_the_entropy():
    """One class has a quarter of the samples, the other has three quarters."""
    logits = 100 * np.eye(2)[np.arange(400) % 4 // 3]
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert inception_score(logits, splits=1).mean == pytest.approx(np.exp(entropy))


def test_the_score_agrees_with_torch_fidelity():
    """The expected value was computed by isc_features_to_metric of version 0.4.0, which uses the same order."""
    logits = 3 * np.random.RandomState(3).normal(size=(600, 24)).astype(np.float32)
    found = inception_score(logits, splits=5)
    assert found == InceptionScore(mean=pytest.approx(5.91852957, rel=1e-7), std=pytest.approx(0.21355594, rel=1e-6))


def test_invalid_logits_raise_and_small_splits_warn():
    with pytest.raises(ValueError, match="`splits` must be from 1 to 5, the number of samples, got 10"):
        inception_score(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"Features must be \[N, D\] .* got shapes \(5,\)"):
        inception_score(np.zeros(5))
    with pytest.raises(ValueError, match="`logits` must be finite, but 1 of its 20 examples"):
        inception_score(np.where(np.arange(20)[:, None] == 3, np.nan, np.zeros((20, 2))))
    with pytest.warns(UserWarning, match="With 60 samples in 10 splits, a split has fewer samples than the 10 classes"):
        inception_score(np.zeros((60, 10)))
