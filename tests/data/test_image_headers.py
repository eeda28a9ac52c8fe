"""Tests of the one line that says what the files of a data set contain and decoded pixels do not show."""

import struct
import warnings

import numpy as np
import pytest
from helpers.files import archive, encoded, folder, noise
from helpers.pngs import make_png
from PIL import Image, ImageCms

from jaxgan import data
from jaxgan.data.folders import find_images
from jaxgan.data.image_headers import Headers, read_headers
from jaxgan.data.images import ImageFiles

RNG = np.random.default_rng(0)
COLOUR = Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8))
OTHERS = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(2)]
DEEP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
FRAMES = "with several frames, pages or layers (only the first is read)"
DEPTH = "with more than 8 bits per channel (reduced to 8)"
ALPHA = "with an alpha channel (blended with white)"
SPACE = "with a colour profile or gamma other than sRGB (converted to sRGB)"
OBLONG = "with pixels that are not square (read as squares)"


def frames(suffix):
    return encoded(COLOUR, suffix, save_all=True, append_images=OTHERS)


def converted(mode, suffix="png", **options):
    image = COLOUR.convert(mode)
    if mode.endswith("A"):
        image.putalpha(128)
    return encoded(image, suffix, **options)


def palette(**options):
    return encoded(COLOUR.quantize(8), "png", **options)


def rgb16(**chunks):
    return make_png(8, 8, 16, 2, bytes(8 * 49), **chunks)


