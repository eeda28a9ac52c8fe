"""Settings in files that older versions of jaxgan wrote."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from helpers import programs

from experiments import dcgan
from jaxgan.experiment.settings_file import ADDED, RENAMED, check_types, format_setting, read_settings, rename_settings

# The defaults of every experiment, written by the last version before settings were renamed.
OLDER = json.loads(Path(__file__).with_name("older_settings.json").read_text())


def config_class(experiment):
    return importlib.import_module(f"experiments.{experiment}").Config


@pytest.mark.parametrize("experiment", OLDER)
def test_older_settings_are_read_as_current_ones(experiment, capsys):
    today = config_class(experiment)()
    expected = dataclasses.replace(today, **ADDED[""], **ADDED.get(experiment, {}))
    assert read_settings(OLDER[experiment], type(today), "config.json", experiment) == expected
    assert capsys.readouterr().err == ""  # no warning about missing settings
    entries = [entry for entry in RENAMED.get(experiment, {}).values() if entry is not None]
    named = [entry if isinstance(entry, str) else entry[0] for entry in entries]
    assert set(named) <= set(dataclasses.asdict(today))


@pytest.mark.parametrize("experiment", OLDER)
def test_current_settings_are_not_renamed(experiment):
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
def test_older_values_are_replaced_by_current_ones(experiment, older, expected):
    assert rename_settings(older, experiment) == expected


def test_a_custom_setting_with_an_older_name_is_not_renamed():
    @dataclasses.dataclass(frozen=True)
    class Own(dcgan.Config):
        size: int = 3

    fields = [field.name for field in dataclasses.fields(Own)]
    assert rename_settings({"size": 5, "latents": 8}, "own", fields) == {"size": 5, "z_dim": 8}


def test_format_setting():
    assert (format_setting(("a=1", "b=2")), format_setting(()), format_setting(0.5), format_setting(None)) == (
        "a=1 b=2",
        "none",
        "0.5",
        "None",
    )


@pytest.fixture
def older_run(test_data):
    """Return the folder with a run of 40 steps and its export by that version, see its SOURCE.md."""
    return test_data / "older_run"


@pytest.mark.integration
def test_an_older_run_can_be_resumed(older_run, tmp_path, capsys):
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
    current = dataclasses.asdict(dcgan.Config(steps=42, z_dim=16, g_channels=8, d_channels=8))
    assert config == json.loads(json.dumps({k: v for k, v in current.items() if k not in ADDED[""]}))
    resumed = read_settings(config, dcgan.Config, "config.json", "dcgan")
    assert (resumed.matmul_precision, resumed.penalty_precision) == ("default", "default")


@pytest.mark.integration
def test_an_older_export_gives_the_same_samples(older_run, tmp_path):
    """The command runs in a separate process, which compiles as for users. Processors round differently."""
    asked = ["sample", older_run / "old.jaxgan", "--count", 4, "--seed", 1, "--out", tmp_path / "new.npz"]
    command = [sys.executable, "-m", "jaxgan", *map(str, asked)]
    subprocess.run(command, cwd=programs.ROOT, env=os.environ | programs.AS_USERS, check=True, timeout=600)
    old, new = (np.load(file)["images"] for file in (older_run / "old.npz", tmp_path / "new.npz"))
    np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"steps": "abc"}, "steps in a must be of the type int, got 'abc'"),
     ({"g_channels": True}, "g_channels in a must be of the type int, got True"),
     ({"norm": "loud"}, r"norm in a must be of the type Literal\['batch', 'none'\], got 'loud'"),
     ({"sweep": (1,)}, r"sweep in a must be of the type tuple\[str, \.\.\.\], got \(1,\)"),
     ({"resolution": 8.5}, r"resolution in a must be of the type int \| None, got 8\.5")],
)  # fmt: skip
def test_values_of_the_wrong_type_are_rejected(values, message):
    with pytest.raises(ValueError, match=f"The value of {message}"):
        check_types(values, dcgan.Config, "a")
    check_types({"steps": 3, "learning_rate": 1, "resolution": None, "sweep": ("a=1",)}, dcgan.Config, "a")
