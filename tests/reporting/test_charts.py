"""Tests of the charts of a report: their lines, titles and order."""

import pytest

from jaxgan.reporting.charts import (
    COIN_TOSS,
    EQUILIBRIUM,
    Chart,
    Line,
    Mark,
    judges,
    players,
    run_charts,
    series_colour,
)
from jaxgan.reporting.curves import SPEED

GAN = ["d/accuracy_real", "d/accuracy_fake", "d/loss", "g/loss", "d/grad_norm"]
BESIDE = ["evaluation/fid", "doctor/swing", SPEED]


def titles(names):
    return [chart.title for chart in run_charts(names)]


def test_players_and_discriminators_are_found_from_the_names_of_metrics():
    names = [*BESIDE, *GAN, "temperature", "e/accuracy_real"]
    assert players(names) == ["d", "g", "e"] and judges(names) == ["d"]
    assert players(BESIDE) == judges(BESIDE) == []


def test_colours_repeat():
    assert series_colour(0) == series_colour(6) == "player0" and series_colour(7) == "player1"


def test_a_chart_has_lines_a_reference_value_and_a_scale():
    accuracy, loss, norm = run_charts(GAN)
    lines = [Line("d/accuracy_real", "real examples", "real"), Line("d/accuracy_fake", "fakes", "fake")]
    assert accuracy == Chart("Accuracy", lines, accuracy.reading, "share", "d", COIN_TOSS)
    assert loss.lines == [Line("d/loss", "d", "player0"), Line("g/loss", "g", "player1")] and loss.kind == "linear"
    assert norm.kind == "log" and norm.player == "" and norm.mark is None


def test_the_reference_of_the_value_is_the_equilibrium():
    (chart,) = run_charts(["d/value"])
    assert chart.mark == Mark(EQUILIBRIUM, "\u2212log 4 = \u22121.386") and chart.player == "d"


def test_metrics_of_evaluations_have_a_chart_each_but_precision_and_recall_share_one():
    names = [f"evaluation/{x}" for x in ("precision", "kid", "kid_std", "recall", "fid")]
    charts = run_charts(names)
    assert [[line.label for line in chart.lines] for chart in charts] == [["kid"], ["fid"], ["precision", "recall"]]
    assert charts[-1].title == "Precision, recall, density, coverage"


def test_charts_of_the_training_monitor():
    names = [f"doctor/{x}" for x in ("diversity", "nearest", "moved/g", "moved/d", "over_held_out/d", "over_fakes/d")]
    diversity, moved, memory = run_charts(names)
    assert [line.label for line in diversity.lines] == ["diversity", "nearest"]
    assert diversity.mark == Mark(1, "real examples")
    assert [line.label for line in moved.lines] == ["g", "d"] and moved.kind == "log"
    assert [line.label for line in memory.lines] == ["over_held_out/d", "over_fakes/d"]


def test_a_metric_without_a_player_has_its_own_chart():
    (chart,) = run_charts(["temperature"])
    assert chart.lines == [Line("temperature", "temperature", "ink")]
    (chart,) = run_charts(["score_real"])
    assert chart.title == "Score" and chart.lines == [Line("score_real", "real examples", "real")]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (
            [*BESIDE, *GAN, "d/logits_real"],
            [
                "Accuracy",
                "Fr\u00e9chet distance",
                "Logits",
                "Loss",
                "Gradient norm",
                "Movement of the samples",
                "Speed",
            ],
        ),
        (
            ["d/grad_norm", "d/r1", "d/value", "d/loss", "d/score_fake"],
            ["Value V(D, G)", "Loss", "Score", "R1", "Gradient norm"],
        ),
        (["vae/loss", "vae/kl", "vae/elbo", "vae/other"], ["ELBO", "KL divergence", "Loss", "Other"]),
        ([], []),
    ],
)
def test_the_order_of_charts(names, order):
    assert titles(names) == order
