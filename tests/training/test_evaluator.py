"""How checkpoints are ranked, also in runs that an earlier version began."""

import types

import jax
import pytest
from helpers import games

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
def test_a_resumed_run_of_an_earlier_version_still_compares_its_scores(metrics, features, count, seed, by):
    """The identifiers are those that jaxgan wrote before figures were named after their features."""
    experiment = types.SimpleNamespace(sampler=lambda: None)  # nothing is drawn here
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
def test_the_lower_score_is_the_better_checkpoint(metric, figure, protocol, sign):
    assert ranking_score({"recall": 7.0, figure: 2.5, "protocol": protocol}, metric) == sign * 2.5


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["prdc"], "`count` must be at least 6 for prdc, got 4."),
        (["cas"], "`metrics` cas compares labels, and samples of this experiment have none."),
    ],
)
def test_what_cannot_be_measured_is_refused_before_training(metrics, message):
    experiment = games.points_experiment()
    evaluator = Evaluator(experiment, metrics, types.SimpleNamespace(protocol=CLASSIFIER), 4, 0)  # pyright: ignore
    with pytest.raises(ValueError) as error:
        evaluator.rehearse(experiment.game.init(jax.random.key(0)))
    assert str(error.value) == message
