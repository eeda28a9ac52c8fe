"""Photographs that come along with scikit-learn and scikit-image, as tiles: real images without a download.

china and flower are by danielbuechele and vultilion of Flickr (CC BY 2.0); astronaut is NASA's and rocket SpaceX's
(public domain); chelsea, a cat, is Stefan van der Walt's and coffee Rachel Michetti's (CC0); motorcycle is from
Middlebury's stereo data of 2014 (Scharstein et al.). brick, grass and gravel are grey textures of CC0Textures (CC0).
"""

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.core import extras
from jaxgan.data.images import convert_channels, crop_to_square
from jaxgan.data.source import Arrays

SIZE = 64
TEST_FROM = 0.6  # of height and width: windows below and to the right of this point are for tests
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


def load(name: str, *, resolution: int | None = None, channels: int | None = None, split: str = "train") -> Arrays:
    """Tiles of the photographs, uint8, [N, resolution, resolution, channels], a quarter of their side apart.

    Args:
      name: ``photos``, the seven in colour, or ``photos:china``, one of them; ``photos:brick``, ``photos:grass`` and
        ``photos:gravel`` are grey.
      resolution: height and width of a tile; None is 64.
      channels: 1, 3 or 4; None takes the photograph's own.
      split: ``train``, or ``test``: windows within the lower right corner of each photograph, two fifths of its height
        and width. No tile for training shares a pixel with it.

    Raises:
      MissingPackageError: a package that brings them is not installed.
      ValueError: there is no such photograph, tile or split.
    """
    resolution, (kind, _, photo) = SIZE if resolution is None else resolution, name.partition(":")
    known = COLOUR | GREY
    if kind != "photos" or (photo not in known and name != "photos"):
        raise ValueError(f"`data` {name!r}: no such photograph; there are {', '.join(known)}.")
    if split not in ("train", "test"):
        raise ValueError(f"`data` {name!r}: no split {split!r}; it has train and test.")
    photos = [photo] if photo else list(COLOUR)
    extras.require(*sorted({known[x].partition("/")[0] for x in photos}), user=f"`data` {name}")
    tiles = np.concatenate([_tiles(load_photo(x, channels), resolution, split == "test") for x in photos])
    if not len(tiles):
        raise ValueError(
            f"`data` {name!r}: no tile of {resolution} x {resolution} in its part for {split}; take a smaller "
            "`resolution`."
        )
    return Arrays(tiles, name=f"{name} {split}")


def load_photo(photo: str, channels: int | None = None) -> np.ndarray:
    """A whole photograph by its name: uint8, [H, W, channels].

    Raises:
      MissingPackageError: the package that brings it is not installed.
      ValueError: the installed package does not have it.
    """
    package, _, path = (COLOUR | GREY)[photo].partition("/")
    extras.require(package, user=f"photograph {photo!r}")
    # The package is found and not imported, because nothing of it is needed but the file.
    spec = importlib.util.find_spec(package)
    assert spec and spec.submodule_search_locations  # what ``require`` found
    file = Path(spec.submodule_search_locations[0], path)
    if not file.is_file():
        raise ValueError(
            f"photograph {photo!r}: the installed {extras.EXTRA_OF[package][1]} has no {path}; install its newest."
        )
    if channels is None:
        channels = 1 if photo in GREY else 3
    with Image.open(file) as image:
        return crop_to_square(convert_channels(image, channels), None)


def _tiles(photo: np.ndarray, size: int, test: bool) -> np.ndarray:
    """Tiles of one photograph, [N, size, size, C], either those for tests or those for training."""
    height, width, channels = photo.shape
    step = max(1, size // 4)
    top, left = (round(TEST_FROM * n) for n in (height, width))
    corners = [
        (y, x)
        for y in range(top if test else 0, height - size + 1, step)
        for x in range(left if test else 0, width - size + 1, step)
        if test or y + size <= top or x + size <= left
    ]
    tiles = [photo[y : y + size, x : x + size] for y, x in corners]
    return np.stack(tiles) if tiles else np.empty((0, size, size, channels), np.uint8)
