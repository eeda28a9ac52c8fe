"""Presets: settings that flags begin with."""

import dataclasses
import json

import pytest
from helpers import programs

from experiments import gan
from jaxgan.cli.presets import with_preset
from jaxgan.cli.program import main

PRESETS = {
    "small": {"batch_size": 8, "z_dim": 4, "learning_rate": 1e-3},
    "following": lambda given: {"z_dim": given.batch_size // 2, "learning_rate": 1 / given.z_dim},
}


def run(capsys, *arguments, presets=PRESETS):
    try:
        main("gan", gan.Config, gan.build, gan.__doc__, [str(a) for a in arguments], presets)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


@pytest.mark.integration
def test_a_run_records_what_the_preset_came_to_and_goes_on_by_the_same_command(tmp_path, capsys):
    flags = [*programs.tiny("gan"), "--batch-size", 16, "--run-dir", tmp_path / "run", "--preset", "small"]
    for steps in (1, 2):
        code, text = run(capsys, "--steps", steps, *flags)
        assert code == 0, text
    assert "resumed from step 1" in text
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert set(config) == {field.name for field in dataclasses.fields(gan.Config)}
    assert (config["batch_size"], config["z_dim"], config["learning_rate"]) == (16, 4, 1e-3)
    # Other commands, and the same settings by flags, need no preset.
    code, text = run(capsys, "sample", "--count", 1, "--run-dir", tmp_path / "run", "--out", tmp_path / "a.png")
    assert code == 0, text
    spelt = [*programs.tiny("gan"), "--batch-size", 16, "--learning-rate", 1e-3, "--run-dir", tmp_path / "run"]
    code, text = run(capsys, "train", "--steps", 2, *spelt, presets=None)
    assert code == 0 and "nothing to do" in text, text


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], gan.Config()),
        (["--z-dim", "5"], gan.Config()),
        (["--preset", "small"], gan.Config(batch_size=8, z_dim=4, learning_rate=1e-3)),
        # Flags count over it later; those of the run are not the experiment's.
        (["--z-dim", "5", "--preset=small", "--run-dir", "x", "--fresh", "-h"], gan.Config(batch_size=8, z_dim=4, learning_rate=1e-3)),
        (["--preset", "following", "--batch-size", "20", "--sweep", "ema_decay=0.5,0.9"], gan.Config(z_dim=10, learning_rate=1 / gan.Config().z_dim)),
    ],
)  # fmt: skip
def test_what_flags_begin_with(flags, expected):
    assert with_preset(gan.Config, PRESETS, flags) == expected


def test_a_preset_that_is_not_there(tmp_path, capsys):
    code, text = run(capsys, "--preset", "large", "--run-dir", tmp_path / "run")
    assert code == 2 and "error: --preset must be one of small, following; got 'large'" in text
    assert not (tmp_path / "run").exists()
    code, text = run(capsys, "--preset", "small", presets=None)
    assert code == 2 and "--preset" in text


def test_help_names_them(capsys):
    code, text = run(capsys, "train", "--help")
    assert code == 0 and "--preset {small,following,None}" in text
    _, text = run(capsys, "train", "--help", "--preset", "small")
    assert "(default: 0.001)" in text
    assert "--preset" not in run(capsys, "train", "--help", presets=None)[1]
