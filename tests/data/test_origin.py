"""Where data come from: what comes along is known, and nothing else."""

import pytest

from jaxgan.data import photos
from jaxgan.data.origin import PHOTOS, UNKNOWN, describe_origin


def test_every_photograph_is_told():
    assert set(PHOTOS) == set(photos.COLOUR) | set(photos.GREY)
    assert all(name in describe_origin("photos") for name in photos.COLOUR) and "gravel" not in describe_origin(
        "photos"
    )
    assert describe_origin("photos:gravel") == "tiles of photographs: gravel, of CC0Textures (CC0)"


@pytest.mark.parametrize("data", ["digits", "stacked:digits"])
def test_digits(data):
    assert "Alpaydin" in describe_origin(data) and "CC BY 4.0" in describe_origin(data)


def test_what_is_not_known(tmp_path, monkeypatch):
    assert describe_origin("mnist") == describe_origin(str(tmp_path)) == describe_origin("tiles:digits") == UNKNOWN
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert describe_origin("digits") == UNKNOWN  # a user's folder of that name
    assert "plane" in describe_origin("ring")
