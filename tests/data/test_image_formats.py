"""Tests of the formats of images: all that Pillow decodes are read, by all readers, and nothing is executed."""

import io
import sys

import numpy as np
import pytest
from helpers.files import archive, encoded, folder, noise
from helpers.image_samples import COLOUR, SAMPLES, SIZE
from PIL import Image, UnidentifiedImageError

from jaxgan import data
from jaxgan.data import image_formats
from jaxgan.data.decoding import read_pixels
from jaxgan.data.images import ImageFiles
from jaxgan.data.tiles import load_tiles
from jaxgan.editing.image_files import list_images
from jaxgan.editing.pictures import read_picture


def only(source):
    (image,) = source.read(np.arange(len(source)))["image"]
    return image


def halves(path):
    batch = data.pairs.load(str(path), halves="any").read(np.array([0]))
    return np.concatenate([batch["input"][0], batch["image"][0]], 1)


def of_list(read):
    def first(path):
        files, (name,) = list_images(path)
        return read(files, name)

    return first


# Every function reads the only image of a folder or zip, uint8 [SIZE, SIZE, 3].
READERS = {
    "load": lambda path: only(data.load(str(path), channels=3)),
    "a source": lambda path: only(ImageFiles(path, channels=3)),
    "a resolution": lambda path: only(ImageFiles(path, SIZE, 3)),
    "pairs in one file": lambda path: only_colour(halves(path)),
    "pairs of files": lambda path: only(data.pairs.load(str(path), str(path), channels=3)),
    "unpaired": lambda path: only(data.unpaired.load(str(path), str(path), channels=3)),
    "tiles": lambda path: only(load_tiles(path, SIZE, 3)),
    "project": of_list(lambda files, name: read_pixels(files, name, 3, SIZE)),
    "translate": of_list(lambda files, name: read_picture(files, name, 3).frames[0]),
}


def only_colour(image):
    return np.broadcast_to(image, (*image.shape[:2], 3))


@pytest.mark.filterwarnings("ignore:.*ICNS.*alpha channel")  # Pillow decodes the file to know that it has none
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_decodes_every_format(reader, tmp_path):
    for name, (suffix, content, pixels, tolerance) in SAMPLES.items():
        make = archive if len(name) % 2 else folder
        path = make(tmp_path / f"{name}.zip", {f"a{suffix}": content})
        expected = only_colour(pixels if pixels.ndim == 3 else pixels[..., None]).astype(int)
        np.testing.assert_allclose(READERS[reader](path).astype(int), expected, atol=tolerance, rtol=0, err_msg=name)


def test_every_format_of_pillow_is_read_or_refused_for_a_reason():
    Image.init()
    assert set(image_formats.readable_formats()) == set(Image.OPEN) - set(image_formats.NOT_READ)
    assert set(Image.OPEN) - set(image_formats.NOT_READ) - set(SAMPLES) <= {"PCD"}  # its files are always large
    for name in Image.SAVE_ALL.keys() | Image.SAVE.keys():
        assert name in {*SAMPLES, *image_formats.NOT_READ, "PDF", "PALM"}  # Pillow cannot read the last two


def test_formats_with_characteristic_first_bytes_are_tried_first():
    has_no_beginning = [Image.OPEN[name][1] is None for name in image_formats.readable_formats()]
    assert has_no_beginning == sorted(has_no_beginning) and any(has_no_beginning)


def test_suffixes_are_those_of_the_formats():
    suffixes = image_formats.image_suffixes()
    assert suffixes >= {".jpg", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".tif", ".bmp", ".jp2", ".mpo"}
    assert not suffixes & {".eps", ".ps", ".pdf", ".wmf", ".mpg", ".h5", ".grib", ".fits", ".iim", ".npz", ".zip"}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.eps"])
def test_postscript_is_never_executed(name, tmp_path, monkeypatch):
    def fail(*arguments):
        raise AssertionError("Ghostscript was executed.")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", fail)
    path = folder(tmp_path, {name: encoded(COLOUR, "eps"), "b.png": encoded(COLOUR, "png")})
    if name == "a.eps":
        with pytest.warns(UserWarning, match=r": left out 1 file that is not an image: 1 \.eps\."):
            assert len(ImageFiles(path)) == 1
    else:
        with pytest.raises(ValueError, match=r"a\.\w+ is not an image, or its format is not supported"):
            ImageFiles(path)
    with pytest.raises(ValueError, match=r"its format is not supported|the format of .* is unknown"):
        READERS["translate"](tmp_path / name)


