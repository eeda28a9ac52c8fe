"""Evaluation of samples that are not images: by the command, during training, and with metrics of an experiment."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from helpers import games, programs

from jaxgan.evaluation import METRICS, ArrayFeatures, Metric
from jaxgan.experiment import quality
from jaxgan.media import Medium
from jaxgan.training.evaluator import Evaluator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("few_at_a_time")]
quiet = pytest.mark.filterwarnings("ignore:.*is singular|.*only copies|.*uses subsets|.*meaningless|.*below 0")


EXAMPLES = {
    "points": np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32),
    "gan3d": np.random.default_rng(0).integers(0, 2, (90, 8, 8, 8, 1)).astype(np.uint8) * 255,
}


@quiet
@pytest.mark.parametrize(("experiment", "name"), [("points", "points"), ("gan3d", "voxels")])
def test_points_and_voxels_are_evaluated_by_their_coordinates(experiment, name, tmp_path, capsys):
    np.savez(tmp_path / "data.npz", images=EXAMPLES[experiment])
    path = programs.begun(tmp_path / "run", experiment, data=str(tmp_path / "data.npz"))
    code, text = programs.run(capsys, "evaluate", "--run-dir", path, "--count", 60, experiment=experiment)
    assert code == 0, text
    found = json.loads((path / "evaluation.json").read_text())
    figures = {f"fd_{name}", f"kd_{name}", f"kd_{name}_std", "precision", "recall", "density", "coverage"}
    assert set(found) == {*figures, "protocol"} and found[f"fd_{name}"] > 0
    assert found["protocol"]["features"] == name and found["protocol"]["samples"]["count"] == 60
    for flags, message in (
        (("--metrics", "is"), "--metrics must be one or more of fid, kid, prdc, authenticity, got is."),
        (("--features", "random"), f"--features must be {name} for"),
        (("--weights", "none.pth"), "--weights are for Inception's features of images"),
    ):
        code, text = programs.run(capsys, "evaluate", "--run-dir", path, *flags, experiment=experiment)
        assert code == 2 and message in text and "Traceback" not in text, text


@quiet
def test_checkpoints_of_points_are_ranked_by_the_distance_of_their_coordinates(tmp_path, capsys):
    flags = ["--run-dir", tmp_path / "run", "--evaluate-every", 2, "--evaluate-count", 20, *programs.tiny("points")]
    np.savez(tmp_path / "data.npz", images=EXAMPLES["points"])
    flags += ["--data", tmp_path / "data.npz", "--devices", 1]
    code, text = programs.run(capsys, "--steps", 4, *flags, experiment="points")
    assert code == 0, text
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert [set(row) for row in rows] == [{"step", "fd_points", "protocol"}] * 2
    report = (tmp_path / "run" / "report.html").read_text()
    assert "fd_points" in report and "Fr\\u00e9chet distance" in report


def spread(samples, data):
    return {"spread": float(samples.arrays["image"].std() / data.arrays["image"].std())}


def test_an_experiment_adds_metrics_and_replaces_the_features_of_its_medium():
    asked = []

    def features(source, name=None, **options):
        asked.append((len(source), name, options["resize"]))
        return ArrayFeatures("mine")

    metrics = {"spread": Metric(spread, needs=("arrays",), higher_is_better=True)}
    experiment = dataclasses.replace(games.points_experiment(), metrics=metrics, features=features)
    assert list(experiment.all_metrics) == ["fid", "kid", "prdc", "authenticity", "spread"]
    state = experiment.game.init(jax.random.key(0))
    made = experiment.make_features("any", resize="clean")
    assert asked == [(len(experiment.source), "any", "clean")]
    found = quality.evaluate(experiment, state, ["fid", "spread"], made, count=40)
    assert {"fd_mine", "spread"} < set(found)
    samples = quality.SampleSource(experiment, state, 40, 0, "samples").read(np.arange(40))["image"]
    real = experiment.source.read(np.arange(len(experiment.source)))["image"]
    assert found["spread"] == pytest.approx(samples.std() / real.std(), rel=1e-6)
    assert quality.ranking_score(found, "spread", experiment.all_metrics) == -found["spread"]
    assert not quality.needs_features(quality.choose_metrics(experiment, ["spread"]))
    with pytest.raises(ValueError, match="must be one or more of fid, kid, prdc, authenticity, spread, got l1"):
        quality.choose_metrics(experiment, ["l1"])


def test_metrics_that_train_are_not_rehearsed_and_those_of_labels_require_them():
    called = []

    def trained(samples, data):
        called.append(samples)
        return {"trained": 1.0}

    experiment = dataclasses.replace(
        games.points_experiment(),
        metrics={
            "trained": Metric(trained, needs=(), trains=True),
            "quick": Metric(trained, needs=()),
            "by_class": Metric(trained, needs=(), needs_labels=True),
        },
    )
    state = experiment.game.init(jax.random.key(0))
    Evaluator(experiment, ["trained"], None, 20, 0).rehearse(state)
    assert not called
    with pytest.raises(ValueError, match="`metrics` by_class requires labels, but the samples of this experiment"):
        Evaluator(experiment, ["by_class"], None, 20, 0).rehearse(state)
    assert Evaluator(experiment, ["trained"], None, 20, 0)(2, {0: state}, 1) == 1.0 and len(called) == 1
    with pytest.raises(KeyError):  # the metric does not return a number of its name
        Evaluator(experiment, ["quick"], None, 20, 0)(2, {0: state}, 1)


def test_a_medium_without_metrics_says_so():
    experiment = dataclasses.replace(games.points_experiment(), medium=Medium())
    with pytest.raises(ValueError, match=r"cannot be evaluated, because no metrics are defined for examples. Pass"):
        quality.default_metrics(experiment)
    added = dataclasses.replace(experiment, metrics={"fid": METRICS["fid"]})
    assert quality.default_metrics(added) == ("fid",)
    with pytest.raises(ValueError, match="no features are defined for examples"):
        added.make_features()
