"""What follows from pictures for the presets ``photos``."""

import jax
import pytest
from helpers import files

from experiments import dcgan
from jaxgan.data.survey import Survey
from jaxgan.experiment.photo_settings import PhotoSettings, choose, choose_for


def pictures(count=300, typical_side=300):
    return Survey("holiday", count, smallest_side=5, typical_side=typical_side, channels=3)


@pytest.mark.parametrize(
    ("side", "on_accelerator", "resolution"),
    [(300, False, 64), (300, True, 256), (5000, True, 256), (63, False, 32), (63, True, 32), (8, False, 8)],
)
def test_the_resolution_is_a_power_of_two_that_most_pictures_have(side, on_accelerator, resolution):
    assert choose(pictures(typical_side=side), on_accelerator=on_accelerator).resolution == resolution


def test_a_resolution_that_is_asked_for_is_kept():
    assert choose(pictures(typical_side=5), 96) == PhotoSettings(96, True, 64_000, False)


@pytest.mark.parametrize("on_accelerator", [False, True])
def test_pictures_are_few_if_each_is_shown_often(on_accelerator):
    for count, few in ((200, True), (1_279, True), (1_280, on_accelerator), (200_000, False)):
        chosen = choose(pictures(count), on_accelerator=on_accelerator)
        assert chosen.few is few, count
        assert few == (chosen.num_images / count > 50)


@pytest.mark.parametrize(("resolution", "base"), [(8, 4), (64, 4), (96, 6), (28, 7), (50, 25)])
def test_generators_grow_images_from_a_side_that_doubles_to_the_resolution(resolution, base):
    assert PhotoSettings(resolution, False, 64_000, False).base_resolution == base


def test_pictures_that_are_too_small():
    told = (
        "`data` 'holiday': a quarter of the pictures are at most 7 pixels high or wide; give larger ones, or set `resol"
    )
    with pytest.raises(ValueError, match=told):
        choose(pictures(typical_side=7))


def test_pictures_have_to_be_named():
    with pytest.raises(
        ValueError, match="`preset` photos is for pictures of your own; give their folder or zip as `data`"
    ):
        choose_for(dcgan.Config(), {"steps": 3})


@pytest.mark.parametrize(("asked", "resolution"), [(None, 16), (32, 32)])
def test_a_folder_is_looked_at_unless_a_resolution_is_asked_for(asked, resolution, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    folder = files.folder(tmp_path, {f"{i}.png": files.noise((20, 30)) for i in range(3)})
    given = {"data": str(folder), **({} if asked is None else {"resolution": asked})}
    assert choose_for(dcgan.Config(**given), given) == PhotoSettings(resolution, True, 32_000, False)
