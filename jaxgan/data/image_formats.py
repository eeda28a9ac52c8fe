"""Find out which files are images, and open them with the formats of Pillow that are safe to decode.

The content of a file determines its format, so a PNG named ``photo.jpg`` is read as a PNG. The suffix of a file's name
only determines whether the file is taken for an image. Files without a suffix are taken for images if they begin like
one of ``RECOGNIZED``.
"""

import contextlib
import functools
import importlib
import struct
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

# Formats that Pillow identifies, but that are not read, with the reason.
NOT_READ = {
    "EPS": "a program in PostScript, which Pillow lets Ghostscript execute",
    "WMF": "a list of commands that only Windows can draw",
    "IPTC": "a container, whose content Pillow opens in any format, including EPS",
    "BUFR": "Pillow has no decoder",
    "GRIB": "Pillow has no decoder",
    "HDF5": "Pillow has no decoder",
    "MPEG": "video, for which Pillow has no decoder",
    "FITS": "measurements of telescopes, without a value for white",
    "MCIDAS": "measurements of satellites, without a value for white",
    "SPIDER": "measurements of electron microscopes, without a value for white",
}
# Packages that add formats to Pillow when they are imported, and the suffixes that they read.
PLUGINS = {
    "pillow_heif.HeifImagePlugin": ("pillow-heif", (".heic", ".heif")),
    "pillow_jxl": ("pillow-jxl-plugin", (".jxl",)),
}
# Formats by which files without a suffix are recognised. The first bytes of these formats occur in no other files.
RECOGNIZED = ("AVIF", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
PREFIX = 16  # number of bytes at the beginning of a file by which Pillow recognises its format


def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are read, including the formats of installed plugins.

    Common formats come first, and formats that do not begin with characteristic bytes come last.
    """
    Image.preinit()
    Image.init()
    _import_plugins()
    names = [name for name in Image.ID if name in Image.OPEN and name not in NOT_READ]
    return tuple(sorted(names, key=lambda name: Image.OPEN[name][1] is None))


@functools.cache
def _import_plugins() -> None:
    for module in PLUGINS:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def image_suffixes() -> frozenset[str]:
    """Return the suffixes of the names of images, in lower case and with a dot."""
    formats = {*readable_formats(), "MPO"}  # Pillow opens MPO files, which begin with a JPEG image, as JPEG files
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats)


def plugin_for(suffix: str) -> str | None:
    """Return the name of the package that reads files with a suffix, or None if there is no such package.

    >>> plugin_for(".heic"), plugin_for(".txt")
    ('pillow-heif', None)

    Args:
      suffix: the suffix in lower case, with a dot.
    """
    return next((package for package, suffixes in PLUGINS.values() if suffix in suffixes), None)


def is_recognized(file: BinaryIO) -> bool:
    """Return whether a file begins like an image in one of the formats of ``RECOGNIZED``.

    Args:
      file: the file, at its beginning.
    """
    prefix = file.read(PREFIX)
    formats = set(RECOGNIZED) & set(readable_formats())
    return len(prefix) == PREFIX and any(_accepts(name, prefix) is True for name in formats)


def _accepts(name: str, prefix: bytes) -> bool | str:
    """Return whether a file may have a format, or why this installation of Pillow cannot decode the format."""
    accept = Image.OPEN[name][1]
    accepted = accept is None or accept(prefix)
    return accepted if isinstance(accepted, str) else bool(accepted)


def open_image(file: BinaryIO) -> Image.Image:
    """Identify an image by its content and read its header, but not its pixels.

    This is ``PIL.Image.open`` without Pillow's limit of the number of pixels, which is a setting of the complete
    process. The caller must check the size before it reads pixels, see ``jaxgan.data.decoding``.

    Args:
      file: the file, which must be seekable and stay open.

    Raises:
      UnidentifiedImageError: if the file has none of the formats of ``readable_formats``.
    """
    file.seek(0)
    prefix, reasons = file.read(PREFIX), []
    for name in readable_formats():
        create, accept = Image.OPEN[name]
        # Files of other formats let a format raise these errors, or any error if it has no characteristic beginning.
        expected = (SyntaxError, IndexError, TypeError, struct.error) if accept else (Exception,)
        with contextlib.suppress(*expected):
            accepted = _accepts(name, prefix)
            if isinstance(accepted, str):
                reasons.append(accepted)
            elif accepted:
                file.seek(0)
                return create(file, "")
    raise UnidentifiedImageError(". ".join(reasons))
