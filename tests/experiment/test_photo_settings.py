"""Settings that the preset ``photos`` chooses from the number and the size of images."""

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
def test_the_resolution_is_a_power_of_two_that_most_images_have(side, on_accelerator, resolution):
    assert choose(pictures(typical_side=side), on_accelerator=on_accelerator).resolution == resolution


def test_a_given_resolution_is_used():
    assert choose(pictures(typical_side=5), 96) == PhotoSettings(96, True, 64_000, False)


@pytest.mark.parametrize("on_accelerator", [False, True])
def test_images_are_few_if_each_is_trained_on_often(on_accelerator):
    for count, few in ((200, True), (1_279, True), (1_280, on_accelerator), (200_000, False)):
        chosen = choose(pictures(count), on_accelerator=on_accelerator)
        assert chosen.few is few, count
        assert few == (chosen.num_images / count > 50)


@pytest.mark.parametrize(("resolution", "base"), [(8, 4), (64, 4), (96, 6), (28, 7), (50, 25)])
def test_the_base_resolution_doubles_to_the_resolution(resolution, base):
    assert PhotoSettings(resolution, False, 64_000, False).base_resolution == base


def test_images_that_are_too_small_are_rejected():
    message = (
        "`data` 'holiday' has too many small images: the shorter side of a quarter of them is at most 7 pixels. Use "
        "larger images, or set `resolution` to at least 8."
    )
    with pytest.raises(ValueError, match=message):
        choose(pictures(typical_side=7))


def test_data_must_be_set():
    with pytest.raises(ValueError, match=r"`preset` photos is for your own images\. Set `data` to their folder"):
        choose_for(dcgan.Config(), {"steps": 3})


@pytest.mark.parametrize(("given_resolution", "resolution"), [(None, 16), (32, 32)])
def test_the_images_of_a_folder_are_measured(given_resolution, resolution, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    folder = files.folder(tmp_path, {f"{i}.png": files.noise((20, 30)) for i in range(3)})
    given = {"data": str(folder)}
    if given_resolution is not None:
        given["resolution"] = given_resolution
    assert choose_for(dcgan.Config(**given), given) == PhotoSettings(resolution, True, 32_000, False)
