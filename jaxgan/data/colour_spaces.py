"""Convert decoded images to the colour space sRGB, which models and viewers assume.

A file can declare another colour space by an ICC profile. Without the conversion, the colours of a photograph in a
space with a wide gamut, such as Display P3 or Adobe RGB, look pale. PNG files can also declare a gamma.
"""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

SRGB_GAMMA = 1 / 2.2  # gamma that approximates sRGB in the headers of PNG files
GAMMA_TOLERANCE = 0.05  # relative difference up to which a gamma is taken for sRGB, as the standard of PNG recommends
TOLERANCE = 2  # largest difference from sRGB, in grey levels, up to which a profile is taken for sRGB
STEPS = 9  # number of values of each channel for which a profile is compared with sRGB


def is_other_space(image: Image.Image) -> bool:
    """Return whether a file declares a colour space that ``to_srgb`` converts.

    Args:
      image: an opened image, of which at least the header has been read.
    """
    return _profile_transform(image.info.get("icc_profile"), _colour_mode(image)) is not None or _exponent(image) != 1


def to_srgb(image: Image.Image, mode: str) -> Image.Image:
    """Convert an image to sRGB.

    Args:
      image: a decoded image of 8 bits per channel.
      mode: Pillow's name of the mode of the result: L, LA, RGB or RGBA.
    """
    transform = _profile_transform(image.info.get("icc_profile"), _colour_mode(image))
    exponent = _exponent(image)
    if transform is None and exponent == 1:
        return image if image.mode == mode else image.convert(mode)
    alpha = image.convert("RGBA").getchannel("A") if mode.endswith("A") else None
    colours = image.convert(_colour_mode(image))
    if transform is not None:
        colours = _apply(colours, transform)
    else:
        colours = colours.point([round(255 * (value / 255) ** exponent) for value in range(256)] * len(colours.mode))
    colours = colours.convert(mode.removesuffix("A"))
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _colour_mode(image: Image.Image) -> str:
    """Return the mode of the colours that the profile of an image describes, without alpha."""
    if image.mode in ("CMYK", "LAB"):
        return image.mode
    return "L" if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16") else "RGB"


@functools.lru_cache(64)
def _profile_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion from a profile to sRGB, or None if it is not needed or not possible.

    It is not possible if the profile is damaged, or belongs to another kind of colours than the pixels.
    """
    if not profile or mode == "LAB":
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        colours = _some_colours(mode)
        converted = _apply(colours, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    difference = np.abs(np.asarray(converted, np.int16) - np.asarray(colours.convert("RGB"), np.int16)).max()
    return transform if difference > TOLERANCE else None


def _apply(colours: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(colours, transform)
    assert converted is not None  # it is None if the image is converted in place
    return converted


def _some_colours(mode: str) -> Image.Image:
    """Return an image of evenly spaced colours."""
    values = np.linspace(0, 255, STEPS).round().astype(np.uint8)
    channels = len(Image.new(mode, (1, 1)).getbands())
    colours = np.stack(np.meshgrid(*[values] * channels, indexing="ij"), -1)
    return Image.frombytes(mode, (STEPS**channels, 1), colours.tobytes())


def _exponent(image: Image.Image) -> float:
    """Return the power that converts values from 0 to 1 from the gamma of a PNG to sRGB; 1 for other images."""
    gamma = image.info.get("gamma")
    if image.format not in ("PNG", None) or not gamma or "icc_profile" in image.info or "srgb" in image.info:
        return 1.0
    exponent = SRGB_GAMMA / gamma
    return exponent if abs(exponent - 1) > GAMMA_TOLERANCE else 1.0
