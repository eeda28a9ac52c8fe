"""Choose settings for the preset ``photos`` from the number and the size of the user's images.

Each experiment chooses the other settings, such as widths and learning rates, for its own networks.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from jaxgan.data.survey import Survey, survey
from jaxgan.experiment.settings import Settings

BASE_RESOLUTION = 4  # smallest base resolution of a generator, in pixels
MIN_RESOLUTION = 8  # smallest resolution, in pixels
MAX_RESOLUTION_ON_CPU = 64  # largest resolution that is chosen for training on a CPU, in pixels
MAX_RESOLUTION = 256  # largest resolution that is chosen for training on an accelerator, in pixels
MAX_SHOWN = 50  # number of times that D can be trained on each image before it memorises unaugmented images
HARDLY_ANY = 200  # number of images below which a run on a CPU has half the length: few images are memorised sooner
IMAGES_ON_CPU = 64_000  # number of real images that D is trained on in a run on a CPU, with repetitions
IMAGES_ON_ACCELERATOR = 5_000_000  # number of real images that D is trained on in a run on an accelerator


@dataclasses.dataclass(frozen=True)
class PhotoSettings:
    """Settings that follow from the images and from the machine.

    Attributes:
      resolution: height and width that images are resized to, in pixels.
      few: whether there are so few images that the discriminator memorises them if they are not augmented.
      num_images: number of real images that the discriminator is trained on, with repetitions: ``steps`` times
        ``batch_size``.
      on_accelerator: whether the run uses an accelerator, so that networks can be as large as in the papers.
    """

    resolution: int
    few: bool
    num_images: int
    on_accelerator: bool

    @property
    def base_resolution(self) -> int:
        """The resolution of the generator's first layer: ``resolution``, halved while it is even and at least 8.

        >>> [PhotoSettings(size, True, 32_000, False).base_resolution for size in (8, 64, 96, 28)]
        [4, 4, 6, 7]
        """
        base = self.resolution
        while base % 2 == 0 and base >= 2 * BASE_RESOLUTION:
            base //= 2
        return base


def choose(pictures: Survey, resolution: int | None = None, on_accelerator: bool = False) -> PhotoSettings:
    """Choose settings for images. The result depends only on the arguments.

    >>> choose(Survey("holiday", count=300, smallest_side=90, typical_side=1200, channels=3))
    PhotoSettings(resolution=64, few=True, num_images=64000, on_accelerator=False)

    Args:
      pictures: the number and the size of the images.
      resolution: the resolution that the user set, in pixels. If None, the function chooses the largest power of two to
        which three quarters of the images can be resized without enlargement. The chosen resolution is at most 64 on a
        CPU and at most 256 on an accelerator.
      on_accelerator: whether the machine has an accelerator.

    Raises:
      ValueError: if ``resolution`` is None, and at least a quarter of the images have a side below 8 pixels.
    """
    if resolution is None:
        if pictures.typical_side < MIN_RESOLUTION:
            raise ValueError(
                f"`data` {pictures.name!r} has too many small images: the shorter side of a quarter of them is at most "
                f"{pictures.typical_side} pixels. Use larger images, or set `resolution` to at least {MIN_RESOLUTION}."
            )
        most = MAX_RESOLUTION if on_accelerator else MAX_RESOLUTION_ON_CPU
        resolution = min(most, 1 << (pictures.typical_side.bit_length() - 1))
    if on_accelerator:
        num_images = IMAGES_ON_ACCELERATOR
    else:
        num_images = IMAGES_ON_CPU // 2 if pictures.count < HARDLY_ANY else IMAGES_ON_CPU
    return PhotoSettings(resolution, num_images > MAX_SHOWN * pictures.count, num_images, on_accelerator)


def choose_for(config: Settings, given: Mapping[str, Any]) -> PhotoSettings:
    """Choose settings for the images that ``config.data`` names, on this machine.

    Args:
      config: the settings. ``config.data`` names the images.
      given: the settings that the user set, as a dictionary from names to values. Its ``resolution`` is not changed.

    Raises:
      ValueError: if the user did not set ``data``, or the images are missing or too small.
    """
    if "data" not in given:
        raise ValueError("`preset` photos is for your own images. Set `data` to their folder or zip file.")
    return choose(survey(config.data), given.get("resolution"), jax.default_backend() != "cpu")
