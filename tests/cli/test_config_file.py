"""The file of ``train --config``."""

import dataclasses
import json

import pytest
from helpers import programs

from experiments import gan
from jaxgan.cli import commands
from jaxgan.cli.config_file import read_config_file
from jaxgan.cli.fields import fields_of
from jaxgan.cli.flags import Mistake

FIELDS = commands.command_fields("train", fields_of(gan.Config), ("paper",))


def write(path, text):
    path.write_text(text)
    return path


def test_a_file_has_the_values_of_flags(tmp_path):
    text = """
preset: paper
steps: 30
learning-rate: 1e-4
ema_decay: 1
sweep: [seed=1, z_dim=3]
dp_seed: null
saturating: true
checkpoint_every: 10
quiet: yes
"""
    values = read_config_file(write(tmp_path / "a.yaml", text), FIELDS)
    assert values == {
        "preset": "paper",
        "steps": 30,
        "learning_rate": 1e-4,
        "ema_decay": 1.0,
        "sweep": ["seed=1", "z_dim=3"],
        "dp_seed": None,
        "saturating": True,
        "checkpoint_every": 10,
        "quiet": True,
    }
    assert isinstance(values["ema_decay"], float)
    as_json = write(tmp_path / "a.json", json.dumps({"steps": 30, "data": "digits"}))
    assert read_config_file(as_json, FIELDS) == {"steps": 30, "data": "digits"}


def test_the_config_json_of_an_older_version_is_read(tmp_path):
    record = {"experiment": "gan", "config": {"steps": 3, "latents": 5, "vary": []}, "options": None}
    path = write(tmp_path / "config.json", json.dumps(record))
    assert read_config_file(path, FIELDS) == {"steps": 3, "z_dim": 5, "sweep": []}


def test_flags_override_the_file(tmp_path):
    file = write(tmp_path / "a.yaml", "steps: 30\nbatch_size: 8\n")
    values = commands.parse("train", FIELDS, ["--config", str(file), "--steps", "5"], "prog")
    assert values == {"steps": 5, "batch_size": 8}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz: 3", "This experiment has no setting stepz. Did you mean steps?"),
        ("steps: many", "steps must be a whole number, got 'many'."),
        ("steps: 2.5", "steps must be a whole number, got '2.5'."),
        ("steps: true", "steps must be a whole number, got True."),
        ("saturating: 1", "saturating must be true or false, got 1."),
        ("steps: [1, 2]", "steps must be a whole number, got [1, 2]."),
        ("sweep: seed=1", "sweep must be a list, got 'seed=1'."),
        ("compute_dtype: float8", "compute_dtype must be one of float32, bfloat16, got 'float8'."),
        ("- steps", "must map names of settings to values, as in batch_size: 64."),
        ("steps: 3\n  batch: [", "is neither valid YAML nor valid JSON. The error is in line 2."),
        ("steps: !!python/object/apply:os.system ['true']", "is neither valid YAML nor valid JSON."),
        ("steps: 2024-13-45", "is neither valid YAML nor valid JSON."),
        (
            f"steps: [{', '.join(['x'] * 1000)}]",
            "steps must be a whole number, got ['x', 'x', 'x', 'x', 'x', 'x', ...].",
        ),
        ("config: other.yaml", "This experiment has no setting config."),
    ],
)
def test_errors_name_the_file(text, message, tmp_path):
    path = write(tmp_path / "a.yaml", text)
    with pytest.raises(Mistake) as mistake:
        read_config_file(path, FIELDS)
    assert str(mistake.value).startswith(f"--config {path}") and message in str(mistake.value)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(Mistake, match=r"none\.yaml cannot be read: No such file or directory"):
        read_config_file(tmp_path / "none.yaml", FIELDS)


@pytest.mark.integration
def test_the_config_json_of_a_run_reproduces_the_run(tmp_path, capsys):
    flags = [*programs.tiny("gan"), "--steps", 2, "--quiet", "--checkpoint-every", 1]
    assert programs.run(capsys, *flags, "--run-dir", tmp_path / "a", experiment="gan")[0] == 0
    again = ["--config", tmp_path / "a" / "config.json", "--run-dir", tmp_path / "b"]
    assert programs.run(capsys, *again, experiment="gan")[0] == 0
    first, second = (json.loads((tmp_path / name / "config.json").read_text()) for name in "ab")
    assert first["config"] == second["config"] and first["options"] == second["options"] == {"checkpoint_every": 1}
    assert set(first["config"]) == {field.name for field in dataclasses.fields(gan.Config)}
    digests = [programs.run(capsys, "inspect", "--run-dir", tmp_path / name, experiment="gan")[1] for name in "ab"]
    assert digests[0] == digests[1]
