"""Tests of the comparison of several runs, with run directories that the tests write."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from jaxgan.reporting import captions, comparison


def make_run(path, losses, pictures=(), config=None, evaluations=(), experiment="gan"):
    (path / "samples").mkdir(parents=True)
    record = {"experiment": experiment, "config": {"data": "digits", **(config or {})}, "versions": {"jaxgan": "0.1.0"}}
    (path / "config.json").write_text(json.dumps(record))
    rows = [{"step": step, "d/loss": x, "d/accuracy_real": 0.5} for step, x in enumerate(losses, 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in evaluations))
    for step, grey in pictures:
        Image.fromarray(np.full((4, 4), grey, np.uint8)).save(path / "samples" / f"step_{step:07}.png")
    return path


def contents(file):
    return json.loads(re.search(r'id="run">(.*?)</script>', file.read_text())[1])  # pyright: ignore


@pytest.fixture
def page(tmp_path):
    evaluations = [{"step": 1, "fid": 5.0}, {"step": 2, "fid": 4.0}]
    first = make_run(tmp_path / "first", [1.0, 2.0], [(0, 1), (10, 2)], {"seed": 0, "beta": 0.5}, evaluations)
    second = make_run(tmp_path / "second", [-3.0, -3.0, -3.0], [(5, 3), (10, 4)], {"seed": 1})
    out = tmp_path / "new" / "page.html"
    assert comparison.write([first, second], out) == out
    return contents(out)


def test_the_table_of_runs_has_the_settings_that_differ(page):
    table = page["members"]
    assert table["head"] == ["run", "fid", "seed", "beta", "d/loss", "d/accuracy_real"]
    assert table["rows"] == [
        ["first", "4", "0", "0.5", "1.5", "0.5"],
        ["second", "", "1", "", "\u22123", "0.5"],
    ]
    assert page["settings"] == [["experiment", "gan"], ["data", "digits"]]
    assert page["settings_title"] == "Settings that are equal in all runs"
    assert page["maker"] == "jaxgan 0.1.0, experiment gan" and page["steps"] == {"done": 3, "wanted": None}
    assert page["experiment"] == "2 runs" and page["facts"] == ["first", "second"]


def test_a_chart_has_a_line_for_each_run(page):
    charts = page["charts"]
    assert [chart["title"] for chart in charts] == ["Fr\u00e9chet distance", "Accuracy on real examples", "Loss"]
    assert all(chart["reading"] for chart in charts)
    labels = [[line["label"] for line in chart["lines"]] for chart in charts]
    assert labels == [["first"], ["first", "second"], ["first", "second"]]
    loss = charts[-1]
    assert loss["player"] == "d" and [line["curve"] for line in loss["lines"]] == ["0:d/loss", "1:d/loss"]
    assert page["curves"]["1:d/loss"]["mean"] == [-3.0] * 3
    assert charts[1]["kind"] == "share" and charts[1]["mark"]["at"] == 0.5 and charts[0]["player"] == ""


def test_the_loss_of_a_single_player_has_the_caption_of_a_single_player(tmp_path):
    runs = [make_run(tmp_path / name, []) for name in ("a", "b")]
    rows = [{"step": 1, "vae/loss": 60.0, "vae/elbo": -60.0}]
    for run in runs:
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    readings = {
        chart["title"]: chart["reading"] for chart in contents(comparison.write(runs, tmp_path / "c"))["charts"]
    }
    assert readings["Loss"] == captions.SINGLE_PLAYER_READINGS["loss"]
    assert readings["ELBO"] == captions.ELBO_READINGS["elbo"]


def test_the_caption_says_where_the_samples_are(tmp_path, page):
    assert page["members"]["caption"] == "The samples of all runs are shown below. "
    runs = [make_run(tmp_path / "a", [1.0]), make_run(tmp_path / "b", [1.0], [(1, 2)]), make_run(tmp_path / "c", [1.0])]
    shown = contents(comparison.write(runs, tmp_path / "page"))
    assert shown["members"]["caption"] == "The samples of all runs are shown below. "
    assert contents(comparison.write(runs[::2], tmp_path / "page"))["members"]["caption"] == ""


def test_each_step_has_the_sample_grids_of_both_runs(page):
    """A step has the newest grid of each run up to this step, or the first grid of a run that has no earlier one."""
    first, second, third = page["pictures"]
    assert [picture["step"] for picture in page["pictures"]] == [0, 5, 10]
    assert first["sheets"]["run_1"] == second["sheets"]["run_1"] != third["sheets"]["run_1"]
    assert first["sheets"]["run_0"] == second["sheets"]["run_0"] != third["sheets"]["run_0"]
    assert first["picture"] is second["picture"] is third["picture"] is None
    assert [sheet["title"] for sheet in page["sheets"]] == ["first", "second"]


def test_the_table_has_the_metrics_of_the_command_evaluate(tmp_path):
    runs = [make_run(tmp_path / name, [1.0], evaluations=[{"step": 1, "fid": 5.0}]) for name in "ab"]
    protocol = {"samples": {"name": "gan", "count": 9, "step": 1}, "data": {"name": "digits", "count": 9}}
    result = {"fid": 4.5, "kid": 0.25, "protocol": protocol}
    (runs[0] / "evaluation.json").write_text(json.dumps(result))
    table = contents(comparison.write(runs, tmp_path / "page"))["members"]
    assert table["head"][:3] == ["run", "fid", "kid"]
    assert [row[:3] for row in table["rows"]] == [["a", "4.5", "0.25"], ["b", "5", ""]]


def test_samples_have_the_step_of_their_own_run(tmp_path):
    runs = [make_run(tmp_path / "short", [1.0], [(0, 1), (120, 2)]), make_run(tmp_path / "long", [1.0], [(4500, 3)])]
    pictures = contents(comparison.write(runs, tmp_path / "page"))["pictures"]
    assert [picture["origins"]["run_0"] for picture in pictures] == [
        {"step": 0, "ended": False},
        {"step": 120, "ended": False},
        {"step": 120, "ended": True},
    ]
    assert pictures[0]["origins"]["run_1"] == {"step": 4500, "ended": False}  # the run has no earlier samples


def test_runs_with_the_same_name_are_named_by_their_paths(tmp_path):
    runs = [make_run(tmp_path / folder / "run", [1.0]) for folder in "ab"]
    comparison.write(runs, tmp_path / "page.html")
    assert contents(tmp_path / "page.html")["facts"] == list(map(str, runs))


def test_settings_of_an_earlier_version_are_compared_by_their_current_names(tmp_path):
    runs = [
        make_run(tmp_path / "old", [1.0], config={"latents": 8}),
        make_run(tmp_path / "new", [1.0], config={"z_dim": 8}),
    ]
    comparison.write(runs, tmp_path / "page.html")
    assert ["z_dim", "8"] in contents(tmp_path / "page.html")["settings"]


def test_a_comparison_requires_two_runs(tmp_path):
    run = make_run(tmp_path / "run", [1.0])
    with pytest.raises(ValueError, match="A comparison requires at least two runs, got 1"):
        comparison.write([run], tmp_path / "page.html")
    with pytest.raises(ValueError, match="none contains no run"):
        comparison.write([run, tmp_path / "none"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
