"""R3GAN: a relativistic loss with the R1 and R2 penalties, and residual networks without normalisation.

Paper      Huang, Gokaslan, Kuleshov, Tompkin 2024, arXiv:2501.05441, without its augmentation
Command    jaxgan train r3gan
Presets    --preset paper with --data cifar10, which TFDS downloads; --preset demo has the default settings
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       6 minutes by the clock, 4 minutes of processor time
Score      Frechet distance 0.10, precision 0.81, recall 0.83: 1,797 samples, features of a classifier (fd_classifier)
"""

import dataclasses
from typing import Any, Literal, Self

import flax.linen as nn
import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.data import transforms
from jaxgan.experiment import (
    COUNT,
    DEPTH,
    FRACTION,
    NON_NEGATIVE,
    Experiment,
    Settings,
    require_classes,
    two_player_experiment,
)
from jaxgan.games.optimizers import cosine
from jaxgan.models import dcgan, r3gan
from jaxgan.nn.layers import num_upsamples


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Settings of the experiment, which determine its result.

    ``learning_rate``, ``gamma`` and ``beta2`` change during training, to the values of ``learning_rate_final``,
    ``gamma_final`` and ``beta2_final``.
    """

    # Data
    data: str = "digits"
    resolution: int | None = None
    mirror: bool = False
    """Mirror a random half of the training images left to right."""
    # Networks
    networks: Literal["r3gan", "dcgan"] = "r3gan"
    """Architecture of both networks: r3gan (the residual networks of the paper) or dcgan (DCGAN's networks with batch
    normalisation in the generator only). On a CPU, dcgan learns several times as fast."""
    conditional: bool = False
    """Condition both networks on the class. The data must have labels."""
    z_dim: int = 64
    """Dimension of the latents."""
    g_channels: int = 32
    """Number of channels of each stage of the generator (paper: 768). With ``networks`` dcgan, number of channels
    at the highest resolution."""
    d_channels: int = 32
    """Number of channels of each stage of the discriminator (paper: 768). With ``networks`` dcgan, number of channels
    at the highest resolution."""
    channels_per_group: int = 16
    """Number of channels in each group of the grouped 3 x 3 convolutions."""
    num_blocks: int = 1
    """Number of residual blocks in each stage (paper: 2)."""
    base_resolution: int = 4
    """Resolution of the generator's first stage. Each following stage doubles the resolution."""
    # Losses
    gamma: float = 1.0
    """Gamma of the R1 and R2 penalties at the start. Both penalties have the weight gamma / 2."""
    gamma_final: float = 0.1
    """Gamma from step decay_steps on."""
    # Optimisation
    steps: int = 4000
    batch_size: int = 32
    learning_rate: float = 3e-3
    learning_rate_final: float = 5e-4
    """Learning rate from step decay_steps on. For the larger networks of the paper, the learning rate falls from 2e-4
    to 5e-5."""
    decay_steps: int = 4000
    """Number of steps over which the learning rate, gamma and beta2 change along a cosine to their final values."""
    beta2: float = 0.9
    """Adam's decay rate of the mean of the squared gradients, at the start of training. The decay rate of the mean of
    the gradients is always 0."""
    beta2_final: float = 0.99
    """Adam's decay rate of the mean of the squared gradients, from step decay_steps on."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, batch_size=8, z_dim=4, g_channels=4, d_channels=4, channels_per_group=4)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The preset CIFAR10 of the authors' train.py, with classes. Its schedules take 20 million images; the authors
    # continue to train after that. Two of their settings have no counterpart here. The authors augment images by ADA's
    # transforms, with a probability that grows from 0 to 0.55. Their moving average has a half-life that grows from 0
    # to 5 million images. The ema_decay below corresponds to the final half-life.
    "paper": {
        "resolution": 32,
        "base_resolution": 4,
        "conditional": True,
        "mirror": True,
        "networks": "r3gan",
        "z_dim": 64,
        "g_channels": 768,
        "d_channels": 768,
        "num_blocks": 2,
        "channels_per_group": 16,
        "batch_size": 512,
        "steps": 39_062,
        "decay_steps": 39_062,
        "learning_rate": 2e-4,
        "learning_rate_final": 5e-5,
        "gamma": 0.05,
        "gamma_final": 0.005,
        "beta2": 0.9,
        "beta2_final": 0.99,
        "ema_decay": 0.99993,
    },
    "demo": {},  # the default settings
}


def networks(config: Config, shape: tuple[int, ...], classes: int) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator for images of this shape.

    Args:
      config: the settings.
      shape: shape of an image, (size, size, C).
      classes: number of classes; 0 for unconditional networks.

    Raises:
      ValueError: if the networks of DCGAN are combined with classes.
    """
    size, _, channels = shape
    kwargs: dict[str, Any] = {"base_resolution": config.base_resolution, "dtype": config.dtype}
    if config.networks == "dcgan":
        if classes:
            raise ValueError(
                "With `networks` dcgan, the model cannot be conditional. Leave out `conditional`, or set `networks` "
                "to r3gan."
            )
        generator = dcgan.Generator(size, channels, config.g_channels, **kwargs)
        return generator, dcgan.Discriminator(config.d_channels, norm="none", **kwargs)
    kwargs["blocks_per_stage"] = config.num_blocks
    kwargs["channels_per_group"] = config.channels_per_group
    kwargs["classes"] = classes
    stages = 1 + num_upsamples(size, config.base_resolution)
    generator = r3gan.Generator((config.g_channels,) * stages, channels, **kwargs)
    discriminator = r3gan.Discriminator((config.d_channels,) * stages, embedding_dim=config.d_channels, **kwargs)
    return generator, discriminator


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        z_dim=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        num_blocks=DEPTH,
        channels_per_group=COUNT,
        decay_steps=COUNT,
        learning_rate_final=NON_NEGATIVE,
        gamma=NON_NEGATIVE,
        gamma_final=NON_NEGATIVE,
        beta2=FRACTION,
        beta2_final=FRACTION,
    )
    source = config.load_images(source)
    classes = require_classes(source) if config.conditional else ()
    generator, discriminator = networks(config, source.shape, len(classes))
    gamma = cosine(config.gamma, config.gamma_final, config.decay_steps)

    def read_reals(batch, keys):
        return transforms.random_flip(keys, batch["image"]) if config.mirror else batch["image"]

    def discriminator_loss(nets, batch, keys, step):
        label = (batch["label"],) if classes else ()
        real, fake = read_reals(batch, keys), nets.g(latents(keys, config.z_dim), *label)

        def d(x):
            return nets.d(x, *label)

        real_logits, fake_logits = d(real), d(fake)
        return total(
            adversarial=losses.relativistic_discriminator(real_logits, fake_logits),
            r1=gamma(step) / 2 * losses.r1(d, real),
            r2=gamma(step) / 2 * losses.r2(d, fake),
            metrics={"accuracy": real_logits > fake_logits, "gap": real_logits - fake_logits},
        )

    def generator_loss(nets, batch, keys, step):
        label = (batch["label"],) if classes else ()
        fake, stats = nets.g.with_stats(latents(keys, config.z_dim), *label)
        adversarial = losses.relativistic_generator(nets.d(read_reals(batch, keys), *label), nets.d(fake, *label))
        return total(adversarial=adversarial, stats={"g": stats})

    adam = optax.inject_hyperparams(optax.adam)(
        cosine(config.learning_rate, config.learning_rate_final, config.decay_steps),
        b1=0.0,
        b2=cosine(config.beta2, config.beta2_final, config.decay_steps),
    )
    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
        classes=classes,
    )


if __name__ == "__main__":
    main("r3gan", Config, build, __doc__, presets=PRESETS)
