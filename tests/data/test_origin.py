"""Tests of the origin of data: it is known for the bundled data, and for no other data."""

import pytest

from jaxgan.data import photos
from jaxgan.data.origin import PHOTOS, UNKNOWN, describe_origin


def test_every_photograph_has_an_origin():
    assert set(PHOTOS) == set(photos.COLOUR) | set(photos.GREY)
    origin = describe_origin("photos")
    assert all(name in origin for name in photos.COLOUR) and "gravel" not in origin
    assert describe_origin("photos:gravel") == "tiles of photographs: gravel, from CC0Textures (CC0)"


@pytest.mark.parametrize("data", ["digits", "stacked:digits"])
def test_digits_have_an_origin(data):
    assert "Alpaydin" in describe_origin(data) and "CC BY 4.0" in describe_origin(data)


def test_other_data_have_an_unknown_origin(tmp_path, monkeypatch):
    assert describe_origin("mnist") == describe_origin(str(tmp_path)) == describe_origin("tiles:digits") == UNKNOWN
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert describe_origin("digits") == UNKNOWN  # the user's folder of this name takes precedence
    assert "plane" in describe_origin("ring")
