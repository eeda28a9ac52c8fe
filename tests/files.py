"""Image files, folders and archives, made for a test."""

import io
import zipfile

import numpy as np
from PIL import Image


def encoded(image, suffix: str, **options) -> bytes:
    """An image, or an array of pixels, as a file's bytes."""
    out = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(out, suffix, **options)
    return out.getvalue()


def noise(size=(8, 8), mode="L") -> bytes:
    """A PNG of (width, height)."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return encoded(Image.fromarray(pixels).convert(mode), "png")


def folder(path, files: dict[str, bytes]):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def archive(path, files: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path
