"""Presets, the sets of settings that ``train --preset`` starts from."""

import dataclasses
import json
import sys

import pytest
from helpers import files, programs

from experiments import gan
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.program import main
from jaxgan.cli.train import Train

PRESETS = {
    "small": {"batch_size": 8, "z_dim": 4, "learning_rate": 1e-3},
    "following": lambda config, given: {
        "z_dim": config.batch_size // 2,
        "learning_rate": 1 / config.z_dim,
        "seed": len(given),
    },
}


def run(capsys, *arguments, presets=PRESETS):
    try:
        main("gan", gan.Config, gan.build, gan.__doc__, [str(a) for a in arguments], presets)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, " ".join((captured.out + captured.err).split())


@pytest.mark.integration
def test_a_run_records_the_settings_of_the_preset_and_is_resumed_by_the_same_command(tmp_path, capsys):
    flags = [*programs.tiny("gan"), "--batch-size", 16, "--run-dir", tmp_path / "run", "--preset", "small"]
    for steps in (1, 2):
        code, text = run(capsys, "--steps", steps, *flags)
        assert code == 0, text
    assert "resumed from step 1" in text
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert set(config) == {field.name for field in dataclasses.fields(gan.Config)}
    assert (config["batch_size"], config["z_dim"], config["learning_rate"]) == (16, 4, 1e-3)
    # Other commands, and the same settings as flags, do not require the preset.
    code, text = run(capsys, "sample", "--count", 1, "--run-dir", tmp_path / "run", "--out", tmp_path / "a.png")
    assert code == 0, text
    same = [*programs.tiny("gan"), "--batch-size", 16, "--learning-rate", 1e-3, "--run-dir", tmp_path / "run"]
    code, text = run(capsys, "train", "--steps", 2, *same, presets=None)
    assert code == 0 and "nothing to do" in text, text


@pytest.mark.parametrize(
    ("preset", "settings", "expected"),
    [
        (None, {}, gan.Config()),
        (None, {"z_dim": 5}, gan.Config(z_dim=5)),
        ("small", {}, gan.Config(batch_size=8, z_dim=4, learning_rate=1e-3)),
        ("small", {"z_dim": 5}, gan.Config(batch_size=8, z_dim=5, learning_rate=1e-3)),
        # A preset that is a function reads the passed settings, and the passed settings override its result.
        (
            "following",
            {"batch_size": 20},
            gan.Config(batch_size=20, z_dim=10, learning_rate=1 / gan.Config().z_dim, seed=1),
        ),
        ("following", {"batch_size": 20, "z_dim": 3}, gan.Config(batch_size=20, z_dim=3, learning_rate=1 / 3, seed=2)),
    ],
)
def test_settings_override_the_preset_and_the_preset_overrides_the_defaults(preset, settings, expected):
    program = ExperimentProgram("gan", gan.Config, gan.build, "", PRESETS)
    assert Train(preset=preset, settings=settings).read_settings(program) == expected


def test_an_unknown_preset_is_refused(tmp_path, capsys):
    code, text = run(capsys, "--preset", "large", "--run-dir", tmp_path / "run")
    assert code == 2 and "error: --preset must be one of small, following, got 'large'." in text
    assert not (tmp_path / "run").exists()
    code, text = run(capsys, "--preset", "small", presets=None)
    assert code == 2 and "--preset" in text


def test_help_lists_the_presets(capsys):
    code, text = run(capsys, "train", "--help")
    assert code == 0 and "--preset {small,following}" in text
    assert "--preset" not in run(capsys, "train", "--help", presets=None)[1]


def test_the_preset_photos_requires_data(tmp_path, capsys):
    code, text = programs.run(capsys, "--preset", "photos", "--run-dir", tmp_path / "run")
    assert (
        code == 2 and "error: --preset photos is for your own images. Set --data to their folder or zip file." in text
    )


@pytest.mark.integration
def test_the_preset_photos_sets_augmentation_and_warns_about_few_images(tmp_path, capsys, monkeypatch):
    folder = files.folder(tmp_path / "holiday", {f"{i}.png": files.noise((20, 30), "RGB") for i in range(20)})
    flags = ["--preset", "photos", "--data", folder, "--batch-size", 8, "--g-channels", 4, "--d-channels", 4]
    code, text = programs.run(capsys, *flags, "--steps", 1, "--run-dir", tmp_path / "run")
    assert code == 0, text
    assert "warning: --data has 20 examples, fewer than 100, so samples will be copies and mixtures of them" in text
    assert "memorise" not in text
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    expected = {"resolution": 16, "base_resolution": 4, "crop": 2, "mirror": True, "g_channels": 4}
    assert {name: config[name] for name in expected} == expected
    # Flags override the preset, and a warning reports the consequence before the training, which is left out here.
    monkeypatch.setattr("jaxgan.cli.train.make_run", lambda *_: sys.exit(0))
    code, text = programs.run(capsys, *flags, "--crop", 0, "--steps", 1, "--run-dir", tmp_path / "other")
    assert code == 0
    assert "warning: --data has 20 examples, so few that the discriminator will memorise them. Start from" in text
