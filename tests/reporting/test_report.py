"""Tests of the report of a run: its contents, its safety and unusual inputs. The tests write the run directories."""

import base64
import io
import json
import math
import re
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.reporting import captions, curves, page as pages, pictures, report

HOSTILE = "</script><script>alert(1)</script><!--"


def row(step, **more):
    shown = {"d/accuracy_real": 0.75, "d/accuracy_fake": 0.625, "d/logits_real": 0.5, "d/logits_fake": -0.5}
    shown |= {"d/value": -1.25, "d/loss": 1.5, "d/grad_norm": 2.0, "g/loss": 0.75, "g/grad_norm": 0.5}
    return {"step": step, **shown, **more}


def run_directory(path, rows, pictures=(0, 10, 20), **config):
    """Write the directory of a run without speed.jsonl."""
    (path / "samples").mkdir(parents=True)
    record = {
        "experiment": "dcgan",
        "config": {"steps": 5000, "data": "digits", "resolution": None, **config},
        "versions": {"jaxgan": "0.1.0", "jax": "0.10.2"},
        "hardware": "1 x cpu",
    }
    (path / "config.json").write_text(json.dumps(record))
    (path / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
    for step in pictures:
        Image.fromarray(np.full((8, 8), step % 256, np.uint8)).save(path / "samples" / f"step_{step:07}.png")
    return path


class Page(HTMLParser):
    """A parsed page: its data, its scripts, and all URLs in the markup."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.scripts, self.addresses, self.inside = [], [], False
        self.feed(self.text)
        self.run = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data

    def titles(self):
        return [chart["title"] for chart in self.run["charts"]]


def page(directory):
    return Page(report.write(directory))


def test_a_report_contains_the_data_of_the_run(tmp_path):
    directory = run_directory(tmp_path, [row(i) for i in range(1, 21)])
    assert report.write(directory) == tmp_path / "report.html"
    run = page(directory).run
    assert run["experiment"] == "dcgan" and run["steps"] == {"done": 20, "wanted": 5000}
    assert run["facts"] == ["digits", "1 x cpu"]
    assert [(x["label"], x["value"]) for x in run["headline"]] == [
        ("accuracy on real examples", 0.75),
        ("accuracy on fakes", 0.625),
        ("value V(D, G)", -1.25),
    ]
    loss = run["curves"]["d/loss"]
    assert run["grids"][loss["grid"]] == list(range(1, 21)) and loss["mean"] == [1.5] * 20
    assert ["resolution", "not set"] in run["settings"] and ["jax", "0.10.2"] in run["versions"]
    assert run["maker"] == "jaxgan 0.1.0, experiment dcgan"


def test_charts_are_ordered_and_have_reference_values(tmp_path):
    charts = page(run_directory(tmp_path, [row(1, **{"d/r1": 0.1})])).run["charts"]
    assert [x["title"] for x in charts] == ["Accuracy", "Value V(D, G)", "Logits", "Loss", "R1", "Gradient norm"]
    accuracy, value, logits, loss, _, norms = charts
    assert accuracy["mark"]["at"] == 0.5 and accuracy["mark"]["label"].startswith("50 %")
    assert value["mark"]["at"] == pytest.approx(-math.log(4)) and "\u2212log 4" in value["mark"]["label"]
    for pair in (accuracy, logits):
        assert [line["colour"] for line in pair["lines"]] == ["real", "fake"]
    assert [line["curve"] for line in loss["lines"]] == ["d/loss", "g/loss"] and norms["kind"] == "log"
    assert all(x["reading"] for x in charts)


def test_all_metrics_of_any_game_are_drawn(tmp_path):
    names = ("a/loss", "b/loss", "a/cycle", "b/cycle", "a/score_real", "a/score_fake", "b/grad_norm", "temperature")
    run = page(run_directory(tmp_path, [{"step": 1, **dict.fromkeys(names, 1.0)}], pictures=())).run
    assert [x["title"] for x in run["charts"]] == ["Loss", "Score", "Cycle", "Temperature", "Gradient norm"]
    drawn = [line["curve"] for chart in run["charts"] for line in chart["lines"]]
    assert sorted(drawn) == sorted(names)
    assert [x["label"] for x in run["headline"]] == ["loss of a", "loss of b"]
    assert run["pictures"] == []


def test_two_discriminators_have_a_chart_each(tmp_path):
    rows = [{"step": 1, "x/accuracy_real": 0.5, "x/accuracy_fake": 0.5, "y/accuracy_real": 1.0, "y/accuracy_fake": 1.0}]
    run = page(run_directory(tmp_path, rows)).run
    assert [(x["title"], x["player"]) for x in run["charts"]] == [("Accuracy", "x"), ("Accuracy", "y")]
    assert run["headline"][2]["label"] == "y: accuracy on real examples"


def test_a_lazy_term_keeps_its_own_steps(tmp_path):
    rows = [row(i, **({"d/r1": 3.0} if i % 4 == 0 else {})) for i in range(1, 21)]
    run = page(run_directory(tmp_path, rows)).run
    lazy = run["curves"]["d/r1"]
    assert run["grids"][lazy["grid"]] == [4, 8, 12, 16, 20] and lazy["mean"] == [3.0] * 5


def test_a_report_loads_no_other_files(tmp_path):
    shown = page(run_directory(tmp_path, [row(1)]))
    assert shown.addresses == []
    assert not re.search(r"https?://|@import|\bfetch\(|XMLHttpRequest|import\(", shown.text)
    assert re.findall(r"url\((?!#)", shown.text) == []
    assert "default-src 'none'" in shown.text
    assert [x["step"] for x in shown.run["pictures"]] == [0, 10, 20]
    assert all(x["picture"].startswith("data:image/png;base64,iVBOR") for x in shown.run["pictures"])


def test_markup_in_a_setting_is_not_executed(tmp_path):
    harmless = page(run_directory(tmp_path / "a", [row(1)]))
    hostile = page(run_directory(tmp_path / "b", [row(1, **{f"d/{HOSTILE}": 1.0})], data=HOSTILE))
    assert len(hostile.scripts) == len(harmless.scripts) == 2
    assert ["data", HOSTILE] in hostile.run["settings"]
    assert hostile.text.count("alert(1)") and "<script>alert" not in hostile.text
    assert "innerHTML" not in hostile.text


def test_settings_that_are_infinite_lists_or_flags(tmp_path):
    run = page(run_directory(tmp_path, [row(1)], limit=math.inf, layers=[1, 2], fast=True)).run
    assert [pair[1] for pair in run["settings"][-3:]] == ["inf", "1, 2", "yes"]


def test_numbers_that_are_not_finite_are_omitted(tmp_path):
    shown = page(run_directory(tmp_path, [row(1), row(2, **{"g/loss": math.nan, "d/loss": math.inf}), row(3)]))
    for name in ("g/loss", "d/loss"):
        assert shown.run["grids"][shown.run["curves"][name]["grid"]] == [1, 3]
    assert not re.search(r"NaN|Infinity", shown.scripts[0])


def test_speed_is_shown_if_it_was_measured(tmp_path):
    directory = run_directory(tmp_path, [row(1), row(2)])
    assert "Speed" not in page(directory).titles()
    rows = [(10, 100.0), (20, 900.0), (20, 300.0)]  # step 20 twice: the run was killed and resumed
    lines = [json.dumps({"step": s, "images_per_second": x, "seconds": 1.0}) + "\n" for s, x in rows]
    (directory / "speed.jsonl").write_text("".join(lines) + '{"step": 30, "ima')
    run = page(directory).run
    assert run["charts"][-1]["title"] == "Speed" and run["curves"][curves.SPEED]["mean"] == [100.0, 300.0]
    assert run["headline"][-1]["value"] == 200.0


def test_large_sheets_are_complete(tmp_path):
    directory = run_directory(tmp_path, [row(1)])
    noise = np.random.default_rng(0).integers(0, 256, (100, 100)).astype(np.uint8)
    file = directory / "samples" / "step_0000020_walk.png"
    Image.fromarray(noise).save(file)
    address = page(directory).run["pictures"][-1]["sheets"]["walk"]
    assert base64.b64decode(address.partition(",")[2]) == file.read_bytes()


def test_samples_of_text_are_shown_as_text(tmp_path):
    directory = run_directory(tmp_path, [row(1)], pictures=())
    (directory / "samples" / "step_0000000.txt").write_text("</script><b>\n" * 300)
    shown = page(directory)
    assert urllib.parse.unquote(shown.run["pictures"][0]["picture"].partition(",")[2]) == "\n".join(
        ["</script><b>"] * 300
    )
    assert "<b>" not in shown.text


@pytest.mark.parametrize("missing", [False, True])
def test_a_run_without_any_metrics(tmp_path, missing):
    directory = run_directory(tmp_path, [], pictures=())
    if missing:
        (directory / "metrics.jsonl").unlink()
        (directory / "samples").rmdir()
    shown = page(directory)
    assert shown.run["steps"]["done"] == 0 and shown.run["charts"] == [] and shown.run["pictures"] == []
    # The script shows this text if there are no charts.
    assert 'id="nothing" hidden>The run has not written any metrics yet' in shown.text
    assert 'at("nothing").hidden = run.charts.length > 0' in shown.text


def test_a_run_that_is_still_training_is_not_changed(tmp_path):
    directory = run_directory(tmp_path, [row(1), row(2)])
    with (directory / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "d/lo')
    before = {file: file.read_bytes() for file in directory.rglob("*") if file.is_file()}
    assert page(directory).run["steps"]["done"] == 2
    assert {file: file.read_bytes() for file in before} == before
    assert {file.name for file in directory.iterdir()} == {"config.json", "metrics.jsonl", "samples", "report.html"}


@pytest.mark.integration
def test_the_report_of_a_long_run_is_small_and_shows_a_spike(tmp_path):
    directory, count, unusual = run_directory(tmp_path, []), 50_000, 30_864
    line = json.dumps(row(-1, **{"d/loss": -2})) + "\n"
    with (directory / "metrics.jsonl").open("w") as file:
        for i in range(1, count + 1):
            file.write(line.replace("-1,", f"{i},", 1).replace("-2", "523.0" if i == unusual else f"{1.0 + i % 2}", 1))
    shown = page(directory)
    assert len(shown.text) < 2_000_000
    curve = shown.run["curves"]["d/loss"]
    grid = shown.run["grids"][curve["grid"]]
    assert len(grid) == len(curve["mean"]) == len(curve["low"]) == len(curve["high"]) == curves.POINTS
    spike = int(np.argmax(curve["high"]))
    assert curve["high"][spike] == 523.0 and abs(grid[spike] - unusual) < count / curves.POINTS
    assert set(curve["low"]) == {1.0} and sorted(curve["high"])[-2] == 2.0
    assert (
        curve["mean"][0] == pytest.approx(1.5, abs=0.02)
        and 0 < grid[0] < count / 1000
        and count - count / 1000 < grid[-1] <= count
    )


def test_many_sample_grids_are_reduced_evenly(tmp_path):
    run = page(run_directory(tmp_path, [row(1)], pictures=range(0, 2010, 10))).run
    steps = [x["step"] for x in run["pictures"]]
    assert len(steps) == pictures.MAX_PICTURES and steps[0] == 0 and steps[-1] == 2000
    assert set(np.diff(steps)) <= {30, 40}


def test_other_files_in_the_folder_of_samples_are_ignored(tmp_path):
    directory = run_directory(tmp_path, [row(1)])
    (directory / "samples" / "step_last.png").write_bytes(b"")
    (directory / "samples" / "notes.txt").write_text("mine")
    assert [x["step"] for x in page(directory).run["pictures"]] == [0, 10, 20]


ONE_PLAYER = {"vae/reconstruction": 76.0, "vae/kl": 27.0, "vae/elbo": -103.0, "vae/loss": 103.0, "vae/grad_norm": 2.0}


def test_a_game_with_one_player_has_its_own_captions(tmp_path):
    run = page(run_directory(tmp_path / "vae", [{"step": 1, **ONE_PLAYER}])).run
    charts = {x["title"]: x["reading"] for x in run["charts"]}
    assert list(charts) == ["ELBO", "Reconstruction", "KL divergence", "Loss", "Gradient norm"]
    assert "need not decrease" not in charts["Loss"] and "Loss of the only player" in charts["Loss"]
    assert "posterior collapse" in charts["KL divergence"] and "lower bound on log p(x)" in charts["ELBO"]
    assert [(x["label"], x["value"]) for x in run["headline"]] == [
        ("ELBO, nats", -103.0),
        ("Reconstruction, nats", 76.0),
        ("KL divergence, nats", 27.0),
    ]
    two = page(
        run_directory(tmp_path / "gan", [{"step": 1, "g/loss": 1.0, "d/loss": 1.0, "g/reconstruction": 1.0}])
    ).run
    charts = {x["title"]: x["reading"] for x in two["charts"]}
    assert list(charts) == ["Loss", "Reconstruction"]  # without an ELBO, a reconstruction term is not special
    assert "need not decrease" in charts["Loss"] and charts["Reconstruction"] == captions.TERM_READING


def test_image_sheets_belong_to_the_sample_grid_of_their_step(tmp_path):
    directory = run_directory(tmp_path, [row(1)])
    for step, name, grey in (
        (10, "walk", 1),
        (20, "walk", 2),
        (20, "reconstruction", 3),
        (20, "mine", 4),
        (30, "walk", 5),
    ):
        picture = Image.fromarray(np.full((8, 8), grey, np.uint8))
        picture.save(directory / "samples" / f"step_{step:07}_{name}.png")
    run = page(directory).run
    assert [(x["step"], sorted(x["sheets"])) for x in run["pictures"]] == [
        (0, []),
        (10, ["walk"]),
        (20, ["mine", "reconstruction", "walk"]),
    ]  # the sheet of step 30 is ignored, because the step has no sample grid
    described = {x["name"]: (x["title"], x["caption"]) for x in run["sheets"]}
    assert described["mine"] == ("Mine", captions.OTHER_SHEET)
    assert described["walk"] == ("Walk", captions.SHEETS["walk"])
    grey = {}
    for name, address in run["pictures"][2]["sheets"].items():
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
            grey[name] = image.getpixel((0, 0))
    assert grey == {"walk": 2, "reconstruction": 3, "mine": 4}
    assert "sheets" in run["pictures"][0] and page(run_directory(tmp_path / "none", [row(1)])).run["sheets"] == []


def test_a_problem_lasts_from_its_first_to_its_last_consecutive_probe():
    swing = [0, "oscillation", "", "by 200%", "lower the rates"]
    other = [1, "divergence", "d", "by 30%", "clip"]
    probes = [[], [swing], [swing, other], [], [[*swing[:3], "by 150%", swing[4]]]]
    rows = [{"step": 50 * i, "verdicts": verdicts} for i, verdicts in enumerate(probes, 1)]
    assert report.summarize_diagnosis([], False) is None
    summary = report.summarize_diagnosis(rows, True)
    assert summary is not None and summary["step"] == 250 and not summary["judged"]
    shown = [(x["title"], x["from"], x["to"], x["now"], x["evidence"], x["mend"]) for x in summary["found"]]
    assert shown == [
        ("oscillation of member 0", 100, 150, False, "by 200%", "lower the rates"),
        ("divergence of member 1 d", 150, 150, False, "by 30%", "clip"),
        ("oscillation of member 0", 250, 250, True, "by 150%", "lower the rates"),
    ]
    single = report.summarize_diagnosis([{"step": 700, "verdicts": [swing, other]}, {"step": 750}], False)
    assert single is not None and single["judged"]
    assert [x["title"] for x in single["found"]] == ["oscillation", "divergence of d"]


def test_a_directory_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError):
        report.write(tmp_path)


def test_the_template_has_one_marker_for_the_data():
    template = Path(report.__file__).with_name("report.html").read_text(encoding="utf-8")
    assert template.count(pages.MARKER) == 1
