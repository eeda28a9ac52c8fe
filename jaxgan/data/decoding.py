"""Decode image files of any colour mode to uint8 arrays, rotate them upright, crop them to squares and resize them."""

import contextlib
import io
import math
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jaxgan.data.colour_spaces import to_srgb
from jaxgan.data.folders import Files
from jaxgan.data.image_formats import open_image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's modes by number of channels
MAX_PIXELS = 2**29  # largest number of pixels of an image, which then needs 2 GiB
# Protection against decompression bombs, which are small files of large images. An image of more than LARGE pixels,
# which need at most 64 MiB, is only decoded if its file has a byte for every PIXELS_PER_BYTE pixels. A photograph has a
# byte for about 4 pixels, and a PNG of a single colour has one for 344 pixels.
LARGE = 2**24
PIXELS_PER_BYTE = 400
DRAFT = 2  # least height and width of an image after ``draft``, divided by the resolution to which it is then resized
SIDEWAYS = (5, 6, 7, 8)  # values of the orientation in EXIF that swap height and width
MIRRORED = (2, 3, 6, 7)  # values of the orientation in EXIF that move the first column of the file to the right side
FLIPPED = (3, 4, 7, 8)  # values of the orientation in EXIF that move the first row of the file to the lower side
GREY_BITS = {"L;2": 2, "L;4": 4}  # Pillow's names of grey pixels with fewer than 8 bits, and their number of bits

T = TypeVar("T")


def decode(files: Files, name: str, convert: Callable[[Image.Image], T]) -> T:
    """Open an image file and return the result of ``convert`` for it.

    Args:
      files: the folder or zip file.
      name: the name of the image.
      convert: a function of the opened image, of which only the header has been read.

    Raises:
      ValueError: if the file cannot be opened or decoded, or if ``convert`` raises an error. The message names the
        file.
    """
    with _opened(files, name) as image:
        try:
            return convert(image)
        except Exception as error:  # the decoders of Pillow raise errors of any type for damaged files
            raise ValueError(
                f"{files.name}: {name} cannot be decoded: {_reason(error)}. If the file is damaged, replace or remove "
                "it."
            ) from error


class _PillowLimit:
    """Pillow's own limit of the number of pixels, which is a setting of the process and applies to all threads."""

    def __init__(self):
        self._lock, self._users, self._usual = threading.Lock(), 0, Image.MAX_IMAGE_PIXELS

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Raise the limit to ``MAX_PIXELS`` for as long as any thread executes a ``with`` block of this method."""
        with self._lock:
            if not self._users:
                self._usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    Image.MAX_IMAGE_PIXELS = self._usual


_PILLOW_LIMIT = _PillowLimit()


@contextlib.contextmanager
def _opened(files: Files, name: str) -> Iterator[Image.Image]:
    """Open an image and read its header, but not yet its pixels."""
    with files.open(name) as file, contextlib.ExitStack() as stack:
        size = file.seek(0, io.SEEK_END)
        if size * PIXELS_PER_BYTE > LARGE:
            # The decoders of some formats check Pillow's limit, which allows fewer pixels than ``_check_pixels``.
            stack.enter_context(_PILLOW_LIMIT.raised())
        try:
            image = open_image(file)
        except UnidentifiedImageError as error:
            if not size:
                raise ValueError(f"{files.name}: {name} is empty. Replace or remove the file.") from None
            reason = f": {error}" if str(error) else ""
            raise ValueError(
                f"{files.name}: {name} is not an image, or its format is not supported{reason}. Replace or remove the "
                "file."
            ) from None
        except Exception as error:  # see ``decode``
            raise ValueError(
                f"{files.name}: {name} cannot be opened: {_reason(error)}. Replace or remove the file."
            ) from error
        with image:
            _check_pixels(image, size, f"{files.name}: {name}")
            yield image


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _check_pixels(image: Image.Image, file_size: int, name: str) -> None:
    """Raise a ``ValueError`` if an image is too large, or may be a decompression bomb.

    Args:
      image: the opened image.
      file_size: the number of bytes of its file.
      name: the name of the file, for the message.
    """
    width, height = image.size
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"{name} has {width:,} x {height:,} pixels, and at most {MAX_PIXELS:,} pixels can be read. Reduce its size "
            "or cut it into parts."
        )
    if pixels > max(LARGE, PIXELS_PER_BYTE * file_size):
        raise ValueError(
            f"{name} declares {width:,} x {height:,} pixels, but has only {file_size:,} bytes. It was not decoded, "
            "because it may be made to fill the memory. If you trust it, reduce its size or save it without "
            "compression."
        )


def read_pixels(
    files: Files, name: str, channels: int, resolution: int | None = None, *, jpeg_draft: bool = False
) -> np.ndarray:
    """Decode an image file, and return its pixels.

    Args:
      files: the folder or zip file.
      name: the name of the image.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha), see ``convert_channels``.
      resolution: height and width of the result in pixels, see ``crop_to_square``; None keeps the complete image.
      jpeg_draft: whether the decoder of JPEG may reduce an image before it is resized, see ``decode_draft``.

    Returns:
      uint8 [resolution, resolution, channels], or [H, W, channels] if ``resolution`` is None.

    Raises:
      ValueError: if the file cannot be decoded. The message names the file.
    """

    def to_array(image: Image.Image) -> np.ndarray:
        if jpeg_draft and resolution is not None:
            return decode_draft(image, channels, resolution)
        if resolution is not None and math.prod(image.size) > LARGE:
            # Let the decoder of JPEG reduce the image by a power of two, so that it needs less memory.
            image.draft(None, (2 * resolution, 2 * resolution))
        return crop_to_square(convert_channels(image, channels), resolution)

    return decode(files, name, to_array)


def decode_draft(image: Image.Image, channels: int, resolution: int) -> np.ndarray:
    """Decode an image at a fraction of its size, crop it to a centred square and resize it.

    Only the decoder of JPEG can do this: it computes fewer pixels from each block of frequencies. The fraction is 1/2,
    1/4 or 1/8, and the reduced image is at least ``DRAFT`` times as large as the result. Images that are less than
    ``2 * DRAFT`` times as large as the result, and images of other formats, are decoded completely.

    Args:
      image: an opened image, of which only the header has been read.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha), see ``convert_channels``.
      resolution: height and width of the result in pixels.

    Returns:
      uint8 [resolution, resolution, channels].
    """
    original, reduced = image.size, image.draft(None, (DRAFT * resolution, DRAFT * resolution))
    if reduced is None or image.size == original:
        return crop_to_square(convert_channels(image, channels), resolution)
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    # The exact size is not a whole number if the fraction does not divide the size of the file. The last column and the
    # last row of the file are then partly outside of the image.
    width, height = reduced[1][2:]
    if orientation in SIDEWAYS:
        width, height = height, width
    image, side = convert_channels(image, channels), min(width, height)
    left = (width - side) / 2 + (image.width - width if orientation in MIRRORED else 0)
    top = (height - side) / 2 + (image.height - height if orientation in FLIPPED else 0)
    box = (left, top, left + side, top + side)
    image = image.resize((resolution, resolution), Image.Resampling.LANCZOS, box)
    return np.asarray(image, np.uint8).reshape(resolution, resolution, -1)


def crop_to_square(image: Image.Image, resolution: int | None) -> np.ndarray:
    """Crop an image to a centred square and resize it.

    Args:
      image: an image of 8 bits per channel.
      resolution: height and width of the result in pixels; None returns the complete image at its own size.

    Returns:
      uint8 [resolution, resolution, C], or [H, W, C] if ``resolution`` is None.
    """
    if resolution is not None and image.size != (resolution, resolution):
        image = ImageOps.fit(image, (resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(*image.size[::-1], -1)


def convert_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert an image of any mode to 8 bits per channel in sRGB, and rotate it according to its EXIF orientation.

    The current frame of an animation is used. A transparent image is blended with white unless ``channels`` is 4.
    16-bit values are scaled to 8 bits.

    Args:
      image: an opened image.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha).

    Raises:
      ValueError: if ``channels`` is another number, or if the range of the pixel values is not known.
    """
    if channels not in MODES:
        raise ValueError(f"`channels` must be 1 (grey), 3 (colour) or 4 (colour with alpha), got {channels}.")
    image = decode_colours(image)
    if image.mode in ("LA", "RGBA") and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def decode_colours(image: Image.Image) -> Image.Image:
    """Decode an image to 8 bits per channel in sRGB, and rotate it according to its EXIF orientation.

    Args:
      image: an opened image.

    Returns:
      An image of one of the modes L and RGB, or LA and RGBA for images with transparency.

    Raises:
      ValueError: if the range of the pixel values is not known.
    """
    transparency = _transparency_in_8_bits(image)
    image.load()
    if transparency is not None:
        image.info["transparency"] = transparency
    # A PGM file declares the value of white. Pillow scales the pixels so that this value becomes 65,535.
    white_is_known = image.format == "PPM"
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    image = _to_eight_bits(image, white_is_known)
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    return to_srgb(image, f"{mode}A" if image.has_transparency_data else mode)


