"""Read the headers of image files, and say what the files contain that the decoded pixels do not show.

Pixels are not decoded. All problems of a data set are described in one line, with the number of files that have them.
"""

import dataclasses
import warnings
from collections import Counter
from collections.abc import Mapping

from PIL import ExifTags, Image

from jaxgan.data.colour_spaces import is_other_space
from jaxgan.data.decoding import SIDEWAYS, decode
from jaxgan.data.folders import Files

TIFF_WIDTH, TIFF_HEIGHT = 256, 257  # the tags of the size of a TIFF file
GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's names of grey modes
OTHER_COLOURS = ("CMYK", "LAB", "HSV", "YCbCr")  # Pillow's names of modes with other primaries than red, green and blue
DEPTHS = (";16", ";32")  # parts of Pillow's names of pixels with more than 8 bits per channel
SEVERAL_FRAMES = "with several frames, pages or layers (only the first is read)"
BLENDED = "with an alpha channel (blended with white)"
ELONGATED = 4  # ratio of the sides of an image from which most of its area is cut off
CUT_OFF = f"at least {ELONGATED} times as long as wide (only the central square is read)"


@dataclasses.dataclass(frozen=True)
class Headers:
    """The headers of the images of a data set.

    Attributes:
      name: the name of the folder or zip, for messages.
      sizes: the (height, width) of each image in pixels, after rotation according to EXIF.
      grey: whether all images are grey.
      transparent: number of images with transparency.
      contents: numbers of images by what they contain that the decoded pixels do not show. A key is a part of a
        sentence, such as "in CMYK (converted to RGB)".
    """

    name: str
    sizes: list[tuple[int, int]]
    grey: bool
    transparent: int
    contents: Mapping[str, int]

    @property
    def channels(self) -> int:
        """1 if all images are grey, and 3 otherwise."""
        return 1 if self.grey else 3

    def warn(self, channels: int, resolution: int | None = None) -> None:
        """Warn in one line of everything that is converted or lost when the images are read.

        Args:
          channels: the number of channels of the decoded images. Transparent images are blended with white unless it is
            4.
          resolution: height and width in pixels to which the images are cropped and resized; None keeps their size.

        Warns:
          UserWarning: if anything is converted or lost.
        """
        contents = Counter(self.contents)
        if channels != 4:
            contents[BLENDED] = self.transparent
        if resolution is not None:
            small = f"smaller than {resolution} x {resolution} (enlarged)"
            contents[small] = sum(min(size) < resolution for size in self.sizes)
            contents[CUT_OFF] = sum(max(size) >= ELONGATED * min(size) for size in self.sizes)
        if any(contents.values()):
            warnings.warn(describe_contents(self.name, len(self.sizes), contents), stacklevel=3)


def read_headers(files: Files, names: list[str]) -> Headers:
    """Read the headers of images without decoding their pixels.

    Args:
      files: the folder or zip file.
      names: the names of the images.

    Raises:
      ValueError: if a file cannot be opened. The message names the file.
    """
    sizes, grey, transparent, contents = [], True, 0, Counter()
    for name in names:
        size, is_grey, is_transparent, notes = decode(files, name, _read_header)
        sizes.append(size)
        grey &= is_grey
        transparent += is_transparent
        contents.update(notes)
    return Headers(files.name, sizes, grey, transparent, contents)


def _read_header(image: Image.Image) -> tuple[tuple[int, int], bool, bool, list[str]]:
    """Return the upright size, whether the image is grey, whether it is transparent, and notes about its contents."""
    return _upright_size(image), image.mode in GREY_MODES, image.has_transparency_data, contents_of(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if image.format == "TIFF":  # Pillow has already rotated the size of TIFF files
        tags = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        width, height = tags[TIFF_WIDTH], tags[TIFF_HEIGHT]
    # In a PNG, EXIF may be stored after the pixels. Pillow would decode the complete image to look for EXIF data.
    has_exif = image.format != "PNG" or "exif" in image.info
    if has_exif and image.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS:
        width, height = height, width
    return height, width


def contents_of(image: Image.Image) -> list[str]:
    """Return what an image contains that its decoded pixels do not show, and how it is converted.

    >>> contents_of(Image.new("CMYK", (8, 8)))
    ['in CMYK (converted to RGB)']

    Args:
      image: an opened image, of which at least the header has been read.

    Returns:
      Parts of a sentence, such as "in CMYK (converted to RGB)".
    """
    contents = {
        SEVERAL_FRAMES: getattr(image, "is_animated", False),
        "with several sizes (only the largest is read)": len(image.info.get("sizes", ())) > 1,
        "with more than 8 bits per channel (reduced to 8)": _has_many_bits(image),
        f"in {image.mode} (converted to RGB)": image.mode in OTHER_COLOURS,
        "with a colour profile or gamma other than sRGB (converted to sRGB)": is_other_space(image),
        "with pixels that are not square (read as squares)": _has_oblong_pixels(image),
    }
    return [content for content, is_true in contents.items() if is_true]


def describe_contents(name: str, count: int, contents: Mapping[str, int]) -> str:
    """Return one sentence about everything that is converted or lost when images are read.

    >>> describe_contents("photos", 9, {"in CMYK (converted to RGB)": 2, BLENDED: 1})
    'photos: 9 images, of which 2 in CMYK (converted to RGB); 1 with an alpha channel (blended with white).'

    Args:
      name: the name of the data set.
      count: the number of its images.
      contents: numbers of images by what they contain, see ``contents_of``. Contents with the number 0 are omitted.
    """
    noun = "image" if count == 1 else "images"
    parts = [f"{number:,} {content}" for content, number in contents.items() if number]
    return f"{name}: {count:,} {noun}, of which {'; '.join(parts)}."


def _has_many_bits(image: Image.Image) -> bool:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return True
    # Pillow decodes colours of 16 bits to 8 bits. Only its name of the raw pixels contains the number of bits.
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    if image.format == "PPM" and isinstance(arguments, tuple):
        return arguments[-1] > 255
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return any(depth in str(raw) for depth in DEPTHS)


def _has_oblong_pixels(image: Image.Image) -> bool:
    density = image.info.get("aspect") or image.info.get("dpi") or image.info.get("jfif_density") or (1, 1)
    across, down = map(float, density)
    return across > 0 and down > 0 and abs(across / down - 1) > 0.01


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
