"""Measure how much the pixels of JPEG files change if the decoder reduces them, see the setting ``jpeg_draft``.

    python -m experiments.benchmarks.jpeg_draft FOLDER [FOLDER ...]

Each image is read completely, at fractions of its size, and with a bicubic filter in the place of Lanczos's, all at the
same resolution. Files of other formats are first saved as JPEG files of quality 90 with reduced chroma. Without
folders, the program reads the photographs of scikit-learn and scikit-image. The table lists the mean over the images of
the mean difference and of its 99th percentile, and the largest difference, in grey levels from 0 to 255.
"""

import io
import sys
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageOps

from jaxgan.data.decoding import convert_channels, crop_to_square, decode_draft

FACTORS = (4, 8, 16)  # height and width of an image, divided by the resolution at which it is read
QUALITY = 90  # quality of the JPEG files that are created
SMALLEST = 256  # smallest height and width of images that are read, in pixels


def main(folders: tyro.conf.Positional[tuple[Path, ...]] = ()) -> None:
    """Print the differences for the JPEG files and for the other images.

    Args:
      folders: folders that contain images, in sub-folders too.
    """
    kinds: dict[str, list[bytes]] = {"JPEG files": [], "other images": []}
    for file in sorted(file for folder in folders or _photographs() for file in folder.rglob("*.*")):
        if file.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        with Image.open(file) as image:
            if min(image.size) < SMALLEST:
                continue
            kinds["JPEG files" if image.format == "JPEG" else "other images"].append(_as_jpeg(file, image))
    if not any(kinds.values()):
        sys.exit(f"error: The folders contain no .jpg or .png of at least {SMALLEST} x {SMALLEST} pixels.")
    print(f"{'images':20}{'size / resolution':>20}{'mean':>8}{'99 %':>8}{'largest':>9}{'bicubic: mean':>15}")
    for kind, contents in kinds.items():
        for factor in FACTORS if contents else ():
            draft, bicubic = zip(*(_compare(content, factor) for content in contents))
            mean, high, largest = (np.array(column) for column in zip(*draft))
            print(
                f"{f'{len(contents)} {kind}':20}{factor:20}{mean.mean():8.2f}{high.mean():8.2f}{largest.max():9.0f}"
                f"{np.mean(bicubic):15.2f}"
            )


def _photographs() -> list[Path]:
    """Return the folders of the photographs of scikit-learn and, if it is installed, of scikit-image."""
    import sklearn.datasets

    folders = [Path(sklearn.datasets.__file__).parent / "images"]
    try:
        import skimage
    except ImportError:
        return folders
    return [*folders, Path(skimage.__file__).parent / "data"]


def _as_jpeg(file: Path, image: Image.Image) -> bytes:
    if image.format == "JPEG":
        return file.read_bytes()
    out = io.BytesIO()
    convert_channels(image, 3).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _compare(content: bytes, factor: int) -> tuple[tuple[float, float, float], float]:
    """Compare the ways to read an image.

    Args:
      content: the bytes of a JPEG file.
      factor: height and width of the image, divided by the resolution.

    Returns:
      The mean, the 99th percentile and the largest difference of the reduced image from the complete one, and the mean
      difference of the image with a bicubic filter.
    """
    with Image.open(io.BytesIO(content)) as image:
        resolution = min(image.size) // factor
        complete = convert_channels(image, 3)
    exact = crop_to_square(complete, resolution).astype(int)
    with Image.open(io.BytesIO(content)) as image:
        draft = np.abs(decode_draft(image, 3, resolution) - exact)
    bicubic = np.asarray(ImageOps.fit(complete, (resolution, resolution), Image.Resampling.BICUBIC)) - exact
    return (draft.mean(), float(np.percentile(draft, 99)), draft.max()), np.abs(bicubic).mean()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
