"""Settings of older versions: what lies on users' disks by the names of then."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers import programs

from experiments import dcgan
from jaxgan.experiment.settings_file import RENAMED, check_types, format_setting, read_settings, rename_settings

# The defaults of every experiment, written by the version before settings were renamed.
OLDER = json.loads(Path(__file__).with_name("older_settings.json").read_text())


def config_class(experiment):
    return importlib.import_module(f"experiments.{experiment}").Config


@pytest.mark.parametrize("experiment", OLDER)
def test_older_settings_are_todays_by_other_names(experiment, capsys):
    today = config_class(experiment)()
    assert read_settings(OLDER[experiment], type(today), "config.json", experiment) == today
    assert capsys.readouterr().err == ""  # none is missing
    entries = [entry for entry in RENAMED.get(experiment, {}).values() if entry is not None]
    named = [entry if isinstance(entry, str) else entry[0] for entry in entries]
    assert set(named) <= set(dataclasses.asdict(today))


@pytest.mark.parametrize("experiment", OLDER)
def test_todays_settings_stay_as_they_are(experiment):
    values = dataclasses.asdict(config_class(experiment)())
    assert rename_settings(values, experiment, values) == values
    assert rename_settings(values, experiment) == values


@pytest.mark.parametrize(
    ("experiment", "older", "expected"),
    [
        ("stylegan2", {"residual": False}, {"d_architecture": "orig"}),
        ("srgan", {"norm": True}, {"norm": "batch"}),
        ("gan3d", {"discriminator_norm": True}, {"d_norm": "batch"}),
        ("gan", {"vary": ["ema=0.9,0.99", "learning-rate=1e-3"]}, {"sweep": ["ema_decay=0.9,0.99", "learning_rate=1e-3"]}),
    ],
)  # fmt: skip
def test_values_are_todays_too(experiment, older, expected):
    assert rename_settings(older, experiment) == expected


def test_a_name_that_the_experiment_has_itself_stands():
    @dataclasses.dataclass(frozen=True)
    class Own(dcgan.Config):
        size: int = 3

    fields = [field.name for field in dataclasses.fields(Own)]
    assert rename_settings({"size": 5, "latents": 8}, "own", fields) == {"size": 5, "z_dim": 8}


def test_settings_as_the_command_line_takes_them():
    assert (format_setting(("a=1", "b=2")), format_setting(()), format_setting(0.5), format_setting(None)) == (
        "a=1 b=2",
        "none",
        "0.5",
        "None",
    )


@pytest.fixture
def older_run(test_data):
    """A run of 40 steps and an export of it, which that version made: its SOURCE.md."""
    return test_data / "older_run"


@pytest.mark.integration
def test_an_older_run_goes_on(older_run, tmp_path, capsys):
    with tarfile.open(older_run / "run.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    run = tmp_path / "run"
    assert programs.inspect(capsys, run).strip() == (older_run / "inspect.txt").read_text().strip()
    flags = ["--steps", 42, "--z-dim", 16, "--d-channels", 8, "--run-dir", run]
    code, text = programs.run(capsys, *flags, "--g-channels", 4)
    assert (code, f"--g-channels is 8 in the run in {run}, got 4" in text) == (2, True), text
    code, text = programs.run(capsys, *flags, "--g-channels", 8)
    assert (code, "resumed from step 40" in text) == (0, True), text
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 43))
    config = json.loads((run / "config.json").read_text())["config"]
    assert config == json.loads(
        json.dumps(dataclasses.asdict(dcgan.Config(steps=42, z_dim=16, g_channels=8, d_channels=8)))
    )


@pytest.mark.integration
def test_an_older_export_gives_its_samples(older_run, tmp_path):
    """In a process of its own, compiled as users have it: to the bit where jax is the one that made them."""
    asked = ["sample", older_run / "old.jaxgan", "--count", 4, "--seed", 1, "--out", tmp_path / "new.npz"]
    command = [sys.executable, "-m", "jaxgan", *map(str, asked)]
    subprocess.run(command, cwd=programs.ROOT, env=os.environ | programs.AS_USERS, check=True, timeout=600)
    old, new = (np.load(file)["images"] for file in (older_run / "old.npz", tmp_path / "new.npz"))
    if jax.__version__ == "0.10.2":
        np.testing.assert_array_equal(new, old)
    np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [({"steps": "abc"}, "steps cannot be 'abc'"), ({"g_channels": True}, "g_channels"), ({"norm": "loud"}, "norm"),
     ({"sweep": (1,)}, "sweep"), ({"resolution": 8.5}, "resolution")],
)  # fmt: skip
def test_values_of_another_type_are_refused(values, wrong):
    with pytest.raises(ValueError, match=f"a: {wrong}"):
        check_types(values, dcgan.Config, "a")
    check_types({"steps": 3, "learning_rate": 1, "resolution": None, "sweep": ("a=1",)}, dcgan.Config, "a")
