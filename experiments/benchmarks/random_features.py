"""Measure whether ``fd_random``, the Frechet distance of random features, ranks photographs by their corruption.

Command: python -m experiments.benchmarks.random_features

The program divides tiles of the bundled photographs into two halves. It prints a table of the distance between the
first half and the second half at increasing strengths of corruption, divided by the distance without corruption.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from jaxgan.data import load
from jaxgan.evaluation.random_network import RandomFeatures
from jaxgan.metrics import frechet_distance

COUNT = 300  # number of images in each half


def each(convert: Callable[[Image.Image], Image.Image], images: np.ndarray) -> np.ndarray:
    """Apply a function of an image to all images."""
    return np.stack([np.asarray(convert(Image.fromarray(image))) for image in images])


def noise(images: np.ndarray, std: float) -> np.ndarray:
    """Add Gaussian noise."""
    return np.clip(images + np.random.default_rng(1).normal(0, std, images.shape), 0, 255).astype(np.uint8)


def blur(images: np.ndarray, radius: float) -> np.ndarray:
    """Apply a Gaussian filter."""
    return each(lambda image: image.filter(ImageFilter.GaussianBlur(radius)), images)


def jpeg(images: np.ndarray, quality: int) -> np.ndarray:
    """Compress images as JPEG."""

    def convert(image):
        file = io.BytesIO()
        image.save(file, "jpeg", quality=quality)
        return Image.open(file)

    return each(convert, images)


def contrast(images: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the contrast by a factor."""
    return np.clip((images - 128.0) * factor + 128, 0, 255).astype(np.uint8)


def tint(images: np.ndarray, shift: int) -> np.ndarray:
    """Add to red and subtract from blue."""
    return np.clip(images + np.array([shift, 0, -shift]), 0, 255).astype(np.uint8)


def hole(images: np.ndarray, side: float) -> np.ndarray:
    """Fill the central square, whose side is a fraction of the image, with grey."""
    images, size = images.copy(), images.shape[1]
    start = round(size * (1 - side) / 2)
    images[:, start : size - start, start : size - start] = 128
    return images


def few(images: np.ndarray, count: int) -> np.ndarray:
    """Repeat a few of the images."""
    return images[np.arange(len(images)) % count]


CORRUPTIONS = {
    "Gaussian noise, standard deviation": (noise, (5, 10, 20, 40)),
    "Gaussian blur, radius in pixels": (blur, (0.5, 1, 2, 4)),
    "JPEG, quality": (jpeg, (50, 20, 10, 5)),
    "contrast, factor": (contrast, (0.9, 0.8, 0.6, 0.4)),
    "tint, shift of red and blue": (tint, (10, 20, 40, 80)),
    "grey square, side as a fraction": (hole, (0.2, 0.3, 0.45, 0.6)),
    "few images, number": (few, (100, 50, 25, 10)),
}


def main() -> None:
    """Print the table in Markdown."""
    tiles = load("photos", resolution=64)
    indices = np.random.default_rng(0).permutation(len(tiles))[: 2 * COUNT]
    images, network = tiles.read(indices)["image"], RandomFeatures()
    real, other = network(images[:COUNT]), images[COUNT:]
    without = frechet_distance(real, network(other))
    print(f"Distance without corruption: {without:.3g}, {COUNT} images in each half\n")
    print("| corruption, four strengths | distance, divided by the distance without corruption |\n|---|---|")
    for name, (corrupt, strengths) in CORRUPTIONS.items():
        ratios = [frechet_distance(real, network(corrupt(other, strength))) / without for strength in strengths]
        steps = ", ".join(map(str, strengths))
        print(f"| {name}: {steps} | {', '.join(f'{ratio:.3g}' for ratio in ratios)} |", flush=True)


if __name__ == "__main__":
    main()
