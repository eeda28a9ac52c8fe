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


def test_values_are_those_of_flags(tmp_path):
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


def test_the_record_of_an_older_version_is_read(tmp_path):
    record = {"experiment": "gan", "config": {"steps": 3, "latents": 5, "vary": []}, "options": None}
    path = write(tmp_path / "config.json", json.dumps(record))
    assert read_config_file(path, FIELDS) == {"steps": 3, "z_dim": 5, "sweep": []}


def test_flags_override_it_and_it_overrides_a_preset(tmp_path):
    file = write(tmp_path / "a.yaml", "steps: 30\nbatch_size: 8\n")
    values = commands.parse("train", FIELDS, ["--config", str(file), "--steps", "5"], "prog")
    assert values == {"steps": 5, "batch_size": 8}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz: 3", "stepz is no setting of this experiment; did you mean steps?"),
        ("steps: many", "steps takes a whole number, got 'many'."),
        ("steps: 2.5", "steps takes a whole number, got '2.5'."),
        ("steps: true", "steps takes a whole number, got True."),
        ("saturating: 1", "saturating takes true or false, got 1."),
        ("steps: [1, 2]", "steps takes a whole number, got [1, 2]."),
        ("sweep: seed=1", "sweep takes a list, got 'seed=1'."),
        ("compute_dtype: float8", "compute_dtype must be one of float32, bfloat16, got 'float8'"),
        ("- steps", "has to hold settings by name, as in batch_size: 64."),
        ("steps: 3\n  batch: [", "line 2 is neither YAML nor JSON."),
        ("steps: !!python/object/apply:os.system ['true']", "is neither YAML nor JSON."),
        ("steps: 2024-13-45", "is neither YAML nor JSON."),
        (f"steps: [{', '.join(['x'] * 1000)}]", "steps takes a whole number, got ['x', 'x', 'x', 'x', 'x', 'x', ...]."),
        ("config: other.yaml", "config is no setting of this experiment"),
    ],
)
def test_mistakes_are_told_with_the_file(text, message, tmp_path):
    path = write(tmp_path / "a.yaml", text)
    with pytest.raises(Mistake) as mistake:
        read_config_file(path, FIELDS)
    assert str(mistake.value).startswith(f"--config {path}") and message in str(mistake.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Mistake, match=r"none\.yaml cannot be read: No such file or directory"):
        read_config_file(tmp_path / "none.yaml", FIELDS)


@pytest.mark.integration
def test_the_record_of_a_run_makes_an_equal_run(tmp_path, capsys):
    flags = [*programs.tiny("gan"), "--steps", 2, "--quiet", "--checkpoint-every", 1]
    assert programs.run(capsys, *flags, "--run-dir", tmp_path / "a", experiment="gan")[0] == 0
    again = ["--config", tmp_path / "a" / "config.json", "--run-dir", tmp_path / "b"]
    assert programs.run(capsys, *again, experiment="gan")[0] == 0
    first, second = (json.loads((tmp_path / name / "config.json").read_text()) for name in "ab")
    assert first["config"] == second["config"] and first["options"] == second["options"] == {"checkpoint_every": 1}
    assert set(first["config"]) == {field.name for field in dataclasses.fields(gan.Config)}
    digests = [programs.run(capsys, "inspect", "--run-dir", tmp_path / name, experiment="gan")[1] for name in "ab"]
    assert digests[0] == digests[1]
