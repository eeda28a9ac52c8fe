"""Differentially private training by flags: the reported epsilon, and settings that are refused."""

import json
import shutil
import zipfile

import pytest
from helpers import programs
from helpers.programs import run

from jaxgan.games.accounting import compute_epsilon
from jaxgan.training import checkpoint_files

SEED = 987654321  # a number that is found in files only if the seed was written there
GAN = ["--dp-noise-multiplier", 1.0, *programs.tiny("gan")]


@pytest.mark.integration
def test_a_private_run_reports_epsilon_and_resumes(tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    seeded = [*GAN, "--dp-seed", SEED, "--devices", 2, "--checkpoint-every", 2]
    code, text = run(capsys, "--steps", 4, "--run-dir", whole, *seeded, experiment="gan")
    assert code == 0, text
    epsilon = compute_epsilon(noise_multiplier=1.0, delta=1e-5, examples=1797, batch_size=8, steps=4, uses=(1,))
    shutil.copytree(whole, parts)
    checkpoint_files.remove(parts / "checkpoints", 4)
    code, text_of_part = run(capsys, "--steps", 4, "--run-dir", parts, *seeded, experiment="gan")
    assert code == 0 and "resumed from step 2" in text_of_part, text_of_part
    summary = (
        "Private players: 'd', with clipping norm 1 and noise multiplier 1. After 4 steps, epsilon is "
        f"{epsilon.sampled:.2f} at delta 1e-05"
    )
    assert text.count(summary) == 2, text
    assert text.count(f"at most {epsilon.shuffled:.2f} for the shuffled batches that are used") == 2
    sums = [programs.run(capsys, "inspect", "--run-dir", path, experiment="gan")[1] for path in (whole, parts)]
    assert sums[0] == sums[1]
    assert "opt_states.d.inner" in sums[0] and "opt_states.d.key" not in sums[0]
    assert "--dp-seed has no effect on a run that is resumed from a checkpoint" in text_of_part
    privacy = json.loads((parts / "config.json").read_text())["privacy"]
    assert privacy["done"]["steps"] == privacy["planned"]["steps"] == 4
    assert privacy["done"]["epsilon"] == pytest.approx(epsilon._asdict())
    assert summary in (parts / "report.html").read_text().replace("\\u003c", "<")
    code, text = run(capsys, "sample", "--run-dir", parts, "--count", 1, "--out", tmp_path / "a.npz", experiment="gan")
    assert code == 0, text
    for name in ("g.jaxgan", "g.safetensors"):
        code, text = run(capsys, "export", "--run-dir", parts, "--out", tmp_path / name, experiment="gan")
        assert code == 0, text
    code, text = run(capsys, "resume", "--run-dir", parts, "--steps", 5, "--devices", 2, experiment="gan")
    assert (code, "older version" in text) == (0, False), text
    grid = ["--parameters", tmp_path / "g.safetensors", "--count", 1, "--out", tmp_path / "g.npz"]
    code, text = run(capsys, "sample", *grid, experiment="gan")
    assert "older version" not in text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"config.json", "report.html", "g.md", "g.jaxgan", "g.safetensors"} <= {path.name for path in files}
    for path in files:
        parts_of_file = [path.read_bytes()]
        if path.suffix == ".jaxgan":
            with zipfile.ZipFile(path) as archive:
                parts_of_file = [archive.read(name) for name in archive.namelist()]
        assert not any(str(SEED).encode() in part for part in parts_of_file), path


@pytest.mark.integration
def test_a_dry_run_reports_the_epsilon_of_the_planned_steps(tmp_path, capsys, few_measured_steps):
    code, text = run(capsys, "--dry-run", "--run-dir", tmp_path / "run", *GAN, "--steps", 500, experiment="gan")
    assert code == 0, text
    epsilon = compute_epsilon(noise_multiplier=1.0, delta=1e-5, examples=1797, batch_size=8, steps=500, uses=(1,))
    assert f"After 500 steps, epsilon is {epsilon.sampled:.2f} at delta 1e-05" in text


FLAGS = {
    "clipping without noise": (
        ["--dp-l2-clip", 0.5],
        "--dp-l2-clip has an effect only in private training. Set --dp-noise-multiplier too.",
    ),
    "a seed without noise": (
        ["--dp-seed", 1, "--population", 2],
        "--dp-seed has an effect only in private training",
    ),
    "no clip": (
        ["--dp-noise-multiplier", 1.0, "--dp-l2-clip", 0.0],
        "--dp-l2-clip must be positive and finite, got 0.0.",
    ),
    "noise below 0": (["--dp-noise-multiplier", -1.0], "--dp-noise-multiplier must be positive and finite, got -1.0."),
    "a population": (
        ["--dp-noise-multiplier", 1.0, "--population", 2],
        "--dp-noise-multiplier cannot be combined with a population",
    ),
    "delta": (
        ["--dp-noise-multiplier", 1.0, "--dp-delta", 0.1],
        "must be above 0 and below 1 / 1797 = 5.6e-04, got 0.1",
    ),
}


@pytest.mark.parametrize("case", FLAGS)
def test_invalid_privacy_settings_are_refused(case, tmp_path, capsys):
    flags, message = FLAGS[case]
    code, text = run(capsys, "--run-dir", tmp_path / "run", *programs.tiny("gan"), *flags, experiment="gan")
    assert (code, message in text) == (2, True), text
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_private_dcgan_requires_networks_without_batch_normalisation(tmp_path, capsys):
    privacy = ["--dp-noise-multiplier", 1.0, "--devices", 1]
    flags = ["--steps", 2, "--run-dir", tmp_path / "run", *privacy, *programs.tiny("dcgan")]
    code, text = run(capsys, *flags)
    assert (code, "Network 'd' has BatchNorm, which mixes" in text) == (2, True), text
    code, text = run(capsys, *flags, "--norm", "none", "--grad-accum-steps", 2)
    assert (code, "Private players: 'd'" in text) == (0, True), text
