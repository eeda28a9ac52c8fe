"""Tests of the decoding of single files: large, small and damaged ones, and every colour mode of Pillow."""

import contextlib
import struct
import warnings

import numpy as np
import pytest
from helpers.files import archive, encoded, folder, noise
from helpers.image_samples import SAMPLES
from helpers.pngs import make_png
from PIL import Image

from jaxgan import data
from jaxgan.data import decoding
from jaxgan.data.decoding import convert_channels, decode_colours, read_pixels
from jaxgan.data.folders import find_images
from jaxgan.data.images import ImageFiles

LARGE = np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8)


@pytest.fixture
def limits(monkeypatch):
    """Lower the limits of large images, and Pillow's own limit, which must not matter."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    monkeypatch.setattr(decoding, "LARGE", 5000)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 40_000)


def read(path, channels=3, resolution=None):
    files, (name,) = find_images(path)
    return read_pixels(files, name, channels, resolution)


@pytest.mark.parametrize("action", ["ignore", "error"])
@pytest.mark.parametrize("suffix", ["png", "jpeg", "tiff", "webp", "bmp"])
def test_large_images_are_read(suffix, action, limits, tmp_path):
    """Pillow warns of images above its limit, and refuses images above twice its limit."""
    path = folder(tmp_path, {f"a.{suffix}": encoded(LARGE, suffix)})
    with warnings.catch_warnings():
        warnings.simplefilter(action, Image.DecompressionBombWarning)
        assert ImageFiles(path, 16).read(np.array([0]))["image"].shape == (1, 16, 16, 3)
        assert read(path).shape == (180, 200, 3)
        left = data.pairs.load(str(path), halves="any").read(np.array([0]))["input"]
    assert left.shape == (1, 180, 100, 3)
    assert Image.MAX_IMAGE_PIXELS == 50


def test_pillow_keeps_its_limit_for_small_files_and_after_large_files(tmp_path):
    usual, inside = Image.MAX_IMAGE_PIXELS, []
    files = {"small.png": noise((8, 8)), "large.png": noise((600, 600))}
    found = find_images(folder(tmp_path, files))
    for name in files:
        decoding.decode(found[0], name, lambda image: inside.append(Image.MAX_IMAGE_PIXELS))
    assert inside == [usual, decoding.MAX_PIXELS]
    assert usual == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("make", [folder, archive])
def test_images_with_too_many_pixels_are_refused(make, limits, tmp_path):
    path = make(tmp_path / "a.zip", {"a.png": noise((201, 200))})
    with pytest.raises(
        ValueError, match=r"a\.png has 201 x 200 pixels, and at most 40,000 pixels can be read\. Reduce"
    ):
        ImageFiles(path, 16)


@pytest.mark.parametrize("make", [folder, archive])
def test_small_files_that_declare_large_images_are_refused(make, limits, tmp_path, monkeypatch):
    """The file is checked before memory for its pixels is allocated, also if it declares more than it contains."""
    monkeypatch.setattr(decoding, "PIXELS_PER_BYTE", 100)
    for rows in (bytes(201 * 180), b""):
        bomb = make_png(200, 180, 8, 0, rows)
        path = make(tmp_path / f"{len(rows)}.zip", {"a.png": bomb})
        message = (
            rf"a\.png declares 200 x 180 pixels, but has only {len(bomb)} bytes\. It was not decoded, because it may"
        )
        with pytest.raises(ValueError, match=message):
            ImageFiles(path, 16)


def test_an_image_of_a_single_colour_is_no_bomb():
    """Colour images of one colour are the most compressible images of users, such as drawings with large areas."""
    side = 3000
    content = encoded(Image.new("RGB", (side, side)), "png")
    assert side * side < decoding.PIXELS_PER_BYTE * len(content)
    grey = encoded(Image.new("L", (side, side)), "png")
    assert side * side > decoding.PIXELS_PER_BYTE * len(grey)


def test_large_photographs_are_reduced_while_they_are_decoded(limits, tmp_path):
    """The result is close to the result without the reduction, which needs more memory."""
    rows, columns = np.mgrid[:160, :200]
    pixels = np.stack([rows, columns, 255 - rows], -1).astype(np.uint8)
    path = folder(tmp_path, {"a.jpg": encoded(pixels, "jpeg", quality=95)})
    sizes, load = [], decoding.convert_channels

    def convert(image, channels):
        sizes.append(image.size)
        return load(image, channels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "convert_channels", convert)
        reduced = read(path, resolution=16)
        patch.setattr(decoding, "LARGE", 10**6)
        complete = read(path, resolution=16)
    assert sizes == [(50, 40), (200, 160)]
    np.testing.assert_allclose(reduced.astype(int), complete, atol=4)


DAMAGED = {
    "empty": (b"", r"a\.png is empty\. Replace or remove the file\."),
    "one byte": (b"\x89", r"a\.png is not an image, or its format is not supported\. Replace"),
    "a signature": (b"\x89PNG\r\n\x1a\n", r"a\.png is not an image"),
    "text": (b"this is text\nof several lines\n", r"a\.png is not an image"),
    "zeros": (bytes(1000), r"a\.png is not an image"),
    "truncated": (noise((64, 64))[:-500], r"a\.png cannot be decoded: .*If the file is damaged, replace or remove it\."),
    "no pixels": (make_png(64, 64, 8, 0, b""), r"a\.png cannot be decoded"),
    "no width": (make_png(0, 4, 8, 0, b""), r"a\.png (is not an image|cannot be opened)"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_files_are_named(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(folder(tmp_path, {"a.png": content}))


def test_any_error_of_a_decoder_names_the_file(tmp_path, monkeypatch):
    """Decoders of damaged files raise errors of many types."""
    path = folder(tmp_path, {"a.png": noise()})
    for error in (AssertionError, KeyError("x"), RecursionError("deep"), struct.error("short"), MemoryError()):

        def fail(image, error=error):
            raise error

        with pytest.raises(ValueError, match=r"a\.png cannot be decoded: \S"):
            decoding.decode(*(lambda files, names: (files, names[0]))(*find_images(path)), fail)


@pytest.mark.parametrize(
    "suffix", ["png", "jpeg", "gif", "webp", "tiff", "avif", "jpeg2000", "ico", "tga", "qoi", "psd"]
)
def test_mutated_files_raise_no_other_errors(suffix, tmp_path):

    names = {"jpeg2000": "JPEG2000", "psd": "PSD", "jpeg": "JPEG", "tiff": "TIFF"}
    content = SAMPLES[names.get(suffix, suffix.upper())][1]
    rng = np.random.default_rng(0)
    for _ in range(30):
        mutated = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 6)):
            mutated[place] = rng.integers(256)
        path = folder(tmp_path, {"a.png": bytes(mutated[: rng.integers(1, len(content) + 1)])})
        with contextlib.suppress(ValueError):
            read(path, resolution=4)


MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I;16"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_is_converted(mode, channels):
    colour = Image.new("RGBA", (4, 4), (255, 0, 0, 255))
    steps = {"La": ("LA", "La"), "RGBa": ("RGBA", "RGBa"), "I;16": ("L", "I;16"), "HSV": ("RGB", "HSV")}
    image = colour
    for step in steps.get(mode, (mode,)):
        image = image.convert(step)
    converted = np.asarray(convert_channels(image, channels)).reshape(4, 4, channels)[0, 0].astype(int)
    grey = {"1": 0}.get(mode, 76) if mode in ("1", "L", "LA", "La", "I;16") else None
    if mode == "I;16":
        grey = 0  # 76 of 65,535
    expected = [255, 0, 0] if grey is None else [grey] * 3
    expected = [76] if channels == 1 and grey is None else expected[:channels] if channels == 1 else expected
    np.testing.assert_allclose(converted, expected + [255] * (channels == 4), atol=2)


# By name: the bit depth, the colour type, one row of pixels, the tRNS chunk, and the pixels over white.
TRANSPARENT = {
    "2 bits of grey": (2, 0, b"\x1b", ">H", [2], [[0], [85], [255], [255]]),
    "4 bits of grey": (4, 0, b"\x1f\x02", ">H", [15], [[17], [255], [0], [34]]),
    "1 bit": (1, 0, b"\x50", ">H", [0], [[255], [255], [255], [255]]),
    "16 bits of grey": (16, 0, struct.pack(">4H", 0, 257, 1000, 65535), ">H", [1000], [[0], [1], [255], [255]]),
    "16 bits of colour": (16, 2, struct.pack(">12H", *[4660, 22136, 39612], *[0] * 9), ">3H", [4660, 22136, 39612],
                          [[255] * 3, [0] * 3, [0] * 3, [0] * 3]),
}  # fmt: skip


@pytest.mark.parametrize(("bits", "kind", "row", "code", "colour", "expected"), TRANSPARENT.values(), ids=TRANSPARENT)
def test_the_transparent_colour_of_a_png_has_the_depth_of_its_pixels(bits, kind, row, code, colour, expected, tmp_path):
    content = make_png(4, 1, bits, kind, b"\0" + row, tRNS=struct.pack(code, *colour))
    pixels = read(folder(tmp_path, {"a.png": content}), channels=len(expected[0]))
    np.testing.assert_array_equal(pixels[0], expected)


@pytest.mark.parametrize(
    ("mode", "expected"), [("1", "L"), ("L", "L"), ("LA", "LA"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("RGBa", "RGBA")]
)
def test_colours_and_alpha_stay_separate_and_upright(mode, expected):
    image = Image.new("RGBA", (3, 2), (40, 40, 40, 128))
    image = image.convert(mode) if mode in ("LA", "RGBa") else image.convert("RGB").convert(mode)
    image.getexif()[0x0112] = 6
    decoded = decode_colours(image)
    assert (decoded.mode, decoded.size) == (expected, (2, 3))
    if mode in ("LA", "RGBa"):
        assert decoded.getchannel("A").getextrema() == (128, 128)
        np.testing.assert_allclose(decoded.getchannel(0), 40, atol=1)
