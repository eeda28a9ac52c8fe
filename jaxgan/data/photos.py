"""Photographs that come along with scikit-learn and scikit-image, as tiles: real images without a download.

china and flower are by danielbuechele and vultilion of Flickr (CC BY 2.0); astronaut is NASA's and rocket SpaceX's
(public domain); chelsea, a cat, is Stefan van der Walt's and coffee Rachel Michetti's (CC0); motorcycle is from
Middlebury's stereo data of 2014 (Scharstein et al.). brick, grass and gravel are grey textures of CC0Textures (CC0).
"""

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.data.images import converted
from jaxgan.data.source import Arrays

SIZE = 64
TEST_FROM = 0.6  # of the height and of the width: what lies below and to the right is for tests
COLOUR = {
    "china": "sklearn/datasets/images/china.jpg",
    "flower": "sklearn/datasets/images/flower.jpg",
    "astronaut": "skimage/data/astronaut.png",
    "chelsea": "skimage/data/chelsea.png",
    "coffee": "skimage/data/coffee.png",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "rocket": "skimage/data/rocket.jpg",
}
GREY = {name: f"skimage/data/{name}.png" for name in ("brick", "grass", "gravel")}
PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image"}


def load(name: str, *, size: int | None = None, channels: int | None = None, split: str = "train") -> Arrays:
    """Tiles of the photographs, uint8, [N, size, size, channels]: windows a quarter of their side apart.

    Args:
      name: ``photos``, the seven in colour, or ``photos:china``, one of them; ``photos:brick``, ``photos:grass`` and
        ``photos:gravel`` are grey.
      size: of a tile; None is 64.
      channels: 1, 3 or 4; None takes the photograph's own.
      split: ``train``, or ``test``: windows within the lower right corner of each photograph, two fifths of its height
        and width. No tile for training shares a pixel with it.

    Raises:
      ValueError: there is no such photograph, tile or split, or a package that brings it is not installed.
    """
    size, (kind, _, one) = SIZE if size is None else size, name.partition(":")
    known = COLOUR | GREY
    if kind != "photos" or (one not in known and name != "photos"):
        raise ValueError(f"data {name!r}: no such photograph; there are {', '.join(known)}")
    if split not in ("train", "test"):
        raise ValueError(f"data {name!r}: no split {split!r}; it has train and test")
    tiles = [_tiles(opened(photo, channels), size, split == "test") for photo in ([one] if one else COLOUR)]
    tiles = np.concatenate([some for some in tiles if len(some)] or tiles[:1])
    if not len(tiles):
        raise ValueError(f"data {name!r}: no tile of {size} x {size} in its part for {split}; take a smaller size")
    return Arrays(tiles, name=f"{name} {split}")


def opened(photo: str, channels: int | None = None) -> np.ndarray:
    """A photograph by its name, whole: uint8, [H, W, channels]."""
    package, _, path = (COLOUR | GREY)[photo].partition("/")
    # Found, and not imported: nothing of it is needed but the file.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"photograph {photo!r} comes with {PACKAGES[package]}: pip install {PACKAGES[package]}")
    file = Path(spec.submodule_search_locations[0], path)
    if not file.is_file():
        raise ValueError(f"photograph {photo!r}: this {PACKAGES[package]} has no {path}; install its newest")
    with Image.open(file) as image:
        own = 1 if photo in GREY else 3
        return np.asarray(converted(image, channels or own)).reshape(*image.size[::-1], channels or own)


def _tiles(photo: np.ndarray, size: int, test: bool) -> np.ndarray:
    """[N, size, size, C]."""
    height, width, depth = photo.shape
    step = max(1, size // 4)
    top, left = (round(TEST_FROM * n) for n in (height, width))
    places = [
        (y, x)
        for y in range(top if test else 0, height - size + 1, step)
        for x in range(left if test else 0, width - size + 1, step)
        if test or y + size <= top or x + size <= left
    ]
    tiles = [photo[y : y + size, x : x + size] for y, x in places]
    return np.stack(tiles) if tiles else np.empty((0, size, size, depth), np.uint8)
