"""Tests of the survey, which counts and measures images without decoding them."""

import numpy as np
import pytest
from helpers import files

from jaxgan.data import datasets
from jaxgan.data.survey import MAX_HEADERS, Survey, survey


def test_sides_are_measured_from_the_files_of_a_folder(tmp_path):
    sizes = [(100, 40), (50, 80), (70, 60), (90, 90), (30, 20)]  # shorter sides 20, 40, 50, 60, 90
    folder = files.folder(tmp_path, {f"{i}.png": files.noise(size, "RGB") for i, size in enumerate(sizes)})
    assert survey(str(folder)) == Survey(str(folder), 5, smallest_side=20, typical_side=40, channels=3)


@pytest.mark.parametrize(("modes", "channels"), [(("L", "L"), 1), (("L", "RGB"), 3)])
def test_a_zip_is_grey_if_all_files_are_grey(modes, channels, tmp_path):
    archive = files.archive(tmp_path / "a.zip", {f"{i}.png": files.noise(mode=mode) for i, mode in enumerate(modes)})
    assert survey(str(archive)).channels == channels


def test_a_large_folder_is_sampled_from_its_first_to_its_last_file(tmp_path):
    count = 3 * MAX_HEADERS
    small, large = files.noise((8, 8)), files.noise((16, 16))
    folder = files.folder(tmp_path, {f"{i:04}.png": large if i else small for i in range(count)})
    (folder / "0001.png").write_bytes(b"not an image, and not inspected")
    assert survey(str(folder)) == Survey(str(folder), count, smallest_side=8, typical_side=16, channels=1)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_arrays_are_measured_from_their_header(suffix, tmp_path, monkeypatch):
    images, path = np.zeros((7, 12, 10, 3), np.uint8), tmp_path / f"a.{suffix}"
    np.savez(path, images=images) if suffix == "npz" else np.save(path, images)
    monkeypatch.setattr(np.lib.format, "read_array", None)  # the pixels cannot be read
    assert survey(str(path)) == Survey(str(path), 7, smallest_side=10, typical_side=10, channels=3)


def test_bundled_data_can_be_surveyed():
    assert survey("digits") == Survey("digits", 1797, smallest_side=8, typical_side=8, channels=1)
    tiles = survey("photos")
    assert (tiles.typical_side, tiles.channels) == (64, 3)


def test_a_tfds_data_set_may_have_images_of_different_sizes(monkeypatch):
    class Several:
        shape = (30, 20, 3)

        def __len__(self):
            return 40

        def read(self, indices):
            (index,) = indices
            return {"image": np.zeros((1, 30, 20 + int(index), 3), np.uint8)}

    monkeypatch.setattr(datasets, "load", lambda name: Several())
    assert survey("horses") == Survey("horses", 40, smallest_side=20, typical_side=27, channels=3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/nowhere/photos", r"`data` '/nowhere/photos' does not exist\."),
        ("nowhere.zip", r"`data` 'nowhere\.zip' does not exist\."),
        ("ring", r"`data` 'ring' must contain images \[height, width, channels\], got examples of shape \(2,\)\."),
    ],
)
def test_data_without_images_raise(name, message):
    with pytest.raises(ValueError, match=message):
        survey(name)


def test_an_array_file_without_images_raises_with_its_contents(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match=r"a\.npz has no array 'images'\. It contains: pictures\."):
        survey(str(tmp_path / "a.npz"))
