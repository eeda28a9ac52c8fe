"""What is probably a mistake in settings, given the examples: said before a run starts."""

import math

from jaxgan.data import Source
from jaxgan.experiment.settings import Settings, TranslationSettings

HARDLY_ANY = 100  # images, of which samples will be copies
FEW = 1_500  # images, which a discriminator without augmentation memorises
MAX_EPOCHS = 5_000  # passes over the data; DiffAugment's authors train on 100 images for 3,000
USUAL_BASE = 4  # base_resolution of the papers
MAX_PIXELS_ON_CPU = 128**2


def advice(config: Settings, source: Source, on_cpu: bool = False) -> list[str]:
    """Sentences about settings that are allowed, but do not fit the examples, each with a mend.

    Args:
      config: the settings, whose own ``advice()`` comes first.
      source: the examples.
      on_cpu: whether the run is on a CPU.
    """
    return [*config.advice(), *_about_number(config, source), *_about_size(config, source, on_cpu)]


def _about_number(config: Settings, source: Source) -> list[str]:
    """Advice that follows from the number of examples."""
    count, sentences = len(source), []
    are = f"`data` has {count:,} examples"
    if count < HARDLY_ANY and not isinstance(config, TranslationSettings):
        sentences.append(
            f"{are}, fewer than {HARDLY_ANY}, so samples will at best be copies and blends of them; add more of the "
            "same kind."
        )
    if count < FEW and getattr(config, "augment", None) == "none" and not getattr(config, "crop", 0):
        sentences.append(
            f"{are}, which the discriminator will know by heart; start from `preset` photos, or set `augment` to ada."
        )
    if config.batch_size > count:
        sentences.append(
            f"{are}, fewer than `batch_size` {config.batch_size}, so every batch has some of them twice; set "
            f"`batch_size` to {_power_of_two(count)} or less."
        )
    epochs = config.steps * config.batch_size / count
    if epochs > MAX_EPOCHS:
        enough = math.ceil(MAX_EPOCHS * count / config.batch_size)
        sentences.append(
            f"{are}, and `steps` {config.steps} with `batch_size` {config.batch_size} pass {epochs:,.0f} times over "
            f"them; {MAX_EPOCHS:,} times are more than enough: set `steps` to {enough} or less."
        )
    return sentences


def _about_size(config: Settings, source: Source, on_cpu: bool) -> list[str]:
    """Advice that follows from the size of images."""
    if len(source.shape) != 3:
        return []
    height, width, _ = source.shape
    base, sentences = getattr(config, "base_resolution", USUAL_BASE), []
    if base < USUAL_BASE and height >= 8 * USUAL_BASE:
        sentences.append(
            f"`base_resolution` {base} is for images of 8 x 8 or 16 x 16, and these are {width} x {height}, for which "
            f"the generator's first layers grow wide; set `base_resolution` to {USUAL_BASE}."
        )
    if on_cpu and height * width > MAX_PIXELS_ON_CPU:
        sentences.append(
            f"images of {width} x {height} train for days on a CPU; set `resolution` to 64, or use an accelerator."
        )
    return sentences


def _power_of_two(count: int) -> int:
    """The largest power of two that is at most ``count``, which is at least 1."""
    return 1 << (count.bit_length() - 1)
