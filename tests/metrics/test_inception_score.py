"""The Inception Score of classifications whose score is known, and against torch-fidelity's figure."""

import numpy as np
import pytest

from jaxgan.metrics import InceptionScore, inception_score


@pytest.mark.parametrize("classes", [2, 10])
def test_sure_of_all_classes_alike(classes):
    """Its maximum: the number of classes."""
    logits = 100 * np.eye(classes)[np.arange(50 * classes) % classes]
    found = inception_score(logits, splits=5, seed=None)
    assert found.mean == pytest.approx(classes, rel=1e-12)
    assert found.std == pytest.approx(0, abs=1e-12)


def test_its_minimum():
    """1: of one class alone, and of a classifier that is never sure."""
    assert inception_score(100 * np.eye(4)[np.zeros(80, int)]).mean == pytest.approx(1)
    assert inception_score(np.zeros((80, 4))).mean == pytest.approx(1)


def test_two_classes_unevenly():
    """A quarter of one, three quarters of the other: exp of the entropy."""
    logits = 100 * np.eye(2)[np.arange(400) % 4 // 3]
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert inception_score(logits, splits=1).mean == pytest.approx(np.exp(entropy))


def test_torch_fidelitys_figure():
    """Of the same logits, with torch-fidelity 0.4.0's isc_features_to_metric: its order is this one."""
    logits = 3 * np.random.RandomState(3).normal(size=(600, 24)).astype(np.float32)
    found = inception_score(logits, splits=5)
    assert found == InceptionScore(mean=pytest.approx(5.91852957, rel=1e-7), std=pytest.approx(0.21355594, rel=1e-6))


def test_errors():
    with pytest.raises(ValueError, match="`splits` must be from 1 to 5, the number of samples, got 10"):
        inception_score(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"Features must be \[N, D\] .* got shapes \(5,\)"):
        inception_score(np.zeros(5))
    with pytest.raises(ValueError, match="`logits` must be finite, but 1 of its 20 examples"):
        inception_score(np.where(np.arange(20)[:, None] == 3, np.nan, np.zeros((20, 2))))
    with pytest.warns(UserWarning, match="60 samples in 10 splits: each has fewer than the 10 classes"):
        inception_score(np.zeros((60, 10)))
