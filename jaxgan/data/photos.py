"""Load tiles of the photographs in scikit-learn and scikit-image: real images that need no download.

The photographs china and flower are by danielbuechele and vultilion on Flickr (CC BY 2.0). astronaut is by NASA and
rocket by SpaceX (public domain). chelsea, a cat, is by Stefan van der Walt, and coffee by Rachel Michetti (CC0).
motorcycle is from the Middlebury stereo data of 2014 (Scharstein et al.). brick, grass and gravel are grey textures
from CC0Textures (CC0).
"""

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.core import extras
from jaxgan.data.decoding import convert_channels, crop_to_square
from jaxgan.data.source import Arrays

SIZE = 64  # default height and width of a tile in pixels
TEST_FROM = 0.6  # fraction of height and width; the test tiles are below and to the right of this point
# The file of each photograph, relative to the folder that contains the package.
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


def load(
    name: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    split: str = "train",
    argument: str = "data",
) -> Arrays:
    """Return square tiles of the photographs, uint8 [N, resolution, resolution, channels].

    The distance between the corners of adjacent tiles is a quarter of their side, so tiles overlap.

    Args:
      name: ``photos`` for the seven photographs in colour, or ``photos:`` and the name of one photograph, such as
        ``photos:china``. The photographs ``brick``, ``grass`` and ``gravel`` are grey.
      resolution: height and width of a tile in pixels; None uses 64.
      channels: 1, 3 or 4; None keeps the channels of the photograph.
      split: ``train`` or ``test``. The test tiles are cut out of the lower right part of each photograph. This part
        spans two fifths of the height and two fifths of the width. Training tiles do not overlap this part.
      argument: the name of the caller's argument, for messages.

    Raises:
      MissingPackageError: if scikit-learn or scikit-image is needed and not installed.
      ValueError: if the photograph or the split does not exist, or if no tile of this size fits into a photograph.
    """
    resolution, (kind, _, photo) = SIZE if resolution is None else resolution, name.partition(":")
    known = COLOUR | GREY
    if kind != "photos" or (photo not in known and name != "photos"):
        raise ValueError(
            f"`{argument}` {name!r} is not one of the photographs. Use 'photos' for all photographs in colour, or "
            f"'photos:' followed by one of these names: {', '.join(known)}."
        )
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be train or test for `{argument}` {name!r}, got {split!r}.")
    photos = [photo] if photo else list(COLOUR)
    extras.require(*sorted({known[x].partition("/")[0] for x in photos}), user=f"`{argument}` {name!r}")
    tiles = np.concatenate([_tiles(load_photo(x, channels), resolution, split == "test") for x in photos])
    if not len(tiles):
        raise ValueError(
            f"`resolution` {resolution} is too large for `{argument}` {name!r}: the {split} part of the photographs "
            "contains no tile of this size. Choose a smaller `resolution`."
        )
    return Arrays(tiles, name=f"{name} {split}")


def load_photo(photo: str, channels: int | None = None) -> np.ndarray:
    """Return a complete photograph, uint8 [H, W, channels].

    Args:
      photo: the name of the photograph, a key of ``COLOUR`` or ``GREY``.
      channels: 1, 3 or 4; None keeps the channels of the photograph.

    Raises:
      MissingPackageError: if the package that contains the photograph is not installed.
      ValueError: if the installed version of the package does not contain the photograph.
    """
    package, _, path = (COLOUR | GREY)[photo].partition("/")
    extras.require(package, user=f"The photograph {photo!r}")
    # The package is located but not imported, because only the file is needed.
    spec = importlib.util.find_spec(package)
    assert spec and spec.submodule_search_locations  # ``require`` has checked that the package is installed
    file = Path(spec.submodule_search_locations[0], path)
    if not file.is_file():
        raise ValueError(
            f"The photograph {photo!r} is missing: the installed {extras.EXTRA_OF[package][1]} does not contain "
            f"{path}. Install the newest version of this package."
        )
    if channels is None:
        channels = 1 if photo in GREY else 3
    with Image.open(file) as image:
        return crop_to_square(convert_channels(image, channels), None)


def _tiles(photo: np.ndarray, size: int, test: bool) -> np.ndarray:
    """Return the test tiles or the training tiles of one photograph, [N, size, size, C]."""
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
