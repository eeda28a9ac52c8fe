"""Tests of the evaluator: the ranking of checkpoints, and metrics that cannot be computed."""

import dataclasses
import types

import jax
import pytest
from helpers import games

from jaxgan import media
from jaxgan.evaluation import metric_names
from jaxgan.experiment.quality import ranking_score
from jaxgan.training.evaluator import Evaluator

CLASSIFIER = {"features": "classifier", "trained_on": "digits train", "accuracy": 0.975, "weights": "ab" * 32}


@pytest.mark.parametrize(
    ("metrics", "features", "count", "seed", "by"),
    [
        (["fid", "prdc"], types.SimpleNamespace(protocol=CLASSIFIER), 16, 3, "e296d1a131659fc7"),
        (["psnr"], None, None, 0, "9caf8a45c51b6ca5"),
    ],
)
def test_the_identifier_of_a_ranking_is_the_same_as_in_earlier_versions(metrics, features, count, seed, by):
    """A run that an earlier version started can be resumed, and its scores are still compared.

    The expected identifiers were written before the names of metrics contained the name of the features.
    """
    experiment = types.SimpleNamespace(sampler=lambda batch_size: None)  # this test generates no samples
    assert Evaluator(experiment, metrics, features, count, seed).by == by  # pyright: ignore


@pytest.mark.parametrize(
    ("metric", "figure", "protocol", "sign"),
    [
        ("fid", "fd_classifier", CLASSIFIER, 1),
        ("fid", "fid_768", {"features": metric_names.INCEPTION, "layer": 768}, 1),
        ("kid", "kd_classifier", CLASSIFIER, 1),
        ("is", "is_classifier", CLASSIFIER, -1),
        ("prdc", "precision", CLASSIFIER, -1),
        ("ppl", "ppl_classifier", CLASSIFIER, 1),
        ("l1", "l1", {}, 1),
        ("psnr", "psnr", {}, -1),
    ],
)
def test_the_ranking_score_is_lower_for_better_checkpoints(metric, figure, protocol, sign):
    assert ranking_score({"recall": 7.0, figure: 2.5, "protocol": protocol}, metric) == sign * 2.5


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["prdc"], "`count` must be at least 6 for prdc, got 4."),
        (["cas"], "`metrics` cas requires labels, but the samples of this experiment have no labels."),
    ],
)
def test_rehearse_raises_for_metrics_that_cannot_be_computed(metrics, message):
    experiment = dataclasses.replace(games.points_experiment(), medium=media.Images())
    evaluator = Evaluator(experiment, metrics, types.SimpleNamespace(protocol=CLASSIFIER), 4, 0)  # pyright: ignore
    with pytest.raises(ValueError) as error:
        evaluator.rehearse(experiment.game.init(jax.random.key(0)))
    assert str(error.value) == message
