"""Evaluation of a run's samples, by the command and during training."""

import dataclasses
import itertools
import json
import re
import types

import jax
import numpy as np
import pytest
from helpers import files, programs

from experiments import dcgan
from jaxgan import __main__ as console, media
from jaxgan.core.keys import sample_keys
from jaxgan.data import Arrays
from jaxgan.experiment import Sampling, quality

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("few_at_a_time")]


HOW = ["--features", "inception-64"]
WEIGHTS = "replaced by the path of the weights in the run's folder"


class Pixels:
    """Features that are pixels, so that they need no weights."""

    protocol = {"features": "pixels"}  # noqa: RUF012

    def __call__(self, images):
        return np.asarray(images, np.float32).reshape(len(images), -1)[:, ::5]

    unrounded = logits = __call__


@pytest.fixture
def of_pixels(monkeypatch):
    """Make all evaluations use pixels as features, whichever features are requested."""
    monkeypatch.setattr("jaxgan.evaluation.extractors.make_extractor", lambda *_, **__: Pixels())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the directory of a run of two steps, with a weights file for Inception next to it."""
    run_dir = tmp_path_factory.mktemp("evaluate") / "run"
    data = run_dir.parent / "data.npz"
    np.savez(data, images=np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8))
    flags = ["--steps", 2, "--run-dir", run_dir, "--data", data, *programs.TINY]
    code, text = programs.run(programs.Silent(), *flags)
    assert code == 0, text
    files.inception(run_dir.parent / "weights.npz")
    return run_dir


def test_the_command_writes_metrics_and_their_protocol(trained, capsys):
    weights = trained.parent / "weights.npz"
    flags = ["--run-dir", trained, "--weights", weights, *HOW, "--metrics", "fid", "--count", 5]
    code, text = programs.run(capsys, "evaluate", *flags)
    assert code == 0, text
    written = json.loads((trained / "evaluation.json").read_text())
    assert f"fid_64 {written['fid_64']:.6g}" in text and written["fid_64"] > 0
    assert "warning: The covariance of the first set is singular, because the set has only 5 examples for 64" in text
    assert "fid" not in written and "kid_64" not in written
    samples = written["protocol"]["samples"]
    assert {key: samples[key] for key in ("count", "step", "seed", "averaged")} == {
        "count": 5, "step": 2, "seed": 0, "averaged": ["g"],
    }  # fmt: skip
    assert written["protocol"]["data"]["count"] == 12
    assert written["protocol"]["layer"] == 64


def test_samples_are_determined_by_their_seed_and_index():
    """Sample i is the same in every batch, and equal to the sample that the sampler draws."""
    config = dcgan.Config(batch_size=8, z_dim=4, g_channels=4, d_channels=4, base_resolution=4)
    experiment = dcgan.build(config)
    state = experiment.game.init(jax.random.key(0))
    drawn = quality.SampleSource(experiment, state, 9, 3, "drawn")
    whole = drawn.read(np.arange(9))["image"]
    assert whole.dtype == np.uint8 and whole.shape == (9, 8, 8, 1) == (len(drawn), *drawn.shape)
    np.testing.assert_array_equal(drawn.read(np.array([7, 2]))["image"], whole[[7, 2]])
    z = experiment.sampling.latents(sample_keys(3, 9))
    np.testing.assert_array_equal(whole, media.to_bytes(experiment.sampler()(state, z)))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--weights", "none.pth"], "--weights none.pth cannot be read: No such file"),
        (["--weights", WEIGHTS, *HOW, "--metrics", "fud"], "--metrics must be one or more of fid, kid,"),
        (["--weights", "none.pth", "--member", 1], "--member must be 0 for the run in"),
        (["--weights", "none.pth", "--step", 7], "--step must be the step of a checkpoint"),
        (["--features", "inception-64"], "--features inception-64 requires the file with Inception's weights"),
        (["--features", "pixels"], "--features must be one of classifier, random, inception-64"),
        (["--best", "--step", 2], "--best and --step 2 cannot be combined"),
    ],
)
def test_errors_name_the_wrong_flag_of_the_command(flags, message, trained, capsys):
    flags = [trained.parent / "weights.npz" if flag is WEIGHTS else flag for flag in flags]
    code, text = programs.run(capsys, "evaluate", "--run-dir", trained, *flags)
    assert code != 0 and message in text and "Traceback" not in text


def test_a_single_sample_cannot_be_evaluated(trained, capsys):
    weights = trained.parent / "weights.npz"
    for count, got in ((1, "1"), (2**31, "2,147,483,648")):  # the latter would draw samples for months
        flags = ["--run-dir", trained, "--weights", weights, *HOW, "--count", count]
        code, text = programs.run(capsys, "evaluate", *flags)
        assert code == 2 and f"--count must be between 2 and 1,000,000, got {got}." in text


def test_metrics_of_features_need_features():
    experiment = dcgan.build(dcgan.Config(batch_size=8, z_dim=4, g_channels=4, d_channels=4, base_resolution=4))
    state = experiment.game.init(jax.random.key(0))
    for metric in ("ppl", "fid"):
        with pytest.raises(ValueError, match=f"`features` .*{metric}"):
            quality.evaluate(experiment, state, [metric], None, count=8)


def test_path_length_of_a_linear_generator():
    """A generator that is linear in its latents moves along a great arc by |dz| = |z| * angle."""

    class Linear(Pixels):
        def unrounded(self, images):
            return images.reshape(len(images), -1)

    experiment = dcgan.build(dcgan.Config(batch_size=8, z_dim=64, g_channels=4, d_channels=4, base_resolution=4))
    experiment = dataclasses.replace(
        experiment, sampling=Sampling(experiment.sampling.latents, lambda nets, z: z.reshape(-1, 8, 8, 1))
    )
    drawn = quality.SampleSource(experiment, experiment.game.init(jax.random.key(0)), 600, 0, "drawn")
    start, end = drawn.on_paths(np.arange(5), 1e-3)
    assert start.shape == (5, 8, 8, 1) and 0 < np.abs(end - start).max() < 0.1
    np.testing.assert_array_equal(drawn.on_paths(np.array([3]), 1e-3)[0][0], start[3])
    # |z|^2 is about 64, and the squared angle between two random directions is about (pi / 2)^2.
    assert quality.path_length(drawn, Linear()) == pytest.approx(64 * (np.pi / 2) ** 2, rel=0.1)


@pytest.mark.filterwarnings("ignore:.*is singular|.*only copies")
def test_evaluations_during_training(tmp_path, capsys, of_pixels):
    """Each evaluation appends a row, the best checkpoint is saved, and a resumed run appends to the same file."""
    run_dir, rows = tmp_path / "run", []
    flags = ["--run-dir", run_dir, "--evaluate-every", 2, "--evaluate-count", 16, "--metrics", "fid", "prdc"]
    flags += ["--checkpoint-every", 100, "--seed", 3, "--num-held-out", 32, *programs.TINY]
    for steps in (6, 12):
        code, text = programs.run(capsys, "--steps", steps, *flags)
        assert code == 0, text
        assert (run_dir / "evaluations.jsonl").exists(), text
        rows = [json.loads(line) for line in (run_dir / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 12]
    assert set(rows[0]) == {"step", "fd_pixels", "precision", "recall", "density", "coverage", "protocol"}
    assert rows[-1]["protocol"]["samples"]["count"] == 16 and rows[-1]["protocol"]["samples"]["step"] == 12
    assert f"step 12: fd_pixels {rows[-1]['fd_pixels']:.4g}, precision" in text
    code, text = programs.run(capsys, "sample", "--best", "--run-dir", run_dir, "--out", tmp_path / "best.npz")
    best = int(re.search(r"samples of step (\d+), ", text)[1])
    figures = {row["step"]: row["fd_pixels"] for row in rows}
    assert best < 12 and figures[best] == min(figures.values())
    code, text = programs.run(capsys, "evaluate", "--step", 12, "--run-dir", run_dir, "--count", 16, "--metrics", "fid")
    assert code == 0, text
    assert json.loads((run_dir / "evaluation.json").read_text())["fd_pixels"] == pytest.approx(
        rows[-1]["fd_pixels"], rel=1e-5
    )
    contents = (run_dir / "report.html").read_text()
    assert (
        '"title":"Fr\\u00e9chet distance"' in contents and '"title":"Precision, recall, density, coverage"' in contents
    )
    # A comparison with another run on one page.
    (tmp_path / "other").mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / "other" / name).write_text((run_dir / name).read_text().replace('"seed": 3', '"seed": 7'))
    page = tmp_path / "deep" / "page.html"
    console.main(["compare", str(run_dir), str(tmp_path / "other"), "--out", str(page)])
    shown = json.loads(re.search(r'id="run">(.*?)</script>', page.read_text())[1])
    assert shown["members"]["head"][:2] == ["run", "fd_pixels"]
    seed = shown["members"]["head"].index("seed")
    assert [(row[0], row[seed]) for row in shown["members"]["rows"]] == [("run", "3"), ("other", "7")]
    assert [line["curve"] for line in shown["charts"][0]["lines"]] == ["0:evaluation/fd_pixels"]
    loss = next(chart for chart in shown["charts"] if chart["title"] == "Loss" and chart["player"] == "d")
    assert [line["label"] for line in loss["lines"]] == ["run", "other"]
    assert {line["curve"] for chart in shown["charts"] for line in chart["lines"]} == set(shown["curves"])
    assert shown["pictures"] and set(shown["pictures"][0]["sheets"]) == {"run_0"}


@pytest.mark.filterwarnings("ignore:.*is singular|.*only copies")
def test_a_population_is_evaluated_member_by_member(tmp_path, capsys, of_pixels, monkeypatch):
    """A member that cannot be evaluated is skipped, and the best of the others scores the checkpoint."""
    run_dir, whole = tmp_path / "run", quality.SampleSource._draw

    def draw(self, z, labels):
        if self.name == "samples" and len(z) == 15 and next(calls) % 2:
            raise ValueError("its samples are not finite")
        return whole(self, z, labels)

    calls = itertools.count()
    monkeypatch.setattr(quality.SampleSource, "_draw", draw)
    flags = ["--run-dir", run_dir, "--evaluate-every", 2, "--evaluate-count", 15, "--population", 2, "--devices", 1]
    code, text = programs.run(capsys, "--steps", 2, *flags, *programs.tiny("gan"), experiment="gan")
    assert code == 0 and "step 2: the evaluation of member 1 failed: its samples are not finite" in text, text
    (row,) = [json.loads(line) for line in (run_dir / "evaluations.jsonl").read_text().splitlines()]
    assert row["fd_pixels"][0] > 0 and row["fd_pixels"][1] is None
    assert "saved without a score" not in text


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["none"], "A comparison requires at least two runs, got 1."),
        (["none", "other"], "none contains no run, because it has no config.json. Pass"),
    ],
)
def test_compare_rejects_missing_runs(runs, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        console.main(["compare", *runs])
    output = capsys.readouterr().err
    assert stop.value.code == 2 and message in output and "Traceback" not in output
    assert not (tmp_path / "comparison.html").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--evaluate-every", 0], "--evaluate-every must be at least 1, got 0."),
        (["--features", "classifier"], "--features has no effect without evaluations. Pass --evaluate-every too."),
        (["--metrics", "kid"], "--metrics has no effect without evaluations. Pass --evaluate-every too."),
        (
            ["--evaluate-every", 2, "--metrics", "prdc", "--evaluate-count", 4],
            "--evaluate-count must be at least 6 for prdc, got 4",
        ),
        (["--evaluate-every", 2, "--metrics", "cas"], "--metrics cas requires labels"),
        (["--evaluate-every", 2, "--metrics", "ms_ssim"], "must be at least 176 x 176"),
        (["--evaluate-every", 2, "--metrics", "fud"], "--metrics must be one or more of"),
        (["--evaluate-every", 2, "--evaluate-count", 1], "--evaluate-count must be at least 2, got 1."),
        (
            ["--evaluate-every", 2, "--evaluate-count", 2**31, "--metrics", "modes"],
            "--evaluate-count must be between 2 and 1,000,000, got 2,147,483,648.",
        ),
        (["--evaluate-every", 2, "--features", "inception-64", "--weights", "none.pth"], "none.pth cannot be read"),
    ],
)
def test_train_rejects_evaluations_that_cannot_be_computed(flags, message, tmp_path, capsys, request):
    if "--weights" not in flags:
        request.getfixturevalue("of_pixels")
    code, text = programs.run(capsys, "--steps", 2, "--run-dir", tmp_path / "run", *flags, *programs.TINY)
    assert code != 0 and message in text and "Traceback" not in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (["ppl"], False),
        (["is"], False),
        (["ppl", "is"], False),
        (["fid"], True),
        (["ppl", "l1"], True),
    ],
)
def test_metrics_of_the_samples_alone_need_no_data(metrics, expected):
    assert quality.reads_data(metrics) == expected


@pytest.mark.parametrize(
    ("split", "inputs", "trained_on"),
    [("train", 0, True), ("held-out", 0, False), ("test", 0, True), ("test", 1, False), ("test", None, False)],
)
def test_the_protocol_says_whether_a_run_is_trained_on_the_compared_examples(split, inputs, trained_on):
    source, other = (Arrays(np.full((3, 4, 4, 1), value, np.uint8)) for value in (0, 1))
    copied = None if inputs is None else (Arrays(np.zeros((3, 4, 4, 1), np.uint8)), other)[inputs]
    experiment = types.SimpleNamespace(compared_split=split, inputs=copied, source=source)
    assert quality.compared_examples(experiment) == {"split": split, "trained_on": trained_on}
