"""Runs that are used from another directory than they were trained in, or after their images were removed."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from experiments import gan
from jaxgan.cli import experiment_files
from jaxgan.cli.program import main
from jaxgan.evaluation import classifier
from jaxgan.interop import read_metadata
from jaxgan.monitoring.data_paths import hide_folders, list_folders

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


@pytest.fixture(scope="module")
def samples(trained):
    """Return samples that the run drew while its images were in their place."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(trained)
        code, text = ran(programs.Silent(), "sample", trained, "--out", "with.npz", "--count", 4)
        assert code == 0, text
    return np.load(trained / "with.npz")["images"]


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


def test_sample_and_export_do_not_require_the_images(elsewhere, samples, capsys):
    shutil.rmtree(elsewhere / "pictures")
    gone = f"data pictures could not be found, and the run's data is no longer at {elsewhere / 'pictures'}. Move"
    code, text = ran(capsys, "sample", elsewhere, "--out", "without.npz", "--count", 4)
    assert code == 0 and f"warning: {NOT_NEEDED} {gone}" in text, text
    np.testing.assert_array_equal(np.load("without.npz")["images"], samples)
    code, text = ran(capsys, "export", elsewhere, "--out", "a.jaxgan")
    assert code == 0 and gone in text, text
    for command, name, *flags in (("evaluate", "data", "--metrics", "prdc"), ("resume", "--data", "--steps", 2)):
        code, text = ran(capsys, command, elsewhere, *flags)
        fix = f"{gone.removeprefix('data')} the data back, or resume the run with {name} set to their new place."
        assert code == 2 and f"error: {name}{fix}" in text, text


def test_sample_does_not_require_the_images_of_a_run_of_an_older_version(elsewhere, capsys):
    record_path(elsewhere, lambda _: None)
    code, text = ran(capsys, "sample", elsewhere, "--out", "a.npz", "--count", 4)
    assert code == 0 and f"warning: {NOT_NEEDED} data 'pictures' does not exist" in text, text


def test_exported_files_contain_no_folders_of_this_machine(elsewhere, capsys):
    """An unconditional model does not need the names of the classes either."""
    file = elsewhere / "run" / "config.json"
    record = json.loads(file.read_text())
    record["config"]["data"] = str(elsewhere / "pictures")
    file.write_text(json.dumps(record))
    flags = ("--metrics", "fid", "--features", "random", "--count", 4)
    code, text = ran(capsys, "evaluate", elsewhere, *flags)
    assert code == 0, text
    for name in ("a.safetensors", "b.jaxgan"):
        code, text = ran(capsys, "export", elsewhere, "--out", name)
        assert code == 0, text
    with zipfile.ZipFile("b.jaxgan") as archive:
        parts = {f"b.jaxgan/{name}": archive.read(name) for name in archive.namelist()}
    parts |= {name: Path(name).read_bytes() for name in ("a.safetensors", "a.md")}
    for name, content in parts.items():
        assert str(elsewhere).encode() not in content and str(elsewhere.parent).encode() not in content, name
    metadata = read_metadata(Path("a.safetensors"))
    assert json.loads(metadata["config"])["data"] == metadata["data"] == ".../pictures"
    assert json.loads(metadata["examples"])["classes"] == []
    card = Path("a.md").read_text()
    assert "fd_random" in card and '"name": ".../pictures"' in card and "gan in .../run" in card, card
    code, text = programs.run(capsys, "sample", "--parameters", "a.safetensors", "--out", "a.npz", experiment="gan")
    assert code == 0 and len(np.load("a.npz")["images"]), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tiles:/home/anna/photos", "tiles:.../photos"),
        ("/home/anna/a to /home/anna/deep/b", ".../a to .../b"),
        ("gan in ../../anna/run, member 1", "gan in .../run, member 1"),
        ("cycle_gan/horse2zebra", "cycle_gan/horse2zebra"),
        ("/home/annabel/photos", "/home/annabel/photos"),
        (["/home/anna/photos", 3, None], [".../photos", 3, None]),
    ],
)
def test_folders_are_hidden_in_strings(text, expected):
    config = gan.Config(data="/home/anna/photos")
    folders = list_folders(config, {"data_a": "/home/anna/deep/b", "data": "/top"}, Path("../../anna/run"))
    assert "/home/anna" in folders and "/" not in folders
    assert hide_folders(text, folders) == expected


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


