"""SNGAN: spectral normalisation of each layer of the discriminator, which bounds its Lipschitz constant by one.

Paper      Miyato et al. 2018, arXiv:1802.05957; --conditional: Miyato, Koyama 2018, arXiv:1802.05637
Command    jaxgan train sngan
Presets    --preset paper with --data cifar10, which TFDS downloads; --preset demo: the defaults with --conditional
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       22 minutes of wall time on a busy machine, 6 minutes of CPU time
Score      Frechet distance 0.22, precision 0.78, recall 0.93: 1,797 samples, features of a classifier (fd_classifier)
"""

import dataclasses
from typing import Any, Self

import jax.numpy as jnp

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.experiment import COUNT, DEPTH, Experiment, LinearDecaySettings, require_classes, two_player_experiment
from jaxgan.models import resnet


@dataclasses.dataclass(frozen=True)
class Config(LinearDecaySettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    conditional: bool = False
    """Condition both networks on the class. The data must have labels."""
    z_dim: int = 128
    """Dimension of the latents."""
    g_channels: int = 32
    """Number of channels of the generator's layers (paper: 256)."""
    d_channels: int = 32
    """Number of channels of the discriminator's layers (paper: 128)."""
    base_resolution: int = 4
    """Resolution of the generator's first feature maps. Each residual block doubles the resolution."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 64
    n_dis: int = 1
    """Number of updates of the discriminator in each step (paper: 5). With 5, one class of the 1,797 digits almost
    disappeared from the samples."""
    learning_rate: float = 5e-4
    lr_constant_steps: int = 0
    lr_decay_steps: int = 5000
    """Number of steps over which the learning rate falls linearly to zero (paper: 50,000)."""
    beta1: float = 0.0
    beta2: float = 0.9
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, batch_size=8, z_dim=4, g_channels=4, d_channels=4, n_dis=2, conditional=True)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # sn_cifar10_unconditional.yml of the authors' code. With --conditional these are the settings of sn_cifar10.yml.
    "paper": {
        "resolution": 32,
        "base_resolution": 4,
        "z_dim": 128,
        "g_channels": 256,
        "d_channels": 128,
        "batch_size": 64,
        "steps": 50_000,
        "n_dis": 5,
        "learning_rate": 2e-4,
        "beta1": 0.0,
        "beta2": 0.9,
        "lr_constant_steps": 0,
        "lr_decay_steps": 50_000,
        "ema_decay": 0.0,
    },
    "demo": {"conditional": True},  # the default settings with the classes of the digits
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(z_dim=COUNT, g_channels=COUNT, d_channels=COUNT, n_dis=DEPTH)
    source = config.load_images(source)
    size, _, channels = source.shape
    classes = require_classes(source) if config.conditional else ()
    kwargs = {"classes": len(classes), "dtype": config.dtype}
    generator = resnet.Generator(size, channels, config.g_channels, config.base_resolution, **kwargs)
    discriminator = resnet.Critic(config.d_channels, spectral_norm=True, sum_pool=True, **kwargs)

    def discriminator_loss(nets, batch, keys, step):
        label = (batch["label"],) if classes else ()
        real_logits, stats = nets.d.with_stats(batch["image"], *label)
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim), *label), *label)
        adversarial = losses.hinge_discriminator(real_logits, fake_logits)
        metrics = losses.score_metrics(real_logits, fake_logits)
        return total(adversarial=adversarial, metrics=metrics, stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        z = latents(keys, config.z_dim, times=2)
        label = (jnp.tile(batch["label"], 2),) if classes else ()
        fake, stats = nets.g.with_stats(z, *label)
        return total(adversarial=losses.hinge_generator(nets.d(fake, *label)), stats={"g": stats})

    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": config.adam(config.n_dis), "g": config.adam()},
        turns=(("d",),) * config.n_dis + (("g",),),
        classes=classes,
    )


if __name__ == "__main__":
    main("sngan", Config, build, __doc__, presets=PRESETS)
