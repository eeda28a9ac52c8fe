"""The origin and the licence of data, as far as jaxgan knows, for people who receive a trained model."""

from pathlib import Path

from jaxgan.data import photos
from jaxgan.data.loading import TOYS

DIGITS = (
    "1,797 handwritten digits of the set Optical Recognition of Handwritten Digits, by Alpaydin and Kaynak, "
    "https://archive.ics.uci.edu/dataset/80; CC BY 4.0"
)
PHOTOS = {
    "china": "by danielbuechele of Flickr (CC BY 2.0)",
    "flower": "by vultilion of Flickr (CC BY 2.0)",
    "astronaut": "NASA's (public domain)",
    "chelsea": "by Stefan van der Walt (CC0)",
    "coffee": "by Rachel Michetti (CC0)",
    "motorcycle": "of Middlebury's stereo data of 2014, by Scharstein et al. (terms not known here)",
    "rocket": "SpaceX's (public domain)",
    "brick": "of CC0Textures (CC0)",
    "grass": "of CC0Textures (CC0)",
    "gravel": "of CC0Textures (CC0)",
}
UNKNOWN = "not known to jaxgan; please name their source and their licence before you share this file"


def describe_origin(data: str) -> str:
    """The source and the licence of the data that ``data`` names, as ``load`` takes it."""
    if Path(data).exists():  # ``load`` also takes a folder called digits before the digits
        return UNKNOWN
    kind, _, photo = data.removeprefix("stacked:").partition(":")
    if kind == "digits":
        return DIGITS
    if kind == "photos":
        names = [photo] if photo in PHOTOS else photos.COLOUR
        return "tiles of photographs: " + "; ".join(f"{name}, {PHOTOS[name]}" for name in names)
    if kind in TOYS:
        return "points drawn from a distribution in the plane; there are no terms"
    return UNKNOWN
