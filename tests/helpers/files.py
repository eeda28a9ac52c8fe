"""Create image files, directories, archives and weights for tests, and read MNIST."""

import gzip
import io
import zipfile

import numpy as np
from PIL import Image

from jaxgan.data import Arrays


def encoded(image, suffix: str, **options) -> bytes:
    """Return the bytes of an image file.

    Args:
      image: a Pillow image, or an array of pixels.
      suffix: the format, for example ``png``.
      **options: options of ``PIL.Image.Image.save``.
    """
    out = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(out, suffix, **options)
    return out.getvalue()


def noise(size=(8, 8), mode="L") -> bytes:
    """Return the bytes of a PNG file with random pixels.

    Args:
      size: width and height in pixels.
      mode: Pillow's mode of the image, for example ``L`` or ``RGB``.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return encoded(Image.fromarray(pixels).convert(mode), "png")


def folder(path, files: dict[str, bytes]):
    """Write files, given by their names and contents, into a directory, and return the directory."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def archive(path, files: dict[str, bytes]):
    """Write files, given by their names and contents, into a zip file, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def mnist(test_data, part: str) -> Arrays:
    """Read MNIST as images [N, 28, 28, 1] with labels.

    Args:
      test_data: the directory that contains ``mnist/``.
      part: ``train`` for the 60,000 training images, ``t10k`` for the 10,000 test images.
    """

    def read(name, header):
        packed = (test_data / "mnist" / f"{part}-{name}-ubyte.gz").read_bytes()
        return np.frombuffer(gzip.decompress(packed)[header:], np.uint8)

    images = read("images-idx3", 16).reshape(-1, 28, 28, 1)
    return Arrays(images, read("labels-idx1", 8).astype(np.int32), "MNIST", tuple("0123456789"))


def inception(path):
    """Write random Inception weights to an .npz file, under the names of TensorFlow's graph.

    The file has only the layers that the first 64 features need.
    """
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in {"conv": (3, 3, 3, 32), "conv_1": (3, 3, 32, 32), "conv_2": (3, 3, 32, 64)}.items():
        arrays[f"{name}/w"] = rng.normal(0, 0.2, shape).astype(np.float16)
        arrays[f"{name}/b"] = rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    np.savez(path, **arrays)
