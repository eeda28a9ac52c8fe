"""Find settings that are probably a mistake, given the data. A run prints the findings before it starts."""

import math

import numpy as np

from jaxgan.data import Source
from jaxgan.experiment.settings import Settings, TranslationSettings

HARDLY_ANY = 100  # number of images below which samples are copies of the training images
FEW = 1_500  # number of images below which a discriminator without augmentation memorises the images
# Largest useful number of passes over the data. The authors of DiffAugment make 3,000 passes over 100 images.
MAX_EPOCHS = 5_000
USUAL_BASE = 4  # base_resolution of most papers
# Brightest value, of 255, of images that are almost black. A file of 16 bits that contains values of 12 bits is one.
ALMOST_BLACK = 16
INSPECTED = 16  # number of examples that are inspected for it
MAX_PIXELS_ON_CPU = 128**2  # largest number of pixels of an image for which a CPU is fast enough


def advice(config: Settings, source: Source, on_cpu: bool = False) -> list[str]:
    """Return sentences about settings that are allowed but do not fit the data, each with a suggestion to fix it.

    Args:
      config: the settings. The sentences of ``config.advice()`` come first.
      source: the examples to train on.
      on_cpu: whether the run trains on a CPU.
    """
    about_data = [*_about_number(config, source), *_about_size(config, source, on_cpu), *_about_brightness(source)]
    return [*config.advice(), *about_data]


def _about_number(config: Settings, source: Source) -> list[str]:
    """Return advice that depends on the number of examples."""
    count, sentences = len(source), []
    are = f"`data` has {count:,} examples"
    if count < HARDLY_ANY and not isinstance(config, TranslationSettings):
        sentences.append(
            f"{are}, fewer than {HARDLY_ANY}, so samples will be copies and mixtures of them at best. Add more "
            "examples of the same kind."
        )
    if count < FEW and getattr(config, "augment", None) == "none" and not getattr(config, "crop", 0):
        sentences.append(
            f"{are}, so few that the discriminator will memorise them. Start from `preset` photos, or set `augment` to "
            "ada."
        )
    if config.batch_size > count:
        sentences.append(
            f"{are}, fewer than `batch_size` {config.batch_size}, so every batch contains some examples twice. Set "
            f"`batch_size` to {_power_of_two(count)} or less."
        )
    epochs = config.steps * config.batch_size / count
    if epochs > MAX_EPOCHS:
        enough = math.ceil(MAX_EPOCHS * count / config.batch_size)
        sentences.append(
            f"{are}, and `steps` {config.steps} with `batch_size` {config.batch_size} amount to {epochs:,.0f} "
            f"epochs. {MAX_EPOCHS:,} epochs are more than enough. Set `steps` to {enough} or less."
        )
    return sentences


def _about_size(config: Settings, source: Source, on_cpu: bool) -> list[str]:
    """Return advice that depends on the size of the images."""
    if len(source.shape) != 3:
        return []
    height, width, _ = source.shape
    base, sentences = getattr(config, "base_resolution", USUAL_BASE), []
    if base < USUAL_BASE and height >= 8 * USUAL_BASE:
        sentences.append(
            f"`base_resolution` {base} is meant for images of 8 x 8 or 16 x 16. For images of {width} x {height}, it "
            f"makes the generator's first layers very wide. Set `base_resolution` to {USUAL_BASE}."
        )
    if on_cpu and height * width > MAX_PIXELS_ON_CPU:
        sentences.append(
            f"Training on images of {width} x {height} takes days on a CPU. Set `resolution` to 64, or use an "
            "accelerator."
        )
    return sentences


def _about_brightness(source: Source) -> list[str]:
    """Return advice that depends on the pixels of some examples, which are at equal intervals."""
    if len(source.shape) != 3:
        return []
    images = source.read(np.unique(np.linspace(0, len(source) - 1, INSPECTED).astype(int)))["image"]
    if images.dtype != np.uint8 or images.max() > ALMOST_BLACK:
        return []
    return [
        f"The brightest pixel of {len(images)} examples of `data` is {images.max()} of 255, so the images are almost "
        "black. If their files contain values of 10 or 12 bits, scale the values to 16 bits first."
    ]


def _power_of_two(count: int) -> int:
    """Return the largest power of two that is at most ``count``, which must be at least 1."""
    return 1 << (count.bit_length() - 1)
