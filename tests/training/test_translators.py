"""Experiments whose samples are made of images: each of its own example, and measured against its target."""

import json

import numpy as np
import programs
import pytest

from jaxgan.data import load

FLAGS = ["--inputs", "grey", "--devices", 1, "--quiet"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two steps of pix2pix, evaluated as they go."""
    folder = tmp_path_factory.mktemp("run") / "run"
    asked = ["--evaluate-every", 1, "--metrics", "psnr", "l1", "--evaluate-count", 20]
    flags = [*programs.tiny("pix2pix"), *FLAGS, *asked]
    code, text = programs.run(programs.Silent(), "--steps", 2, "--run-dir", folder, *flags, experiment="pix2pix")
    assert code == 0, text
    return folder


def test_sample_i_is_made_of_example_i_and_compared_with_it(run, tmp_path, capsys):
    test = load("photos", size=16, split="test")
    code, text = programs.run(
        capsys, "evaluate", "--run-dir", run, "--metrics", "l1", "psnr", "ssim", "ms_ssim", "--count", 20,
        experiment="pix2pix",
    )  # fmt: skip
    assert code == 2 and "needs 176 x 176" in text  # a figure of pixels needs no features, but pixels enough
    asked = ["--metrics", "l1", "psnr", "ssim", "--count", 20]
    code, text = programs.run(capsys, "evaluate", "--run-dir", run, *asked, experiment="pix2pix")
    assert code == 0, text
    found = json.loads((run / "evaluation.json").read_text())
    assert found["protocol"]["data"]["name"] == "photos test" and "features" not in found["protocol"]
    out = tmp_path / "made.npz"
    assert programs.run(capsys, "sample", "--run-dir", run, "--count", 20, "--out", out, experiment="pix2pix")[0] == 0
    made, real = np.load(out)["images"], test.images[:20] / 127.5 - 1
    assert found["l1"] == pytest.approx(np.abs(made - real).mean(), abs=2e-3)  # samples are rounded to bytes
    assert found["psnr"] == pytest.approx((10 * np.log10(4 / np.square(made - real).mean((1, 2, 3)))).mean(), abs=0.02)
    assert 0 < found["ssim"] < 1


def test_evaluations_rank_checkpoints_by_pairs(run):
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2] and {"psnr", "l1"} <= set(rows[0])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["evaluate", "--metrics", "ppl"],
            "--metrics ppl: of paths between latents, and these samples are made of images",
        ),
        (["evaluate", "--metrics", "l1", "--count", 100_000], "--count 100000: there are"),
        (["sample", "--out", "a.gif"], "samples are made of images, not of latents to move between"),
        (["evaluate"], "photos train: no labels, which the classifier's features need; give Inception's --weights"),
    ],
)
def test_what_cannot_be_asked_is_told(arguments, told, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = programs.run(capsys, arguments[0], "--run-dir", run, *arguments[1:], experiment="pix2pix")
    assert code == 2 and told in " ".join(text.split()) and "Traceback" not in text


def test_pairs_are_for_those_who_have_them(tmp_path, capsys):
    """A metric of pairs is refused where nothing says what a sample should be, before anything is trained."""
    flags = [*programs.tiny("gan"), "--evaluate-every", 1, "--metrics", "psnr", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, "--steps", 1, *flags, "--devices", 1, experiment="gan")
    assert code == 2 and "--metrics psnr: of pairs, and no image here says what a sample should be" in text
    assert not (tmp_path / "run").exists()
