"""Tests of JPEG files that are decoded at a fraction of their size: they look as if they were decoded completely."""

import dataclasses
import importlib

import numpy as np
import pytest
from helpers import programs
from helpers.files import encoded, folder
from PIL import Image

from experiments import dcgan
from experiments.benchmarks.loader import smooth_noise
from jaxgan import data
from jaxgan.data import decoding, unpaired
from jaxgan.data.decoding import decode_draft, read_pixels
from jaxgan.data.folders import find_images
from jaxgan.data.images import ImageFiles
from jaxgan.experiment import quality
from jaxgan.experiment.settings_file import read_settings

PHOTO = Image.fromarray(smooth_noise(np.random.default_rng(0), 400))
# Limits of the mean and the largest difference from complete decoding, in grey levels. If the crop were wrong by half a
# pixel of the reduced image, the mean difference would be above 6.
MEAN, LARGEST = 1.2, 12


def jpeg(image=PHOTO, quality=95, **options) -> bytes:
    return encoded(image, "jpeg", quality=quality, **options)


def both(path, resolution, channels=3):
    """Return the pixels of the only image of a folder with ``draft`` and without."""
    files, (name,) = find_images(path)
    return [read_pixels(files, name, channels, resolution, jpeg_draft=draft) for draft in (True, False)]


def check_similar(path, resolution, channels=3):
    fast, exact = both(path, resolution, channels)
    (file,) = path.iterdir()
    with Image.open(file) as image:
        np.testing.assert_array_equal(decode_draft(image, channels, resolution), fast)
    assert fast.shape == exact.shape == (resolution, resolution, channels) and fast.dtype == np.uint8
    difference = np.abs(fast.astype(int) - exact)
    assert difference.any()  # otherwise, the image was decoded completely
    assert difference.mean() < MEAN and difference.max() <= LARGEST, (difference.mean(), difference.max())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(391, 293), (257, 385)])
def test_images_are_not_shifted_if_the_fraction_does_not_divide_their_size(size, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = PHOTO.crop((5, 3, 5 + size[0], 3 + size[1]))
    check_similar(folder(tmp_path, {"a.jpg": jpeg(image, exif=exif)}), 32)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("L", 3), ("RGB", 1), ("RGB", 4), ("CMYK", 3)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_colours_are_converted_as_without_a_draft(mode, channels, options, tmp_path):
    check_similar(folder(tmp_path, {"a.jpg": jpeg(PHOTO.convert(mode), **options)}), 48, channels)


@pytest.mark.parametrize("side", [128, 255, 256, 400])
def test_the_reduced_image_is_at_least_twice_as_large_as_the_result(side, tmp_path, monkeypatch):
    sizes, convert = [], decoding.convert_channels

    def recorded(image, channels):
        image = convert(image, channels)
        sizes.append(image.size)
        return image

    monkeypatch.setattr(decoding, "convert_channels", recorded)
    path = folder(tmp_path, {"a.jpg": jpeg(PHOTO.resize((side, side)))})
    fast, exact = both(path, 64)
    reduced = side >= 256
    assert sizes == [((side + 1) // 2,) * 2 if reduced else (side, side), (side, side)]
    assert reduced or (fast == exact).all()


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_other_formats_are_decoded_completely(suffix, tmp_path):
    fast, exact = both(folder(tmp_path, {f"a.{suffix}": encoded(PHOTO, suffix)}), 32)
    np.testing.assert_array_equal(fast, exact)


def test_a_damaged_file_is_named(tmp_path):
    path = folder(tmp_path, {"a.jpg": jpeg()[:3000]})
    with pytest.raises(ValueError, match=r"a\.jpg cannot be decoded: .* replace or remove it"):
        ImageFiles(path, 32, jpeg_draft=True).read(np.array([0]))


@pytest.fixture
def photos(tmp_path):
    files = {f"{i}.jpg": jpeg(PHOTO.crop((i, i, i + 300, i + 300))) for i in range(8)}
    return folder(tmp_path / "photos", files)


def test_data_are_decoded_completely_unless_a_draft_is_requested(photos, tmp_path):
    exact, fast = (ImageFiles(photos, 16, jpeg_draft=draft).read(np.arange(8))["image"] for draft in (False, True))
    assert (exact != fast).any()
    config = dataclasses.replace(dcgan.Config(), data=str(photos), resolution=16)
    for found, expected in (
        (data.load(str(photos), resolution=16), exact),
        (data.load(str(photos), resolution=16, jpeg_draft=True), fast),
        (unpaired.load(str(photos), str(photos), resolution=16).images, exact),
        (unpaired.load(str(photos), str(photos), resolution=16, jpeg_draft=True).inputs, fast),
        (config.load_images(), exact),
        (dataclasses.replace(config, jpeg_draft=True).load_images(), fast),
    ):
        found = found.read(np.arange(8))
        np.testing.assert_array_equal(found.get("image"), expected)


def test_runs_of_older_versions_are_read_without_a_draft(capsys):
    values = dataclasses.asdict(dcgan.Config())
    del values["jpeg_draft"]
    assert not read_settings(values, dcgan.Config, "config.json", "dcgan").jpeg_draft
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("experiment", ["cyclegan", "srgan", "pix2pix"])
def test_experiments_that_load_their_data_themselves_use_the_setting(experiment, photos):
    module = importlib.import_module(f"experiments.{experiment}")
    more = {"cyclegan": {"data_a": str(photos)}, "pix2pix": {"inputs": "grey"}}.get(experiment, {})
    exact, fast = (
        module.build(module.Config.tiny(data=str(photos), resolution=16, jpeg_draft=draft, **more)).source
        for draft in (False, True)
    )
    exact, fast = (source.read(np.arange(4))["image"] for source in (exact, fast))
    assert (exact != fast).any()


@pytest.mark.integration
@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_evaluations_compare_with_completely_decoded_images(command, photos, tmp_path, capsys, monkeypatch):
    exact, fast = (ImageFiles(photos, 8, jpeg_draft=draft).read(np.arange(8))["image"] for draft in (False, True))
    compared, evaluate = [], quality.evaluate

    def recorded(experiment, *arguments, **options):
        compared.append(experiment.reference.read(np.arange(8))["image"])
        return evaluate(experiment, *arguments, **options)

    monkeypatch.setattr(quality, "evaluate", recorded)
    settings = {"data": str(photos), "resolution": 8, "jpeg_draft": True}
    if command == "evaluate":
        path = programs.begun(tmp_path / "run", "gan", **settings)
        arguments = ("evaluate", "--run-dir", path, "--features", "random", "--metrics", "fid", "--count", 16)
    else:
        flags = ["--data", photos, "--resolution", 8, "--jpeg-draft", "--steps", 2, "--devices", 1]
        evaluated = ["--evaluate-every", 2, "--features", "random", "--evaluate-count", 16]
        arguments = ("train", *programs.tiny("gan"), *flags, *evaluated, "--run-dir", tmp_path / "run")
    code, text = programs.run(capsys, *arguments, experiment="gan")
    assert code == 0, text
    assert (exact != fast).any() and compared
    for images in compared:
        np.testing.assert_array_equal(images, exact)
