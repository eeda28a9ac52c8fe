"""Tests of epsilon against a published tutorial and published formulas, and of refused arguments."""

import sys

import numpy as np
import pytest

from jaxgan.games.accounting import Epsilon, compute_epsilon, describe_epsilon


def subsampled_rdp(noise, rate, order):
    """Return the Renyi divergence for an integer order (Mironov, Talwar, Zhang 2019, section 3.3)."""
    k = np.arange(order + 1)
    choose = np.concatenate([[0], np.cumsum(np.log((order - k[:-1]) / (k[:-1] + 1)))])
    logs = choose + k * np.log(rate) + (order - k) * np.log1p(-rate) + (k**2 - k) / (2 * noise**2)
    return np.logaddexp.reduce(logs) / (order - 1)


def test_epsilon_agrees_with_the_tutorial_of_tensorflow_privacy():
    """The tutorial reports 2.92 for MNIST, noise multiplier 1.12, batches of 256, 60 epochs and delta 1e-5.

    See https://github.com/tensorflow/privacy/tree/master/tutorials. It uses the conversion of Mironov 2017, proposition
    3. Today's conversion is tighter (Canonne et al. 2020, proposition 12).
    """
    delta, steps = 1e-5, 60 * 60_000 // 256
    rdp = np.array([[order, steps * subsampled_rdp(1.12, 256 / 60_000, order)] for order in range(2, 64)])
    orders, spends = rdp.T
    assert min(spends + np.log(1 / delta) / (orders - 1)) == pytest.approx(2.92, abs=0.005)
    tight = min(spends + np.log1p(-1 / orders) - np.log(delta * orders) / (orders - 1))
    found = compute_epsilon(noise_multiplier=1.12, delta=delta, examples=60_000, batch_size=256, steps=steps, uses=(1,))
    assert found.sampled == pytest.approx(tight, rel=0.01) and found.sampled < 2.6


def test_epsilon_of_shuffled_batches_counts_how_often_an_example_is_used():
    def gaussian(squares, noise, delta):
        orders = np.arange(1.01, 64, 0.01)
        return min(orders * squares / (2 * noise**2) + np.log1p(-1 / orders) - np.log(delta * orders) / (orders - 1))

    whole_epochs = {"noise_multiplier": 4.0, "delta": 1e-5, "examples": 1000, "batch_size": 100}
    assert compute_epsilon(**whole_epochs, steps=50, uses=(1,)).shuffled == pytest.approx(
        gaussian(5, 4.0, 1e-5), rel=0.01
    )
    # A batch that spans two epochs can contain an example twice.
    spanning = {**whole_epochs, "batch_size": 64}
    assert compute_epsilon(**spanning, steps=50, uses=(1,)).shuffled == pytest.approx(gaussian(8, 4.0, 1e-5), rel=0.01)
    both = compute_epsilon(**whole_epochs, steps=50, uses=(2,))
    assert both.shuffled == pytest.approx(gaussian(10, 4.0, 1e-5), rel=0.01)
    one = compute_epsilon(**whole_epochs, steps=50, uses=(1,))
    assert one.sampled < both.sampled
    assert compute_epsilon(
        **{**whole_epochs, "noise_multiplier": 4.0 / np.sqrt(2)}, steps=50, uses=(1,)
    ).sampled == pytest.approx(both.sampled)
    # Five turns of the critic use five batches. A turn without private players uses none.
    five = compute_epsilon(**whole_epochs, steps=10, uses=(1,) * 5)
    assert five.sampled == pytest.approx(one.sampled)
    changing = compute_epsilon(**whole_epochs, steps=20, uses={(1, 1): 10, (1, 0): 10})
    assert changing.sampled == pytest.approx(compute_epsilon(**whole_epochs, steps=30, uses=(1,)).sampled)
    assert compute_epsilon(**{**whole_epochs, "noise_multiplier": 0.0}, steps=50, uses=(1,)) == (np.inf, np.inf)
    assert compute_epsilon(**whole_epochs, steps=50, uses=(0,)) == (0, 0)


def test_epsilon_of_impossible_numbers_is_refused(monkeypatch):
    usual = {"noise_multiplier": 1.0, "delta": 1e-5, "examples": 1000, "batch_size": 64, "steps": 10, "uses": (1,)}
    with pytest.raises(ValueError, match=r"`delta` must be above 0 and below 1 / 1000 = 1.0e-03, got 0.01"):
        compute_epsilon(**{**usual, "delta": 0.01})
    with pytest.raises(
        ValueError, match=r"A step uses 1280 examples, but the data set has only 1000.*`batch_size` must be at most 50"
    ):
        compute_epsilon(**{**usual, "uses": (1,) * 20})
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(ValueError, match=r"private training requires dp-accounting.*pip install 'jaxgan\[privacy\]'"):
        compute_epsilon(**usual)


def test_the_description_of_epsilon_contains_all_numbers():
    text = describe_epsilon(("d", "g"), Epsilon(1.234, 56.789), 1e-5, noise_multiplier=0.5, l2_clip=2.0, steps=12_000)
    for part in ("'d', 'g'", "clipping norm 2 and noise multiplier 0.5", "12,000 steps", "at most 56.79"):
        assert part in text
    assert "epsilon is 1.23 at delta 1e-05" in text