LAB = encoded(
    ImageCms.profileToProfile(COLOUR, *map(ImageCms.createProfile, ("sRGB", "LAB")), outputMode="LAB"), "tiff"
)
# By name: the suffix and content of a file, and what the line says of it.
CONTENTS = {
    "alpha": (".png", converted("RGBA"), [ALPHA]),
    "alpha of grey": (".png", converted("LA"), [ALPHA]),
    "alpha of tga": (".tga", converted("RGBA", "tga"), [ALPHA]),
    "alpha of webp": (".webp", converted("RGBA", "webp"), [ALPHA]),
    "alpha of avif": (".avif", converted("RGBA", "avif"), [ALPHA]),
    "alpha of tiff": (".tif", converted("RGBA", "tiff"), [ALPHA]),
    "premultiplied alpha of tiff": (".tif", converted("RGBA", "tiff", tiffinfo={338: 1}), [ALPHA]),
    "alpha of dds": (".dds", converted("RGBA", "dds"), [ALPHA]),
    "alpha of jp2": (".jp2", converted("RGBA", "jpeg2000"), [ALPHA]),
    "a transparent entry of a palette": (".png", palette(transparency=1), [ALPHA]),
    "half-transparent entries of a palette": (".png", palette(transparency=b"\0\x80"), [ALPHA]),
    "a transparent colour": (".png", encoded(COLOUR, "png", transparency=(1, 2, 3)), [ALPHA]),
    "a transparent grey": (".png", converted("L", transparency=3), [ALPHA]),
    "a transparent colour of a gif": (".gif", encoded(COLOUR.quantize(8), "gif", transparency=1), [ALPHA]),
    "an animated gif": (".gif", frames("gif"), [FRAMES]),
    "an animated webp": (".webp", frames("webp"), [FRAMES]),
    "an animated png": (".png", frames("png"), [FRAMES]),
    "an animated avif": (".avif", frames("avif"), [FRAMES]),
    "pages of a tiff": (".tif", frames("tiff"), [FRAMES]),
    "a photograph of a phone": (".jpg", frames("mpo"), [FRAMES]),
    "sizes of an icon": (".ico", encoded(COLOUR.resize((32, 32)), "ico", sizes=[(16, 16), (32, 32)]),
                         ["with several sizes (only the largest is read)"]),
    "16 bits of grey": (".png", encoded(DEEP, "png"), [DEPTH]),
    "16 bits of colour": (".png", rgb16(), [DEPTH]),
    "16 bits of tiff": (".tif", encoded(DEEP, "tiff"), [DEPTH]),
    "16 bits of jp2": (".jp2", encoded(DEEP, "jpeg2000"), [DEPTH]),
    "16 bits of pgm": (".pgm", encoded(DEEP, "ppm"), [DEPTH]),
    "16 bits of ppm": (".ppm", b"P6 8 8 65535\n" + bytes(384), [DEPTH]),
    "floats": (".tif", encoded(DEEP.astype(np.float32) / 65535, "tiff"), [DEPTH]),
    "inks": (".jpg", converted("CMYK", "jpeg"), ["in CMYK (converted to RGB)"]),
    "inks of tiff": (".tif", converted("CMYK", "tiff"), ["in CMYK (converted to RGB)"]),
    "luma and chroma of tiff": (".tif", converted("YCbCr", "tiff"), ["in YCbCr (converted to RGB)"]),
    "lab": (".tif", LAB, ["in LAB (converted to RGB)"]),
    "a linear gamma": (".png", make_png(8, 8, 8, 0, bytes(72), gAMA=struct.pack(">I", 100_000)), [SPACE]),
    "oblong pixels of png": (".png", make_png(8, 8, 8, 0, bytes(72), pHYs=struct.pack(">2IB", 1, 2, 0)), [OBLONG]),
    "oblong pixels of jpg": (".jpg", encoded(COLOUR, "jpeg", dpi=(100, 200)), [OBLONG]),
    "oblong pixels of tiff": (".tif", encoded(COLOUR, "tiff", dpi=(100, 200)), [OBLONG]),
    "several": (".tif", encoded(DEEP, "tiff", save_all=True, append_images=[Image.fromarray(DEEP)]), [FRAMES, DEPTH]),
    # Nothing is lost or assumed.
    "8 bits": (".png", encoded(COLOUR, "png"), []),
    "a palette": (".png", palette(), []),
    "1 bit": (".png", converted("1"), []),
    "one frame": (".gif", encoded(COLOUR, "gif"), []),
    "square pixels of tiff": (".tif", encoded(COLOUR, "tiff", dpi=(300, 300)), []),
    "square pixels": (".jpg", encoded(COLOUR, "jpeg", dpi=(300, 300)), []),
    "the gamma of sRGB": (".png", make_png(8, 8, 8, 0, bytes(72), gAMA=struct.pack(">I", 45_455)), []),
    "a profile of sRGB": (".png", encoded(COLOUR, "png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), []),
    "text, background and time": (".png", make_png(8, 8, 8, 0, bytes(72), tEXt=b"Title\0x", bKGD=b"\0\1", tIME=bytes(7)), []),
}  # fmt: skip


@pytest.mark.parametrize("make", [folder, archive])
@pytest.mark.parametrize(("suffix", "content", "expected"), CONTENTS.values(), ids=CONTENTS.keys())
def test_what_is_lost_is_said_in_one_line(suffix, content, expected, make, tmp_path):
    path = make(tmp_path / "data.zip", {f"{i}{suffix}": content for i in range(3)})
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        source = data.load(str(path))
    parts = "; ".join(f"3 {part}" for part in expected)
    assert [str(warning.message) for warning in shown] == ([f"{path}: 3 images, of which {parts}."] if expected else [])
    assert len(source) == 3


def test_alpha_is_not_blended_if_it_is_requested(tmp_path):
    source = ImageFiles(folder(tmp_path, {"a.png": converted("RGBA")}), channels=4)
    assert source.shape == (8, 8, 4)


def test_sizes_that_are_enlarged_or_cut_off_are_counted(tmp_path):
    sizes = {"a": (8, 8), "b": (1, 1), "c": (5000, 1), "d": (40, 20), "e": (20, 100)}
    path = folder(tmp_path, {f"{name}.png": noise(size) for name, size in sizes.items()})
    message = (
        r": 5 images, of which 3 smaller than 16 x 16 \(enlarged\); 2 at least 4 times as long as wide \(only the central"
        r" square is read\)\.$"
    )
    with pytest.warns(UserWarning, match=message):
        source = data.load(str(path), resolution=16)
    assert source.shape == (16, 16, 1)


def test_tiles_say_how_many_images_are_too_small(tmp_path):
    path = folder(tmp_path, {"a.png": noise((32, 32)), "b.png": noise((15, 32)), "c.png": noise((1, 1))})
    message = r"tiles:.*: left out 2 of 3 images, because they are smaller than a tile of 16 x 16 pixels\."
    with pytest.warns(UserWarning, match=message):
        assert len(data.load(f"tiles:{path}", resolution=16)) == 9


@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp", "tiff", "avif", "mpo"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_headers_have_the_size_of_the_upright_image(suffix, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if suffix == "tiff" else {"exif": exif}
    path = folder(tmp_path, {f"a.{suffix}": encoded(COLOUR.resize((12, 8)), suffix, **options)})
    (size,) = read_headers(*find_images(path)).sizes
    pairs = data.pairs.load(str(path), str(path), channels=3)  # raises an error if the decoded size differs
    assert pairs.shape[:2] == size == ((12, 8) if orientation in (5, 6, 8) else (8, 12))


@pytest.mark.parametrize("second", [converted("LA"), converted("RGB")])
def test_headers_summarise_all_images(second, tmp_path):
    path = folder(tmp_path, {"a.png": noise((8, 6)), "b.png": second})
    is_grey = second == converted("LA")
    assert read_headers(*find_images(path)) == Headers(str(path), [(6, 8), (8, 8)], is_grey, int(is_grey), {})