@pytest.mark.parametrize("name", ["pictures/", "./pictures", "{}/mine/pictures", "link", "copy"])
def test_resume_accepts_the_same_data_at_any_place_and_records_it(elsewhere, name, capsys, monkeypatch):
    monkeypatch.chdir(elsewhere)
    (elsewhere / "link").symlink_to(elsewhere / "pictures")
    shutil.copytree(elsewhere / "pictures", elsewhere / "copy")
    place = name.format(elsewhere.parent)
    if name == "copy":
        shutil.rmtree(elsewhere / "pictures")
    code, text = ran(capsys, "resume", elsewhere, "--data", place)
    assert code == 0 and "nothing to do: the run is at step 1 of 1" in text, text
    record = json.loads((elsewhere / "run" / "config.json").read_text())
    assert record["config"]["data"] == place
    assert record["data"]["paths"]["data"] == str(elsewhere / place.rstrip("/").removeprefix("./"))
    code, text = ran(capsys, "resume", elsewhere)  # the new place is used from now on
    assert code == 0 and "nothing to do" in text, text


def test_training_again_accepts_the_same_data_under_another_name(elsewhere, capsys, monkeypatch):
    monkeypatch.chdir(elsewhere)
    flags = [*programs.tiny("gan"), "--num-held-out", 2, "--steps", 1, "--run-dir", "run"]
    for name in ("./pictures", str(elsewhere / "pictures")):
        code, text = programs.run(capsys, *flags, "--data", name, experiment="gan")
        assert code == 0 and "nothing to do" in text, text
    code, text = programs.run(capsys, *flags, "--data", "digits", experiment="gan")
    assert code == 2 and "--data has changed since the run in run was started: the recorded value of" in text, text


def change_one_image(folder):
    file = next(folder.rglob("*.png"))
    Image.fromarray(255 - np.asarray(Image.open(file))).save(file)


def remove_one_image(folder):
    next(folder.rglob("*.png")).unlink()


def rename_a_class(folder):
    (folder / "a").rename(folder / "c")


CHANGES = {
    change_one_image: "the number and shape of the examples are as recorded, but the hash of 12 of the",
    remove_one_image: "the recorded value of examples is 12, got 11",
    rename_a_class: "the number and shape of the examples are as recorded, but the hash of 12 of the",
}


@pytest.mark.parametrize(("change", "difference"), CHANGES.items(), ids=[change.__name__ for change in CHANGES])
def test_other_data_of_the_same_name_are_refused(elsewhere, samples, change, difference, capsys):
    change(elsewhere / "pictures")
    changed = f"data has changed since the run in {elsewhere / 'run'} was started: {difference}"
    code, text = ran(capsys, "resume", elsewhere, "--steps", 2)
    assert code == 2 and f"error: --{changed}" in text and "To train with other data" in text, text
    code, text = ran(capsys, "evaluate", elsewhere, "--metrics", "prdc")
    assert code == 2 and f"error: {changed}" in text, text
    code, text = ran(capsys, "sample", elsewhere, "--out", "after.npz", "--count", 4)
    assert code == 0 and f"warning: {NOT_NEEDED} {changed}" in text, text
    np.testing.assert_array_equal(np.load("after.npz")["images"], samples)


def test_a_run_of_an_older_version_requires_data_at_the_same_place(elsewhere, capsys, monkeypatch):
    monkeypatch.chdir(elsewhere)
    shutil.copytree(elsewhere / "pictures", elsewhere / "copy")
    record = json.loads((elsewhere / "run" / "config.json").read_text())
    record["data"] = {name: record["data"][name] for name in ("examples", "shape", "classes", "paths")}
    (elsewhere / "run" / "config.json").write_text(json.dumps(record))
    code, text = ran(capsys, "resume", elsewhere, "--data", "copy")
    assert code == 2 and "--data is pictures in the run in" in text, text
    code, text = ran(capsys, "resume", elsewhere, "--data", "./pictures")
    assert code == 0, text
    assert "hash" in json.loads((elsewhere / "run" / "config.json").read_text())["data"]


