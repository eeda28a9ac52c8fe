"""Runs that are used from another directory than they were trained in, or after their images were removed."""

import json
import shutil

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.evaluation import classifier

pytestmark = pytest.mark.integration

NOT_NEEDED = "The data of the run could not be loaded. This command does not need them."


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with images of two classes, and a run that was trained on them with a relative path."""
    folder = tmp_path_factory.mktemp("trained")
    for i in range(12):
        path = folder / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)).save(path)
    flags = [*programs.tiny("gan"), "--data", "pictures", "--num-held-out", 2, "--steps", 1, "--quiet"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert programs.run(programs.Silent(), *flags, "--run-dir", "run", experiment="gan")[0] == 0
    return folder


@pytest.fixture
def elsewhere(trained, tmp_path, monkeypatch):
    """Copy the folder, and change to a working directory without images."""
    shutil.copytree(trained, tmp_path / "mine")
    record_path(tmp_path / "mine", lambda _: str(tmp_path / "mine" / "pictures"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return tmp_path / "mine"


def record_path(folder, change):
    """Change the path of the images in config.json. None removes the path; older versions did not record it."""
    file = folder / "run" / "config.json"
    record = json.loads(file.read_text())
    record["data"]["paths"]["data"] = change(record["data"]["paths"]["data"])
    if record["data"]["paths"]["data"] is None:
        del record["data"]["paths"]
    file.write_text(json.dumps(record))


def ran(capsys, command, folder, *flags):
    return programs.run(capsys, command, "--run-dir", folder / "run", *flags, experiment="gan")


def test_config_json_records_the_setting_as_typed_and_the_absolute_path(trained):
    record = json.loads((trained / "run" / "config.json").read_text())
    assert record["config"]["data"] == "pictures"
    assert record["data"]["paths"] == {"data": str(trained / "pictures")}


def test_a_run_is_used_from_another_directory(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", (2, 2))
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere / "cache"))
    for command, *flags in (
        ("sample", "--out", "a.npz", "--count", 4),
        ("export", "--out", "a.safetensors"),
        ("evaluate", "--metrics", "prdc", "--count", 8),
        ("resume", "--steps", 2, "--quiet"),
    ):
        code, text = ran(capsys, command, elsewhere, *flags)
        assert code == 0 and "could not be loaded" not in text, text
    record = json.loads((elsewhere / "run" / "config.json").read_text())
    assert (record["config"]["data"], record["config"]["steps"]) == ("pictures", 2)
    assert record["data"]["paths"] == {"data": str(elsewhere / "pictures")}


def test_sample_and_export_do_not_require_the_images(elsewhere, capsys):
    assert ran(capsys, "sample", elsewhere, "--out", "with.npz", "--count", 4)[0] == 0
    shutil.rmtree(elsewhere / "pictures")
    gone = f"data pictures could not be found, and the run's data is no longer at {elsewhere / 'pictures'}. Move"
    code, text = ran(capsys, "sample", elsewhere, "--out", "without.npz", "--count", 4)
    assert code == 0 and f"warning: {NOT_NEEDED} {gone}" in text, text
    images = [np.load(name)["images"] for name in ("with.npz", "without.npz")]
    np.testing.assert_array_equal(*images)
    code, text = ran(capsys, "export", elsewhere, "--out", "a.jaxgan")
    assert code == 0 and gone in text, text
    for command, *flags in (("evaluate", "--metrics", "prdc"), ("resume", "--steps", 2)):
        code, text = ran(capsys, command, elsewhere, *flags)
        assert code == 2 and f"error: {gone} the data back," in text, text


def test_sample_does_not_require_the_images_of_a_run_of_an_older_version(elsewhere, capsys):
    record_path(elsewhere, lambda _: None)
    code, text = ran(capsys, "sample", elsewhere, "--out", "a.npz", "--count", 4)
    assert code == 0 and f"warning: {NOT_NEEDED} data 'pictures' does not exist" in text, text


def test_export_refuses_other_suffixes(elsewhere, capsys):
    code, text = ran(capsys, "export", elsewhere, "--out", "d.onnx")
    assert code == 2 and "error: --out must be a .jaxgan or .safetensors file, got d.onnx." in text, text


def test_samples_of_a_run_below_the_data_folder_are_not_loaded_as_data(trained, tmp_path, capsys, monkeypatch):
    shutil.copytree(trained / "pictures", tmp_path / "pictures")
    monkeypatch.chdir(tmp_path / "pictures")
    flags = [*programs.tiny("gan"), "--data", ".", "--run-dir", "runs/gan", "--sample-every", 1]
    for steps in (1, 2):
        code, text = programs.run(capsys, *flags, "--steps", steps, experiment="gan")
        assert code == 0, text
        assert list((tmp_path / "pictures").glob("runs/gan/samples/*.png"))
