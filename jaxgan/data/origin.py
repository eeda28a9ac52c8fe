"""Describe the origin and the licence of data, for the recipients of a trained model."""

from pathlib import Path

from jaxgan.data import photos
from jaxgan.data.loading import TOYS

DIGITS = (
    "1,797 handwritten digits from the data set Optical Recognition of Handwritten Digits by Alpaydin and Kaynak, "
    "https://archive.ics.uci.edu/dataset/80 (CC BY 4.0)"
)
# The author and the licence of each photograph.
PHOTOS = {
    "china": "by danielbuechele on Flickr (CC BY 2.0)",
    "flower": "by vultilion on Flickr (CC BY 2.0)",
    "astronaut": "by NASA (public domain)",
    "chelsea": "by Stefan van der Walt (CC0)",
    "coffee": "by Rachel Michetti (CC0)",
    "motorcycle": "from the Middlebury stereo data of 2014, by Scharstein et al. (licence unknown to jaxgan)",
    "rocket": "by SpaceX (public domain)",
    "brick": "from CC0Textures (CC0)",
    "grass": "from CC0Textures (CC0)",
    "gravel": "from CC0Textures (CC0)",
}
UNKNOWN = "the source and the licence are unknown to jaxgan; please add them before you share this file"


def describe_origin(data: str) -> str:
    """Return the source and the licence of data as text.

    Args:
      data: a name or a path, as ``jaxgan.data.load`` accepts it.
    """
    if Path(data).exists():  # for ``load``, a folder called digits takes precedence over the bundled digits
        return UNKNOWN
    kind, _, photo = data.removeprefix("stacked:").partition(":")
    if kind == "digits":
        return DIGITS
    if kind == "photos":
        names = [photo] if photo in PHOTOS else photos.COLOUR
        return "tiles of photographs: " + "; ".join(f"{name}, {PHOTOS[name]}" for name in names)
    if kind in TOYS:
        return "points drawn from a distribution in the plane; there is no licence"
    return UNKNOWN
