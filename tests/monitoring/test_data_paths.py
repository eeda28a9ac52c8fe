"""Tests of the recorded absolute paths of a run's data."""

import dataclasses
from types import SimpleNamespace

import pytest

from jaxgan.monitoring.data_paths import find_data_paths, is_same_place, locate_data


@dataclasses.dataclass(frozen=True)
class Config:
    data: str = "digits"
    data_a: str | None = None
    test_data: str | None = None


def test_find_data_paths_returns_the_paths_of_existing_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    config = Config("stacked:photos", "tiles:photos", "photos:china")
    both = {"data": str(tmp_path / "photos"), "data_a": str(tmp_path / "photos")}
    assert find_data_paths(config) == both
    assert find_data_paths(Config()) == find_data_paths(SimpleNamespace(data=3)) == {}


def test_the_recorded_path_is_used_while_it_exists(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "other" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "other")
    config, paths = Config("stacked:tiles:photos"), {"data": str(tmp_path / "photos")}
    assert locate_data(config, paths) == Config(f"stacked:tiles:{tmp_path / 'photos'}")
    assert locate_data(config, {}) == config
    (tmp_path / "photos").rmdir()
    assert locate_data(config, paths) == config


def test_data_at_neither_place_are_an_error_unless_they_may_be_missing():
    config, paths = Config("gone"), {"data": "/no/where"}
    with pytest.raises(
        ValueError,
        match=r"`data` gone could not be found, and the run's data is no longer at /no/where\. Move the data back, or "
        r"resume the run with `data` set to their new place\.$",
    ):
        locate_data(config, paths)
    assert locate_data(config, paths, may_be_missing=True) == config


def test_one_place_has_many_names(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("photos/", "./photos", "photos/../photos", str(tmp_path / "photos"), "link"):
        assert is_same_place("photos", name) and is_same_place("tiles:photos", f"tiles:{name}")
    for name in ("copy", "gone", "tiles:photos"):
        assert not is_same_place("photos", name)
    monkeypatch.chdir(tmp_path / "copy")
    assert is_same_place("photos", str(tmp_path / "photos"), str(tmp_path / "photos"))
    assert not is_same_place("digits", "digits")  # a name of built-in data is no place
