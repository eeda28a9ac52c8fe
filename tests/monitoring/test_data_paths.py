"""Tests of the recorded absolute paths of a run's data."""

import dataclasses
from types import SimpleNamespace

import pytest

from jaxgan.monitoring.data_paths import find_data_paths, locate_data


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


def test_a_recorded_path_replaces_a_path_that_does_not_exist(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    config, paths = Config("stacked:tiles:photos"), {"data": str(tmp_path / "photos")}
    assert locate_data(config, paths) == Config(f"stacked:tiles:{tmp_path / 'photos'}")
    assert locate_data(config, {}) == config
    monkeypatch.chdir(tmp_path)
    assert locate_data(config, paths) == config
    with pytest.raises(
        ValueError,
        match=r"`data` gone could not be found, and the run's data is no longer at /no/where\. Move the data back",
    ):
        locate_data(Config("gone"), {"data": "/no/where"})
