"""Tests of metrics of images that are rectangles, have different sizes, or have other modes than RGB."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers import files
from helpers.programs import run_console
from PIL import Image

import jaxgan
from jaxgan.data import load
from jaxgan.data.uncropped import ImageSequence
from jaxgan.evaluation import InceptionFeatures, compare
from jaxgan.evaluation.preprocessing import resize_clean, resize_each, resize_tf1, resize_tf1_on_host

pytestmark = [
    pytest.mark.usefixtures("few_at_a_time"),
    pytest.mark.filterwarnings(
        "ignore:.*is not the file of pytorch-fid", "ignore:The covariance", "ignore:.*images, of which"
    ),
]

RNG = np.random.default_rng(3)
SIZES = [(40, 33), (20, 61), (299, 299), (310, 120), (17, 17), (33, 40)]  # height and width


def picture(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    files.inception(path)
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder of images of different sizes, and the images."""
    folder, images = tmp_path_factory.mktemp("mixed"), [picture(*size) for size in SIZES]
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder, images


class Means:
    """Feature extractor without weights. Its features are the mean colours of the corners of the resized images."""

    protocol, resizes_images = {"features": "means"}, True

    def __init__(self, resize=resize_clean):
        self._resize = resize

    def __call__(self, images):
        small = resize_each(images, self._resize, 32) if isinstance(images, ImageSequence) else self._resize(images, 32)
        small = np.repeat(small, 3, -1) if small.shape[-1] == 1 else small
        return np.concatenate([small[:, :8].mean((1, 2)), small[:, :, :8].mean((1, 2))], -1)


