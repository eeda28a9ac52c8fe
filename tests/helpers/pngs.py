"""Create PNG files with any header and chunks, also those that Pillow cannot write."""

import struct
import zlib


def make_png(width: int, height: int, bits: int, colour_type: int, rows: bytes, **chunks: bytes) -> bytes:
    """Return the bytes of a PNG file.

    Args:
      width: width in pixels.
      height: height in pixels.
      bits: number of bits per channel.
      colour_type: 0 (grey), 2 (RGB), 3 (palette), 4 (grey and alpha) or 6 (RGB and alpha).
      rows: the pixels; each row begins with the number of its filter.
      **chunks: further chunks before the pixels, by their names, such as ``gAMA``.
    """
    header = struct.pack(">2I5B", width, height, bits, colour_type, 0, 0, 0)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), content) for name, content in parts.items())


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