def test_a_container_that_pillow_opens_with_all_formats_is_refused():
    """An IPTC file can contain an EPS file, which Pillow would let Ghostscript execute."""
    iptc = b"\x1c\x03\x3c\x00\x02\x01\x00\x1c\x03\x14\x00\x02\x00\x10\x1c\x03\x1e\x00\x02\x00\x10\x1c\x08\x0a\x00\x00"
    with pytest.raises(UnidentifiedImageError):
        image_formats.open_image(io.BytesIO(iptc))


@pytest.mark.parametrize("make", [folder, archive])
def test_the_content_determines_the_format(make, tmp_path):
    files = {
        "a.jpg": encoded(COLOUR, "png"),
        "b.png": encoded(COLOUR, "bmp"),
        "c": encoded(COLOUR, "webp", lossless=True),
    }
    source = ImageFiles(make(tmp_path / "data.zip", files))
    np.testing.assert_array_equal(source.read(np.arange(3))["image"], [COLOUR] * 3)


def test_a_single_file_with_an_unknown_suffix_is_recognized(tmp_path):
    folder(tmp_path, {"a.jpg_large": encoded(COLOUR, "png")})
    np.testing.assert_array_equal(READERS["translate"](tmp_path / "a.jpg_large"), COLOUR)


KINDS = {
    "one": (["a.txt"], "left out 1 file that is not an image: 1 .txt."),
    "several": (["a.txt", "b/c.TXT", "d.json"], "left out 3 files that are not images: 2 .txt, 1 .json."),
    "no suffix": (["README"], "left out 1 file that is not an image: 1 without a suffix."),
    "phones": (["a.heic"], "left out 1 file that is not an image: 1 .heic (install pillow-heif to read them)."),
    "many kinds": ([f"a.{kind}" for kind in "abcdefgh"],
                   "left out 8 files that are not images: 1 .a, 1 .b, 1 .c, 1 .d, 1 .e, 3 others."),
    "hidden": ([".a.txt"], None),
}  # fmt: skip


@pytest.mark.parametrize("make", [folder, archive])
@pytest.mark.parametrize(("names", "message"), KINDS.values(), ids=KINDS.keys())
def test_files_that_are_left_out_are_counted_in_one_line(names, message, make, tmp_path, recwarn):
    path = make(tmp_path / "data.zip", {"x.png": noise(), **dict.fromkeys(names, b"some text, which is no image")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.filters", [("always", None, Warning, None, 0)])
        data.load(str(path))
    assert [str(warning.message) for warning in recwarn] == ([f"{path}: {message}"] if message else [])


def test_installed_plugins_add_formats(tmp_path, monkeypatch):
    """The plugin registers a format when it is imported, as pillow-heif does."""
    code = """
import io
from PIL import BmpImagePlugin, Image

def create(file, name):
    return BmpImagePlugin.BmpImageFile(io.BytesIO(file.read()[4:]))

Image.register_open("MADE", create, lambda prefix: prefix.startswith(b"MADE"))
Image.register_extension("MADE", ".made")
"""
    folder(tmp_path / "plugins", {"made_plugin.py": code.encode()})
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    monkeypatch.setitem(image_formats.PLUGINS, "made_plugin", ("made", (".made",)))
    image_formats._import_plugins.cache_clear()
    before = dict(Image.OPEN), dict(Image.EXTENSION), list(Image.ID)
    try:
        assert ".made" in image_formats.image_suffixes()
        path = folder(tmp_path / "images", {"a.made": b"MADE" + encoded(COLOUR, "bmp")})
        np.testing.assert_array_equal(only(ImageFiles(path)), COLOUR)
    finally:
        Image.OPEN, Image.EXTENSION, Image.ID = before
        sys.modules.pop("made_plugin", None)
        image_formats._import_plugins.cache_clear()


def test_files_are_recognized_by_their_beginning():
    for suffix in ("png", "gif", "webp", "jpeg"):
        assert image_formats.is_recognized(io.BytesIO(encoded(COLOUR, suffix)))
    # The beginning of a BMP file, "BM", also occurs in texts. Shorter files than the beginning are no images.
    for content in (encoded(COLOUR, "bmp"), encoded(COLOUR, "eps"), b"BMI of 20 people", encoded(COLOUR, "png")[:10]):
        assert not image_formats.is_recognized(io.BytesIO(content))