def clean_fid_resize(image):
    """Resize an image as ``build_resizer("clean")`` of clean-fid does: each channel as a float image of Pillow."""
    channels = [
        np.asarray(Image.fromarray(image[..., c].astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    return np.stack([channel.clip(0, 255) for channel in channels], -1)


def test_images_of_different_sizes_are_resized_as_in_clean_fid(mixed, weights):
    folder, images = mixed
    network = InceptionFeatures(weights, 64, resize="clean")
    source = load(str(folder), uncropped=True)
    assert len(source) == 6 and source.shape == (310, 299, 3)
    # The images are already 299 x 299, so that the network does not resize them.
    expected = network.unrounded(np.stack([clean_fid_resize(image) for image in images]) / 127.5 - 1)
    np.testing.assert_allclose(network(source.read(np.arange(6))["image"]), expected, atol=1e-5)


def test_features_of_768_equal_clean_fid(mixed, test_data):
    folder, images = mixed
    network = InceptionFeatures(test_data / "inception" / "inception2015_conv_to_mixed7_f16.npz", 768, resize="clean")
    found = network(load(str(folder), uncropped=True).read(np.arange(6))["image"])
    expected = network.unrounded(np.stack([clean_fid_resize(image) for image in images]) / 127.5 - 1)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_resize_tf1_on_host_equals_the_compiled_method(size):
    image = picture(*size)[None]
    np.testing.assert_allclose(resize_tf1_on_host(image, 299), resize_tf1(image, 299), atol=1e-3)


@pytest.mark.parametrize("resize", [resize_clean, resize_tf1_on_host])
def test_a_rectangle_is_not_cropped(resize, tmp_path):
    """The result equals the result for arrays, which have always been resized without cropping."""
    images = np.stack([picture(40, 60) for _ in range(9)])
    other = np.stack([picture(30, 30) // 2 for _ in range(9)])
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    features = Means(resize)
    files_fid, arrays_fid = (float(jaxgan.fid(x, other, features=features)) for x in (tmp_path, images))
    assert files_fid == pytest.approx(arrays_fid, rel=1e-4)


def test_one_image_is_in_memory_at_a_time(tmp_path):
    """Reading 16 images of 3 MB at once would take 48 MB."""
    for i in range(16):
        Image.fromarray(np.full((1000, 1000 + i, 3), i, np.uint8)).save(tmp_path / f"{i}.png", compress_level=1)
    source = load(str(tmp_path), uncropped=True)
    tracemalloc.start()
    compare(source, source, ("fid",), Means())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def as_zip(images):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, image in enumerate(images):
            content = io.BytesIO()
            image.save(content, "png")
            archive.writestr(f"{i}.png", content.getvalue())
    return file.getvalue()


def modes():
    """Images of one content in every mode. Grey, 16-bit and transparent images equal the RGB images."""
    grey = [picture(12, 20 + i, 1)[..., 0] for i in range(7)]
    opaque = [np.full((*image.shape, 1), 255, np.uint8) for image in grey]
    rgb = [np.repeat(image[..., None], 3, -1) for image in grey]
    return {
        "rgb": [Image.fromarray(image) for image in rgb],
        "grey": [Image.fromarray(image) for image in grey],
        "16 bits": [Image.fromarray(image.astype(np.uint16) * 257) for image in grey],
        "opaque": [Image.fromarray(np.concatenate(pair, -1)) for pair in zip(rgb, opaque)],
        "palette": [Image.fromarray(image).convert("P") for image in grey],
    }


@pytest.mark.parametrize("mode", ["grey", "16 bits", "opaque", "palette"])
def test_every_mode_is_converted(mode, tmp_path):
    images = modes()
    for name in ("rgb", mode):
        (tmp_path / f"{name}.zip").write_bytes(as_zip(images[name]))
    other = np.stack([picture(9, 9) for _ in range(8)])
    found = [float(jaxgan.fid(tmp_path / f"{name}.zip", other, features=Means())) for name in ("rgb", mode)]
    assert found[1] == pytest.approx(found[0], rel=1e-6)


@pytest.mark.integration
def test_fid_of_folders_of_different_sizes_on_the_command_line(mixed, weights, tmp_path, capsys):
    folder, _ = mixed
    square = tmp_path / "square"
    square.mkdir()
    for i in range(5):
        Image.fromarray(picture(20, 20)).save(square / f"{i}.png")
    out = tmp_path / "fid.json"
    flags = ("--weights", weights, "--features", "inception-64", "--resize", "clean", "--out", out)
    code, text = run_console(capsys, "fid", folder, square, *flags)
    assert code == 0 and text.startswith("fid_64 ")
    assert '"sizes": "different"' in out.read_text()
    code, cropped = run_console(capsys, "fid", folder, square, *flags, "--resolution", 20)
    assert code == 0 and cropped.split()[1] != text.split()[1]


@pytest.mark.integration
@pytest.mark.parametrize(("missing", "name"), [("a", "A"), ("b", "B")])
def test_the_missing_set_is_named(missing, name, mixed, weights, tmp_path, capsys):
    sets = [tmp_path / "nothing" if missing == which else mixed[0] for which in "ab"]
    code, text = run_console(capsys, "fid", *sets, "--weights", weights, "--features", "inception-64")
    assert code == 2 and text.startswith(f"error: {name} '{tmp_path / 'nothing'}' does not exist."), text


def test_features_of_one_size_refuse_images_of_different_sizes(mixed):
    class Pixel:
        protocol = {"features": "pixel"}  # noqa: RUF012

        def __call__(self, images):
            return images[:, 0, 0]

    source = load(str(mixed[0]), uncropped=True)
    with pytest.raises(ValueError, match=r"have different sizes or are not square, .* Set `resolution`, to crop"):
        compare(source, source, ("fid",), Pixel())


def test_labels_that_are_not_read_are_not_called_missing(tmp_path):
    shapes = {"cat/a.png": (8, 9), "cat/b.png": (9, 8), "dog/a.png": (8, 8), "dog/b.png": (7, 8)}
    path = files.folder(tmp_path / "set", {name: files.encoded(picture(*s), "png") for name, s in shapes.items()})
    with pytest.warns(UserWarning, match=r"set has images of different sizes, which are read without labels unless"):
        jaxgan.evaluation.fid(str(path), str(path))


def test_a_damaged_image_is_named(mixed, tmp_path):
    for i, image in enumerate(mixed[1]):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    content = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"3\.png cannot be decoded"):
        jaxgan.fid(tmp_path, mixed[0], features=Means())
