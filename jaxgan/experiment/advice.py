"""Find settings that are probably a mistake, given the data. A run prints the findings before it starts."""

import math

from jaxgan.data import Source
from jaxgan.experiment.settings import CommonSettings, TranslationSettings
from jaxgan.media import Medium, guess

HARDLY_ANY = 100  # number of images below which samples are copies of the training images
FEW = 1_500  # number of images below which a discriminator without augmentation memorises the images
# Largest useful number of passes over the data. The authors of DiffAugment make 3,000 passes over 100 images.
MAX_EPOCHS = 5_000


def advice(config: CommonSettings, source: Source, on_cpu: bool = False, medium: Medium | None = None) -> list[str]:
    """Return sentences about settings that are allowed but do not fit the data, each with a suggestion to fix it.

    Args:
      config: the settings. The sentences of ``config.advice()`` come first.
      source: the examples to train on.
      on_cpu: whether the run trains on a CPU.
      medium: the medium of the examples, which gives advice about them; None chooses a medium by their shape.
    """
    medium = medium or guess(source.shape)
    return [*config.advice(), *_about_number(config, source), *medium.advice(config, source, on_cpu)]


def _about_number(config: CommonSettings, source: Source) -> list[str]:
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
            f"{are}, fewer than `batch_size` {config.batch_size}, so every batch contains some examples twice. "
            f"{_smaller_batch(count, config.batch_multiple)}"
        )
    epochs = config.steps * config.batch_size / count
    if epochs > MAX_EPOCHS:
        enough = math.ceil(MAX_EPOCHS * count / config.batch_size)
        sentences.append(
            f"{are}, and `steps` {config.steps} with `batch_size` {config.batch_size} amount to {epochs:,.0f} "
            f"epochs. {MAX_EPOCHS:,} epochs are more than enough. Set `steps` to {enough} or less."
        )
    return sentences


def _smaller_batch(count: int, multiple: int) -> str:
    """Return advice to set a ``batch_size`` of at most ``count`` that is a multiple of ``multiple``."""
    power = _power_of_two(count)
    if multiple == 1:
        return f"Set `batch_size` to {power} or less."
    if count < multiple:
        return f"No smaller `batch_size` avoids this, because it must be a multiple of {multiple}. Add more examples."
    largest = count - count % multiple if power % multiple else power
    return f"Set `batch_size` to {largest}, or to a smaller multiple of {multiple}."


def _power_of_two(count: int) -> int:
    """Return the largest power of two that is at most ``count``, which must be at least 1."""
    return 1 << (count.bit_length() - 1)
