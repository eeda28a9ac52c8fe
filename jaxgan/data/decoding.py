"""Decode image files of any colour mode to uint8 arrays, rotate them upright, crop them to squares and resize them."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jaxgan.data.folders import Files

ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # the EXIF tag of the orientation; its values that swap height and width
GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's names of grey modes
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's modes by number of channels

T = TypeVar("T")


def read_headers(files: Files, names: list[str]) -> tuple[list[tuple[int, int]], bool]:
    """Read the headers of images without decoding their pixels.

    Args:
      files: the folder or zip file.
      names: the names of the images.

    Returns:
      The (height, width) of each image in pixels, after rotation according to EXIF, and whether all images are grey.
    """
    headers = [decode(files, name, _read_header) for name in names]
    return [size for size, _ in headers], all(grey for _, grey in headers)


def _read_header(image: Image.Image) -> tuple[tuple[int, int], bool]:
    width, height = image.size
    # In a PNG, EXIF may be stored after the pixels. Pillow would decode the complete image to look for EXIF data.
    has_exif = image.format != "PNG" or "exif" in image.info
    if has_exif and image.getexif().get(ORIENTATION, 1) in SIDEWAYS:
        width, height = height, width
    return (height, width), image.mode in GREY_MODES


def common_size(where: str, names: list[str], sizes: list[tuple[int, int]], *, square: bool = False) -> tuple[int, int]:
    """Return the common (height, width) of all images.

    Args:
      where: the name of the folder or zip, for messages.
      names: the names of the images.
      sizes: the (height, width) of each image, as ``read_headers`` returns them.
      square: whether height and width must be equal.

    Raises:
      ValueError: if the sizes differ, or if ``square`` is True and the images are not square.
    """
    first_of_size: dict[tuple[int, int], str] = {}
    for size, name in zip(sizes, names):
        first_of_size.setdefault(size, name)
    if len(first_of_size) > 1 or (square and len(set(sizes[0])) > 1):
        examples = " and ".join(f"{name} is {w} x {h}" for (h, w), name in list(first_of_size.items())[:2])
        required = "must be square and have the same size" if square else "must have the same size"
        raise ValueError(
            f"{where}: all images {required}, but {examples}. Set `resolution`, for example to 64, to crop them to "
            "squares and resize them."
        )
    return sizes[0]


def decode(files: Files, name: str, convert: Callable[[Image.Image], T]) -> T:
    """Open an image file and return the result of ``convert`` for it.

    Args:
      files: the folder or zip file.
      name: the name of the image.
      convert: a function of the opened image.

    Raises:
      ValueError: if the file cannot be opened or decoded, or if ``convert`` raises an error. The message names the
        file.
    """
    with _opened(files, name) as image:
        try:
            return convert(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be decoded: {str(error).rstrip('.')}. If the file is damaged, replace or "
                "remove it."
            ) from None


@contextlib.contextmanager
def _opened(files: Files, name: str) -> Iterator[Image.Image]:
    """Open an image and read its header, but not yet its pixels."""
    with files.open(name) as file:
        try:
            image = Image.open(file)
            # Pillow only warns of images of more than MAX_IMAGE_PIXELS pixels, and raises an error for images of more
            # than twice this number. An error is raised here in both cases. It is raised explicitly, because a filter
            # that turns the warning into an error would apply to all threads.
            if math.prod(image.size) > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ValueError(
                f"{files.name}: {name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, the limit of Pillow. Reduce "
                "its size."
            ) from None
        except UnidentifiedImageError:
            raise ValueError(
                f"{files.name}: {name} is not an image, or its format is not supported. Replace or remove the file."
            ) from None
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{files.name}: {name} cannot be opened: {str(error).rstrip('.')}. Replace or remove the file."
            ) from None
        with image:
            yield image


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
    """Convert an image of any mode to 8 bits per channel, and rotate it according to its EXIF orientation.

    The first frame of an animation is used. A transparent image is blended with white unless ``channels`` is 4. 16-bit
    values are scaled to 8 bits.

    Args:
      image: an opened image.
      channels: 1 (grey), 3 (colour) or 4 (colour with alpha).

    Raises:
      ValueError: if ``channels`` is another number, or if the range of the pixel values is not known.
    """
    image.load()
    # A PGM file declares the value of white. Pillow scales the pixels so that this value becomes 65,535.
    white_is_known = image.format == "PPM"
    image = _to_eight_bits(ImageOps.exif_transpose(image), white_is_known)
    if channels not in MODES:
        raise ValueError(f"`channels` must be 1 (grey), 3 (colour) or 4 (colour with alpha), got {channels}.")
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(MODES[channels])


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
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] * 255.0 / top)
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
