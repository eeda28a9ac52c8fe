"""R3GAN: a relativistic loss, penalties at reals and fakes, and residual networks without normalisation.

Paper      Huang, Gokaslan, Kuleshov, Tompkin 2024, arXiv:2501.05441: equation 2 with R1 and R2, figure 4's blocks, and
           cosine schedules of the rate, Adam's second decay and gamma. Not its augmentation.
Command    jaxgan train r3gan
Presets    --preset paper --data cifar10: the paper's on CIFAR-10, which TFDS downloads; --preset demo: the defaults
Data       scikit-learn's 1,797 digits, 8 x 8, which come along; --data takes any other images
Hardware   two cores of a shared Intel Xeon, jax 0.10.2, float32
Time       10 minutes on one core, which was shared
Score      Frechet distance on pixels 0.54, precision 0.59, recall 0.34, classes from 8.5 % to 11.7 %, of 1,797 samples:
           python -m pytest -n 0 -s -m slow tests/experiments/test_default_run.py -k r3gan
Stacked    digits of MNIST, --networks dcgan, 42 minutes on one core: 993 of 1,000 modes, KL 0.13; 27.8 % of 26,000
           samples are accepted by a classifier of 99.3 %. The plain GAN (dcgan --r1-gamma 0), one seed too, at its own
           rate that was not tuned for it as R3GAN's was: 964, 0.31 and 26.0 %. Reals 1,000 and 94.0 %, noise 5 and 9.4
           %, one Gaussian for each colour 96 and 1.0 %:
           python -m pytest -n 0 -s -m slow tests/theory/test_collapse.py -k stacked, which asks 80 %
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
    """What the result depends on; ``learning_rate``, ``gamma`` and ``beta2`` go to their ``<name>_final``."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    mirror: bool = False
    """Mirror half of the images left to right."""
    # Networks
    networks: Literal["r3gan", "dcgan"] = "r3gan"
    """r3gan: the paper's. dcgan: with BatchNorm in the generator alone; they learn several times as fast on a CPU."""
    conditional: bool = False
    """Generate by class, and judge by it; the data must have labels."""
    z_dim: int = 64
    """Dimension of the latents."""
    g_channels: int = 32
    """Channels of each stage of the generator, 768 in the paper; of dcgan, at the highest resolution."""
    d_channels: int = 32
    """Channels of each stage of the discriminator; of dcgan, at the highest resolution."""
    channels_per_group: int = 16
    """Channels in each group of the 3 x 3 convolutions."""
    num_blocks: int = 1
    """Residual blocks of each stage; the paper has 2."""
    base_resolution: int = 4
    """Lowest resolution, from which the generator grows its images."""
    # Losses
    gamma: float = 1.0
    """Gamma of R1 and R2, whose weights are gamma / 2."""
    gamma_final: float = 0.1
    """Where gamma ends."""
    # Optimisation
    steps: int = 4000
    batch_size: int = 32
    learning_rate: float = 3e-3
    learning_rate_final: float = 5e-4
    """Where the learning rate ends; the paper's larger networks go from 2e-4 to 5e-5."""
    decay_steps: int = 4000
    """Steps over which all of them go from the first value to the last, by a cosine."""
    beta2: float = 0.9
    """Adam's decay of the mean of squared gradients; that of the mean of gradients is 0."""
    beta2_final: float = 0.99
    """Where beta2 ends."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
        small = cls(steps=4, batch_size=8, z_dim=4, g_channels=4, d_channels=4, channels_per_group=4)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # CIFAR10 of the authors' train.py, with classes: schedules over 20 million images, after which the authors train
    # on. Their augmentation, ADA's transforms with a probability from 0 to 0.55, and a moving average whose half-life
    # grows from 0 to 5 million images cannot be set; the decay here has the last half-life.
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
    "demo": {},  # the defaults
}


def networks(config: Config, shape: tuple[int, ...], classes: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator for images of this shape."""
    size, _, channels = shape
    kwargs: dict[str, Any] = {"base_resolution": config.base_resolution, "dtype": config.dtype}
    if config.networks == "dcgan":
        if classes:
            raise ValueError("`networks` dcgan take no classes; leave out `conditional`.")
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
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        z_dim=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        num_blocks=COUNT,
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
