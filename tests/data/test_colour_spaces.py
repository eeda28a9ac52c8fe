"""Tests of the conversion to sRGB, with profiles that are computed from the definitions of their spaces."""

import io
import struct

import numpy as np
import pytest
from helpers.files import encoded
from helpers.pngs import make_png
from PIL import Image, ImageCms

from jaxgan.data.colour_spaces import is_other_space, to_srgb
from jaxgan.data.decoding import convert_channels

# Primaries of Display P3 in the CIE XYZ space with the white point D50, as rows of red, green and blue.
P3 = np.array([[0.5151, 0.2412, -0.0011], [0.2920, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841]])
SRGB_TO_XYZ = np.array([[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7142]])


def profile(primaries=None, gamma=2.2, space=b"RGB "):
    """Return an ICC profile: matrix and gamma for colours, or gamma for grey images."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78), b"wtpt": xyz((0.9642, 1, 0.8249))}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for letter, row in zip(b"rgb", primaries):
            tags[bytes([letter]) + b"XYZ"] = xyz(row)
            tags[bytes([letter]) + b"TRC"] = curve
    offset, table, content = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">2I", offset + len(content), len(value))
        content += value
    header = struct.pack(">I4sI4s4s4s12x4s28x3i", 132 + len(table) - 4 + len(content), b"test", 0x02400000, b"mntr", space,
                         b"XYZ ", b"acsp", 63190, 65536, 54061)  # fmt: skip
    return header.ljust(128, b"\0") + table + content


def opened(content):
    return Image.open(io.BytesIO(content))


def srgb_encode(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


COLOURS = np.array([[[100, 150, 120], [128, 128, 128], [200, 180, 160], [90, 80, 140]]], np.uint8)
WIDE = profile(P3)


def p3_in_srgb(colours):
    linear = (colours / 255) ** 2.2 @ P3 @ np.linalg.inv(SRGB_TO_XYZ)
    return 255 * srgb_encode(linear.clip(0, 1))


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_a_wide_gamut_is_converted_to_srgb(suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    image = opened(encoded(COLOURS, suffix, icc_profile=WIDE, **options))
    assert is_other_space(image)
    converted = np.asarray(convert_channels(image, 3)).astype(float)
    np.testing.assert_allclose(converted, p3_in_srgb(COLOURS), atol=2)
    assert np.abs(converted - COLOURS).max() > 10


def test_alpha_and_palettes_are_converted_by_their_colours():
    alpha = np.array([[0, 100, 200, 255]], np.uint8)
    image = opened(encoded(np.dstack([COLOURS, alpha]), "png", icc_profile=WIDE))
    converted = np.asarray(convert_channels(image, 4)).astype(float)
    np.testing.assert_allclose(converted[..., :3], p3_in_srgb(COLOURS), atol=2)
    np.testing.assert_array_equal(converted[..., 3], alpha)
    indexed = Image.fromarray(np.arange(4, dtype=np.uint8)[None])
    indexed.putpalette(COLOURS.tobytes())
    converted = np.asarray(convert_channels(opened(encoded(indexed, "png", icc_profile=WIDE)), 3)).astype(float)
    np.testing.assert_allclose(converted, p3_in_srgb(COLOURS), atol=2)


def test_grey_profiles_are_converted():
    grey = np.array([[0, 10, 60, 128, 255]], np.uint8)
    image = opened(encoded(grey, "png", icc_profile=profile(None, 1.0, b"GRAY")))
    assert is_other_space(image)
    np.testing.assert_allclose(np.asarray(convert_channels(image, 1)), 255 * srgb_encode(grey / 255), atol=1)


def test_srgb_profiles_do_not_change_pixels():
    content = encoded(COLOURS, "png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert not is_other_space(opened(content))
    np.testing.assert_array_equal(np.asarray(convert_channels(opened(content), 3)), COLOURS)


@pytest.mark.parametrize("content", [b"no profile", WIDE[:200], profile(None, 1.0, b"GRAY"), b""])
def test_damaged_and_unsuitable_profiles_are_ignored(content):
    image = opened(encoded(COLOURS, "png", icc_profile=content))
    assert not is_other_space(image)
    np.testing.assert_array_equal(np.asarray(convert_channels(image, 3)), COLOURS)


@pytest.mark.parametrize("gamma", [1.0, 0.55, 0.45455])
def test_the_gamma_of_a_png_is_converted(gamma):
    grey = np.array([0, 40, 128, 255], np.uint8)
    content = make_png(4, 1, 8, 0, b"\0" + grey.tobytes(), gAMA=struct.pack(">I", round(gamma * 100_000)))
    expected = 255 * (grey / 255) ** (1 / 2.2 / gamma) if gamma != 0.45455 else grey
    np.testing.assert_allclose(np.asarray(convert_channels(opened(content), 1))[0], expected, atol=0.5)
    deep = b"\0" + (grey * 257.0).astype(">u2").tobytes()
    content = make_png(4, 1, 16, 0, deep, gAMA=struct.pack(">I", round(gamma * 100_000)))
    np.testing.assert_allclose(np.asarray(convert_channels(opened(content), 1))[0], expected, atol=0.5)
    other = make_png(4, 1, 8, 0, b"\0" + grey.tobytes(), sRGB=b"\0", gAMA=struct.pack(">I", 100_000))
    np.testing.assert_array_equal(np.asarray(convert_channels(opened(other), 1))[0], grey)


def test_colours_in_a_wide_gamut_can_become_grey_with_alpha():
    alpha = np.array([[0, 100, 200, 255]], np.uint8)
    image = opened(encoded(np.dstack([COLOURS, alpha]), "png", icc_profile=WIDE))
    grey, kept = np.moveaxis(np.asarray(to_srgb(image, "LA")), -1, 0)
    np.testing.assert_allclose(grey, p3_in_srgb(COLOURS) @ [0.299, 0.587, 0.114], atol=2)
    np.testing.assert_array_equal(kept, alpha)
