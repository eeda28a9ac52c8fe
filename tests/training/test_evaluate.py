"""A run's samples against its data, as a user measures them."""

import json

import files
import jax
import numpy as np
import programs
import pytest

from experiments import dcgan
from jaxgan import sampling
from jaxgan.training.evaluate import Drawn


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    """Batches are filled up, which for a few images would take most of the time."""
    monkeypatch.setattr("jaxgan.metrics.features.BATCH", 8)


HOW = ["--features", "inception-64"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps, with weights beside it."""
    run_dir = tmp_path_factory.mktemp("evaluate") / "run"
    data = run_dir.parent / "data.npz"
    np.savez(data, images=np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8))
    flags = ["--steps", 2, "--run-dir", run_dir, "--data", data, *programs.TINY]
    code, text = programs.run(programs.Silent(), *flags)
    assert code == 0, text
    files.inception(run_dir.parent / "weights.npz")
    return run_dir


def test_figures_and_their_protocol(trained, capsys):
    weights = trained.parent / "weights.npz"
    flags = ["--run-dir", trained, "--weights", weights, *HOW, "--metrics", "fid", "--count", 5]
    code, text = programs.run(capsys, "evaluate", *flags)
    assert code == 0, text
    written = json.loads((trained / "evaluation.json").read_text())
    assert f"fid {written['fid']:.6g}" in text and written["fid"] > 0
    assert "warning: x: 5 examples of 64 dimensions have a singular covariance" in text
    assert "kid" not in written
    samples = written["protocol"]["samples"]
    assert {key: samples[key] for key in ("count", "step", "seed", "averaged")} == {
        "count": 5, "step": 2, "seed": 0, "averaged": ["g"],
    }  # fmt: skip
    assert written["protocol"]["data"]["count"] == 12
    assert written["protocol"]["layer"] == 64


def test_samples_are_those_of_a_seed():
    """Sample i is the same in whatever batch, and as the sampler has it."""
    config = dcgan.Config(batch_size=8, latents=4, generator_width=4, discriminator_width=4, base=4)
    experiment = dcgan.build(config)
    state = experiment.game.init(jax.random.key(0))
    drawn = Drawn(experiment, state, 9, 3, "drawn")
    whole = drawn.read(np.arange(9))["image"]
    assert whole.dtype == np.uint8 and whole.shape == (9, 8, 8, 1) == (len(drawn), *drawn.shape)
    np.testing.assert_array_equal(drawn.read(np.array([7, 2]))["image"], whole[[7, 2]])
    z = experiment.latents(sampling.sample_keys(3, 9))
    np.testing.assert_array_equal(whole, sampling.to_bytes(experiment.sampler()(state, z)))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--weights", "none.pth"], "weights none.pth cannot be read: No such file"),
        (["--weights", "none.pth", "--metrics", "fud"], "invalid choice"),
        (["--weights", "none.pth", "--member", 1], "--member 1: the run in"),
        (["--weights", "none.pth", "--step", 7], "no checkpoint of step 7"),
        ([], "--weights"),
    ],
)
def test_what_is_wrong_is_told(flags, told, trained, capsys):
    code, text = programs.run(capsys, "evaluate", "--run-dir", trained, *flags)
    assert code != 0 and told in text and "Traceback" not in text


def test_one_sample_is_no_set(trained, capsys):
    weights = trained.parent / "weights.npz"
    code, text = programs.run(capsys, "evaluate", "--run-dir", trained, "--weights", weights, *HOW, "--count", 1)
    assert code == 2 and "--count 1: at least 2" in text
