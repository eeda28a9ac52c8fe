"""DCGAN: strided convolutions and batch normalisation, with the R1 penalty.

Paper      Radford, Metz, Chintala 2016, arXiv:1511.06434, sections 3 and 4; R1: Mescheder et al. 2018, arXiv:1801.04406
Command    jaxgan train dcgan
Presets    --preset paper with --data FOLDER; --preset demo: the default settings; --preset photos: for your own images
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       24 s by the clock, 41 s of processor time
Score      Frechet distance 0.054, precision 0.87, recall 0.95: 1,797 samples, features of a classifier (fd_classifier)
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

import optax

from jaxgan import data, latents, losses, total
from jaxgan.augment import Kind
from jaxgan.cli.program import main
from jaxgan.data import transforms
from jaxgan.experiment import (
    COUNT,
    FRACTION,
    NON_NEGATIVE,
    AugmentedSettings,
    Experiment,
    check_ranges,
    is_enabled,
    two_player_experiment,
)
from jaxgan.experiment.photo_settings import choose_for
from jaxgan.models import dcgan


@dataclasses.dataclass(frozen=True)
class Config(AugmentedSettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    mirror: bool = False
    """Mirror a random half of the training images left to right. This suits faces and scenes, but not digits."""
    crop: int = 0
    """Maximum distance by which training images are shifted at random in each direction, in pixels. At 0, images are
    not shifted."""
    # Augmentation
    augment: Kind = "none"
    ada_target: float = 0.6
    ada_kimg: float = 500.0
    # Networks
    z_dim: int = 32
    """Dimension of the latents."""
    g_channels: int = 48
    """Number of channels of the generator's last hidden layer."""
    d_channels: int = 32
    """Number of channels of the discriminator's first layer."""
    base_resolution: int = 2
    """Resolution of the generator's first feature maps (paper: 4). Each following layer doubles the resolution."""
    norm: Literal["batch", "none"] = "batch"
    """Normalisation layers of both networks. Set ``norm`` to none for differentially private training, because batch
    normalisation mixes the examples of a batch."""
    # Losses
    r1_gamma: float = 1.0
    """Gamma of the R1 penalty, which has the weight gamma / 2; 0 omits the penalty."""
    # Optimisation
    steps: int = 4500
    batch_size: int = 64
    learning_rate: float = 7e-4
    beta1: float = 0.5
    """Adam's decay rate of the mean of the gradients."""
    beta2: float = 0.99
    """Adam's decay rate of the mean of the squared gradients."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4, g_channels=4, d_channels=4), **changes)


def photos(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings for your own images, which ``config.data`` names.

    If there are few images, a run on a CPU augments them by random shifts. Random shifts worked better than
    DiffAugment: with DiffAugment, the discriminator did not learn within the small number of steps that a CPU can
    train. Training with ADA takes three times as long. See ``docs/how_to/photos.md``.

    Args:
      config: the settings without the settings of the preset.
      given: the settings that the user set, as a dictionary from names to values.
    """
    pictures = choose_for(config, given)
    settings = {
        "resolution": pictures.resolution,
        "base_resolution": pictures.base_resolution,
        "mirror": True,
        "crop": pictures.resolution // 8 if pictures.few else 0,
        "augment": "ada" if pictures.few and pictures.on_accelerator else "none",
        "z_dim": 64,
        "beta1": 0.5,
        "r1_gamma": 1.0,
    }
    if pictures.on_accelerator:
        channels, batch_size, rates = 64, 64, {"learning_rate": 2e-4, "ema_decay": 0.999}
    else:
        channels, batch_size = max(16, 1024 // pictures.resolution), 16
        rates = {"learning_rate": 5e-4, "ema_decay": 0.995}
    size = {"g_channels": channels, "d_channels": channels, "batch_size": batch_size}
    return {**settings, **size, **rates, "steps": pictures.num_images // batch_size}


PRESETS = {
    # Section 4, on the 3,033,042 bedrooms of LSUN. Figure 3 of the paper shows samples after five epochs. The paper
    # does not state Adam's beta2; its code uses 0.999.
    "paper": {
        "resolution": 64,
        "base_resolution": 4,
        "z_dim": 100,
        "g_channels": 128,
        "d_channels": 128,
        "batch_size": 128,
        "steps": 118_478,
        "learning_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "r1_gamma": 0.0,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
    "photos": photos,
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(z_dim=COUNT, g_channels=COUNT, d_channels=COUNT, r1_gamma=NON_NEGATIVE, beta1=FRACTION, beta2=FRACTION)
    source = config.load_images(source)
    size, _, channels = source.shape
    check_ranges(config, crop=(0, size - 1))
    generator = dcgan.Generator(size, channels, config.g_channels, config.base_resolution, config.dtype, config.norm)
    discriminator = dcgan.Discriminator(config.d_channels, config.base_resolution, config.norm, config.dtype)
    augmentation = config.augmentation()

    def discriminator_loss(nets, batch, keys, step):
        d_real, d_fake = augmentation.views(nets, keys)
        real = transforms.random_shift(keys, batch["image"], config.crop)
        real = transforms.random_flip(keys, real) if config.mirror else real
        real_logits, stats = d_real.with_stats(real)
        fake_logits = d_fake(nets.g(latents(keys, config.z_dim)))
        adversarial = losses.non_saturating_discriminator(real_logits, fake_logits)
        penalty = {"r1": config.r1_gamma / 2 * losses.r1(d_real, real)} if is_enabled(config.r1_gamma) else {}
        metrics = losses.discriminator_metrics(real_logits, fake_logits) | augmentation.metrics(nets)
        stats = {"d": stats, **augmentation.stats(nets, real_logits)}
        return total(adversarial=adversarial, **penalty, metrics=metrics, stats=stats)

    def generator_loss(nets, batch, keys, step):
        _, d_fake = augmentation.views(nets, keys)
        fake, stats = nets.g.with_stats(latents(keys, config.z_dim))
        return total(adversarial=losses.non_saturating_generator(d_fake(fake)), stats={"g": stats})

    adam = optax.adam(config.learning_rate, config.beta1, config.beta2)
    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
        other_nets=augmentation.nets,
    )


if __name__ == "__main__":
    main("dcgan", Config, build, __doc__, presets=PRESETS)