def _transparency_in_8_bits(image: Image.Image) -> int | tuple[int, ...] | None:
    """Return the transparent colour of a PNG whose pixels Pillow converts to 8 bits; None for other images.

    Pillow does not convert the transparent colour in the header.
    """
    colour = image.info.get("transparency")
    tiles = getattr(image, "tile", ())
    if image.format != "PNG" or colour is None or not tiles:
        return None
    if isinstance(colour, tuple) and str(tiles[0].args).startswith("RGB;16"):
        return tuple(value >> 8 for value in colour)
    bits = GREY_BITS.get(str(tiles[0].args))
    return None if bits is None else colour * 255 // (2**bits - 1)


def _to_eight_bits(image: Image.Image, white_is_known: bool) -> Image.Image:
    """Convert a grey image of more than 8 bits to 8 bits; return other images unchanged.

    Pillow's own conversion would clip values at 255. The value of white is assumed to be 65,535 for integers, even if
    they have 32 bits, and 1 for floats. All files are scaled equally, because scaling each file by its own maximum
    would brighten dark images.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    low, high = values.min(), values.max()
    if image.mode == "I" and not white_is_known and 0 < high <= 255:
        raise ValueError(
            f"The pixels are 32-bit integers up to {high:g}, and the file does not declare whether 255 or 65,535 is "
            "white. Save the image with 8 or 16 bits."
        )
    if not (low >= 0 and high <= top):
        raise ValueError(
            f"Pixel values must be from 0 to {top:g}, got {low:g} to {high:g}. Save the image with 8 or 16 bits."
        )
    grey = Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))
    grey.info = dict(image.info)  # with the colour space
    if "transparency" in grey.info:
        grey.info["transparency"] = round(grey.info["transparency"] * 255.0 / top)
    return grey


def resize_images(images: np.ndarray, resolution: int) -> np.ndarray:
    """Crop and resize uint8 images [N, h, w, C] to [N, resolution, resolution, C], as ``crop_to_square`` does.

    Args:
      images: images, uint8 [N, h, w, C].
      resolution: the height and width of the result in pixels.
    """

    def resize(channel):
        return crop_to_square(Image.fromarray(channel), resolution)[..., 0]

    if images.shape[1:3] == (resolution, resolution):
        return images
    return np.stack([np.stack([resize(x[..., c]) for c in range(x.shape[-1])], -1) for x in images])
