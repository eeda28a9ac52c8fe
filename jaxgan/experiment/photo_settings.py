"""What follows from a user's own pictures for the presets ``photos``: from how many there are, and how large they are.

What fits a network, its widths and rates, is in the experiment that it belongs to.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from jaxgan.data.survey import Survey, survey
from jaxgan.experiment.settings import Settings

BASE_RESOLUTION = 4
MIN_RESOLUTION = 8
MAX_RESOLUTION_ON_CPU = 64
MAX_RESOLUTION = 256
MAX_SHOWN = 50  # times that a discriminator can be shown each picture before it has to be varied
HARDLY_ANY = 200  # pictures, which are learnt by heart in half the time
IMAGES_ON_CPU = 64_000
IMAGES_ON_ACCELERATOR = 5_000_000


@dataclasses.dataclass(frozen=True)
class PhotoSettings:
    """What follows from pictures and from the machine.

    Attributes:
      resolution: height and width that pictures are brought to.
      few: whether each is shown so often that it has to be varied, or the discriminator knows all of them by heart.
      num_images: real images that the discriminator is to be shown, repeated ones too: ``steps`` times ``batch_size``.
      on_accelerator: whether networks may be as large as in papers.
    """

    resolution: int
    few: bool
    num_images: int
    on_accelerator: bool

    @property
    def base_resolution(self) -> int:
        """The resolution from which a generator grows images: ``resolution`` halved while it stays at least 4.

        >>> [PhotoSettings(size, True, 32_000, False).base_resolution for size in (8, 64, 96, 28)]
        [4, 4, 6, 7]
        """
        base = self.resolution
        while base % 2 == 0 and base >= 2 * BASE_RESOLUTION:
            base //= 2
        return base


def choose(pictures: Survey, resolution: int | None = None, on_accelerator: bool = False) -> PhotoSettings:
    """What follows from pictures: a function of the survey and the machine alone.

    >>> choose(Survey("holiday", count=300, smallest_side=90, typical_side=1200, channels=3))
    PhotoSettings(resolution=64, few=True, num_images=64000, on_accelerator=False)

    Args:
      pictures: their number and size.
      resolution: taken as it is. None takes the largest power of two that three quarters of the pictures have on their
        shorter side, at most 64 on a CPU and 256 on an accelerator.
      on_accelerator: whether the machine has one.

    Raises:
      ValueError: most pictures are smaller than 8 x 8.
    """
    if resolution is None:
        if pictures.typical_side < MIN_RESOLUTION:
            raise ValueError(
                f"`data` {pictures.name!r}: a quarter of the pictures are at most {pictures.typical_side} pixels high "
                f"or wide; give larger ones, or set `resolution` to at least {MIN_RESOLUTION}."
            )
        most = MAX_RESOLUTION if on_accelerator else MAX_RESOLUTION_ON_CPU
        resolution = min(most, 1 << (pictures.typical_side.bit_length() - 1))
    if on_accelerator:
        num_images = IMAGES_ON_ACCELERATOR
    else:
        num_images = IMAGES_ON_CPU // 2 if pictures.count < HARDLY_ANY else IMAGES_ON_CPU
    return PhotoSettings(resolution, num_images > MAX_SHOWN * pictures.count, num_images, on_accelerator)


def choose_for(config: Settings, given: Mapping[str, Any]) -> PhotoSettings:
    """``choose`` for the pictures that ``config.data`` names, on this machine.

    Args:
      config: the settings, of which ``data`` names the pictures.
      given: the settings that were asked for, by name. A resolution among them is kept.

    Raises:
      ValueError: no data were asked for, or there are no such pictures, or they are too small.
    """
    if "data" not in given:
        raise ValueError("`preset` photos is for pictures of your own; give their folder or zip as `data`.")
    return choose(survey(config.data), given.get("resolution"), jax.default_backend() != "cpu")
