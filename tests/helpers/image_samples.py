"""Create small files of every image format that jaxgan reads, also of those that Pillow reads but cannot write."""

import struct

import numpy as np
from PIL import Image

from helpers.files import encoded

SIZE = 16  # height and width of all samples, the smallest size of an .icns file
# Colours that vary slowly, so that lossy formats preserve them.
_ROWS, _COLUMNS = np.mgrid[:SIZE, :SIZE].astype(np.uint8)
COLOUR = np.stack([60 + 8 * _ROWS, 60 + 8 * _COLUMNS, 200 - 4 * _ROWS], -1).astype(np.uint8)
GREY = np.ascontiguousarray(COLOUR[..., 0])
BLACK_OR_WHITE = np.where((_ROWS // 4 + _COLUMNS // 4) % 2 == 1, 255, 0).astype(np.uint8)
FOUR_COLOURS = np.array([[250, 0, 0], [0, 90, 0], [30, 60, 90], [255, 255, 255]], np.uint8)
INDICES = (_ROWS // 4 + _COLUMNS // 4).astype(np.uint8) % 4


def _cursor() -> bytes:
    icon = encoded(COLOUR, "ico", sizes=[(SIZE, SIZE)], bitmap_format="bmp")
    return icon[:2] + b"\2" + icon[3:]


def _pages() -> bytes:
    page = encoded(COLOUR, "pcx")
    return struct.pack("<3I", 0x3ADE68B1, 12, 0) + page


def _brush() -> bytes:
    return struct.pack(">5I4sI", 29, 2, SIZE, SIZE, 1, b"GIMP", 10) + b"\0" + GREY.tobytes()


def _texture() -> bytes:
    header = b"FTEX" + struct.pack("<7i", 0, SIZE, SIZE, 1, 1, 1, 32)
    return header + struct.pack("<i", COLOUR.nbytes) + COLOUR.tobytes()


def _pixar() -> bytes:
    header = bytearray(1024)
    header[:4] = b"\200\350\0\0"
    struct.pack_into("<2H", header, 416, SIZE, SIZE)
    struct.pack_into("<2H", header, 424, 14, 2)
    return bytes(header) + COLOUR.tobytes()


def _photoshop() -> bytes:
    header = b"8BPS" + struct.pack(">H6x H2I2H", 1, 3, SIZE, SIZE, 8, 3)
    return header + struct.pack(">3IH", 0, 0, 0, 0) + COLOUR.transpose(2, 0, 1).tobytes()


def _sun() -> bytes:
    header = struct.pack(">8I", 0x59A66A95, SIZE, SIZE, 24, COLOUR.nbytes, 1, 0, 0)
    return header + np.ascontiguousarray(COLOUR[..., ::-1]).tobytes()


def _xpm() -> bytes:
    colours = [f'"{"abcd"[i]} c #{bytes(colour).hex()}",' for i, colour in enumerate(FOUR_COLOURS)]
    rows = [f'"{"".join("abcd"[i] for i in row)}",' for row in INDICES]
    head = ["/* XPM */", "static char *x[] = {", f'"{SIZE} {SIZE} 4 1",']
    return "\n".join([*head, *colours, *rows, "};"]).encode()


def _flic() -> bytes:
    palette = struct.pack("<IHHBB", 6 + 4 + 12, 4, 1, 0, 4) + FOUR_COLOURS.tobytes()
    pixels = struct.pack("<IH", 6 + INDICES.nbytes, 16) + INDICES.tobytes()
    frame = struct.pack("<IHH8x", 16 + len(palette) + len(pixels), 0xF1FA, 2) + palette + pixels
    return struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, SIZE, SIZE, 8, 3, 50).ljust(128, b"\0") + frame


def _apple_icon() -> bytes:
    image = encoded(COLOUR, "png")
    return b"icns" + struct.pack(">I4sI", 16 + len(image), b"icp4", 8 + len(image)) + image


def _thumbnail() -> bytes:
    return f"P7 332\n#XVVERSION\n{SIZE} {SIZE} 255\n".encode() + INDICES.tobytes()


def _four_colours(suffix: str) -> bytes:
    image = Image.fromarray(INDICES)
    image.putpalette(FOUR_COLOURS.tobytes())
    return encoded(image, suffix)


_PALETTE, _BITS = FOUR_COLOURS[INDICES], BLACK_OR_WHITE > 0

# By Pillow's name of the format: the suffix, the content, the pixels and the tolerance in grey levels.
SAMPLES = {
    "AVIF": (".avif", encoded(COLOUR, "avif", quality=95), COLOUR, 8),
    "BLP": (".blp", _four_colours("blp"), _PALETTE, 0),
    "BMP": (".bmp", encoded(COLOUR, "bmp"), COLOUR, 0),
    "CUR": (".cur", _cursor(), COLOUR, 0),
    "DCX": (".dcx", _pages(), COLOUR, 0),
    "DDS": (".dds", encoded(COLOUR, "dds"), COLOUR, 0),
    "DIB": (".dib", encoded(COLOUR, "dib"), COLOUR, 0),
    "FLI": (".flc", _flic(), _PALETTE, 0),
    "FTEX": (".ftu", _texture(), COLOUR, 0),
    "GBR": (".gbr", _brush(), GREY, 0),
    "GIF": (".gif", _four_colours("gif"), _PALETTE, 0),
    "ICNS": (".icns", _apple_icon(), COLOUR, 0),
    "ICO": (".ico", encoded(COLOUR, "ico", sizes=[(SIZE, SIZE)]), COLOUR, 0),
    "IM": (".im", encoded(COLOUR, "im"), COLOUR, 0),
    "IMT": (".png", f"width {SIZE}\nheight {SIZE}\npixel n8\n\f".encode() + GREY.tobytes(), GREY, 0),
    "JPEG": (".jpe", encoded(COLOUR, "jpeg", quality=98, subsampling=0), COLOUR, 6),
    "JPEG2000": (".jp2", encoded(COLOUR, "jpeg2000"), COLOUR, 0),
    "MPO": (".mpo", encoded(COLOUR, "mpo", quality=98, subsampling=0), COLOUR, 6),
    "MSP": (".msp", encoded(_BITS, "msp"), BLACK_OR_WHITE, 0),
    "PCX": (".pcx", encoded(COLOUR, "pcx"), COLOUR, 0),
    "PIXAR": (".pxr", _pixar(), COLOUR, 0),
    "PNG": (".apng", encoded(COLOUR, "png"), COLOUR, 0),
    "PPM": (".pnm", encoded(COLOUR, "ppm"), COLOUR, 0),
    "PSD": (".psd", _photoshop(), COLOUR, 0),
    "QOI": (".qoi", encoded(COLOUR, "qoi"), COLOUR, 0),
    "SGI": (".rgb", encoded(COLOUR, "sgi"), COLOUR, 0),
    "SUN": (".ras", _sun(), COLOUR, 0),
    "TGA": (".tga", encoded(COLOUR, "tga"), COLOUR, 0),
    "TIFF": (".tiff", encoded(COLOUR, "tiff"), COLOUR, 0),
    "WEBP": (".webp", encoded(COLOUR, "webp", lossless=True), COLOUR, 0),
    "XBM": (".xbm", encoded(_BITS, "xbm"), BLACK_OR_WHITE, 0),
    "XPM": (".xpm", _xpm(), _PALETTE, 0),
    "XVTHUMB": (".png", _thumbnail(), np.array([[0, 0, 0], [0, 0, 85], [0, 0, 170], [0, 0, 255]])[INDICES], 0),
}  # fmt: skip