def test_data_that_another_decoder_may_have_changed_are_a_warning(elsewhere, capsys):
    record = json.loads((elsewhere / "run" / "config.json").read_text())
    record["data"]["hash"] |= {"decoder": "Pillow 1.0", "sha256": "0"}
    (elsewhere / "run" / "config.json").write_text(json.dumps(record))
    code, text = ran(capsys, "resume", elsewhere)
    assert code == 0 and text.count("warning: `data` has changed") == 1, text
    assert "other versions (Pillow 1.0 before, jaxgan" in text, text


# The experiment of a user, with a source of its own


class Table:
    """Images in a text file, one in each line."""

    classes, shape = (), (8, 8, 1)

    def __init__(self, path):
        self.name, self._rows = path, np.loadtxt(path, np.float32)

    def __len__(self):
        return len(self._rows)

    def read(self, indices):
        return {"image": self._rows[indices].reshape(-1, 8, 8, 1)}


def build_own(config, source=None):
    return gan.build(config, Table(config.data) if source is None else source)


def test_the_experiment_of_a_user_is_used_without_its_data_and_resumed_with_moved_data(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).uniform(-1, 1, (12, 64))
    np.savetxt("rows.txt", rows)

    def ran(*arguments):
        try:
            main("own", gan.Config, build_own, "About.", [*map(str, arguments), "--run-dir", "run"])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, "".join(capsys.readouterr())

    code, text = ran(*programs.tiny("gan"), "--data", "rows.txt", "--steps", 1)
    assert code == 0, text
    (tmp_path / "rows.txt").rename(tmp_path / "moved.txt")
    for command in (["sample", "--out", "a.npz", "--count", 4], ["export", "--out", "a.safetensors"]):
        code, text = ran(*command)
        assert code == 0 and NOT_NEEDED in text, text
    assert "- `rows.txt`: the source and the licence are unknown" in (tmp_path / "a.md").read_text()
    code, text = ran("resume", "--data", "moved.txt", "--steps", 2)
    assert code == 0 and "resumed from step 1" in text, text
    np.savetxt("moved.txt", -rows)
    code, text = ran("resume", "--steps", 3)
    assert code == 2 and "but the hash of 12 of the examples differs" in text, text


def test_a_private_run_records_no_hash_of_its_examples(tmp_path):
    run = programs.begun(tmp_path / "run", "gan", dp_noise_multiplier=1.0, dp_l2_clip=1.0)
    record = json.loads((run / "config.json").read_text())
    assert "hash" not in record["data"] and record["data"]["examples"] == 1797


# Commands of every experiment without its data


def take_data_away(run):
    """Change the recorded settings of a run, so that they name data that do not exist."""
    record = json.loads((run / "config.json").read_text())
    for name in ("data", "test_data"):
        if record["config"].get(name) is not None:
            record["config"][name] = f"gone/{name}"
    (run / "config.json").write_text(json.dumps(record))


@pytest.mark.parametrize("experiment", experiment_files.names())
def test_no_experiment_needs_its_data_to_use_a_checkpoint(experiment, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = programs.begun(tmp_path / "run", experiment, programs.filled_state)
    translates = experiment in ("cyclegan", "pix2pix", "srgan")
    take_data_away(run)

    def ran(command, *flags):
        return programs.run(capsys, command, "--run-dir", run, *flags, experiment=experiment)

    for name in ("a.safetensors", "a.jaxgan") if experiment == "r3gan" else ("a.safetensors",):
        code, text = ran("export", "--out", name)
        assert code == 0 and NOT_NEEDED in text, text
    if translates:
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save("photo.png")
        code, text = ran("translate", "--images", "photo.png", "--out", "translated")
        assert code == 0 and (tmp_path / "translated" / "photo.png").exists(), text
        code, text = ran("sample", "--out", "a.npz", "--count", 2)
        assert code == 2 and "translations of these images. To translate other images, use the command" in text, text
    else:
        code, text = ran("sample", "--out", "a.npz", "--count", 2)
        assert code == 0 and len(next(iter(np.load("a.npz").values()))) == 2, text
    for command in ("inspect", "report"):
        code, text = ran(command)
        assert code == 0, text
