"""A run that is used from another directory than it was trained in, after its pictures were moved, or beside them."""

import json
import shutil

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.evaluation import classifier

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures of two classes, and a run that was trained beside them, with a relative path."""
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
    """The run's folder, copied; the working directory is another, where there are no pictures."""
    shutil.copytree(trained, tmp_path / "mine")
    record_path(tmp_path / "mine", lambda _: str(tmp_path / "mine" / "pictures"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return tmp_path / "mine"


def record_path(folder, change):
    """Change the path of the pictures in a run's record; None removes it, as in records of older versions."""
    file = folder / "run" / "config.json"
    record = json.loads(file.read_text())
    record["data"]["paths"]["data"] = change(record["data"]["paths"]["data"])
    if record["data"]["paths"]["data"] is None:
        del record["data"]["paths"]
    file.write_text(json.dumps(record))


def ran(capsys, command, folder, *flags):
    return programs.run(capsys, command, "--run-dir", folder / "run", *flags, experiment="gan")


def test_the_record_has_the_setting_as_it_was_typed_and_the_absolute_path(trained):
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
        code, told = ran(capsys, command, elsewhere, *flags)
        assert code == 0 and "data are not there" not in told, told
    record = json.loads((elsewhere / "run" / "config.json").read_text())
    assert (record["config"]["data"], record["config"]["steps"]) == ("pictures", 2)
    assert record["data"]["paths"] == {"data": str(elsewhere / "pictures")}


def test_samples_and_exports_need_no_pictures(elsewhere, capsys):
    assert ran(capsys, "sample", elsewhere, "--out", "with.npz", "--count", 4)[0] == 0
    shutil.rmtree(elsewhere / "pictures")
    gone = f"data pictures could not be found, and the run's data is no longer at {elsewhere / 'pictures'}. Move it"
    code, told = ran(capsys, "sample", elsewhere, "--out", "without.npz", "--count", 4)
    assert code == 0 and f"warning: the data are not there, and are not needed here: {gone}" in told, told
    images = [np.load(name)["images"] for name in ("with.npz", "without.npz")]
    np.testing.assert_array_equal(*images)
    code, told = ran(capsys, "export", elsewhere, "--out", "a.jaxgan")
    assert code == 0 and gone in told, told
    for command, *flags in (("evaluate", "--metrics", "prdc"), ("resume", "--steps", 2)):
        code, told = ran(capsys, command, elsewhere, *flags)
        assert code == 2 and f"error: {gone} a link in their place." in told, told


def test_samples_of_a_run_of_an_older_version_need_no_pictures(elsewhere, capsys):
    record_path(elsewhere, lambda _: None)
    code, told = ran(capsys, "sample", elsewhere, "--out", "a.npz", "--count", 4)
    assert code == 0 and "warning: the data are not there, and are not needed here: data 'pictures': no such" in told


def test_an_export_has_one_of_two_suffixes(elsewhere, capsys):
    code, told = ran(capsys, "export", elsewhere, "--out", "d.onnx")
    assert code == 2 and "error: --out must be a .jaxgan or .safetensors file, got d.onnx." in told, told


def test_a_run_below_its_pictures_does_not_take_its_samples_for_more_of_them(trained, tmp_path, capsys, monkeypatch):
    shutil.copytree(trained / "pictures", tmp_path / "pictures")
    monkeypatch.chdir(tmp_path / "pictures")
    flags = [*programs.tiny("gan"), "--data", ".", "--run-dir", "runs/gan", "--sample-every", 1]
    for steps in (1, 2):
        code, told = programs.run(capsys, *flags, "--steps", steps, experiment="gan")
        assert code == 0, told
        assert list((tmp_path / "pictures").glob("runs/gan/samples/*.png"))
